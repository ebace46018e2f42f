//! Where Oxkeeper answers differently on purpose. Each rule stands in `docs/compat.md` too, with the same name.

use super::reply::{Body, Seen};
use super::step::{Password, Step, Which};
use super::wire::{Header, Text};

/// A difference that is none.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// As `docs/compat.md` calls it.
    pub name: &'static str,
    /// Why ours is the better answer.
    pub reason: &'static str,
    applies: fn(&Case<'_>) -> bool,
}

/// What was heard on one slot of both servers during one step.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What was done.
    pub step: &'a Step,
    /// Where this was heard, which need not be the slot the step acts on.
    pub slot: usize,
    /// Apache.
    pub apache: &'a [Seen],
    /// Oxkeeper.
    pub ours: &'a [Seen],
}

/// The name of the rule that [`as_utf8`] is.
pub const CHARACTERS: &str = "characters-beyond-ffff";

/// Apache sends a character beyond U+FFFF as two surrogates of three bytes each, which is not UTF-8, so that Java, C and
/// Python cannot read it back; ours sends the four bytes that came. Turns the former into the latter wherever such a
/// character can stand: no znode has one in its path. Says whether there was one.
pub fn as_utf8(seen: &mut [Seen]) -> bool {
    let mut changed = false;
    for one in seen {
        match one {
            Seen::Event { path, .. } | Seen::Reply { body: Body::Path(path), .. } => changed |= joined(path),
            Seen::Reply { body: Body::Acl(Some(entries), _), .. } => {
                for entry in entries {
                    changed |= joined(&mut entry.scheme) | joined(&mut entry.id);
                }
            }
            Seen::Reply { body: Body::Identities(Some(ids)), .. } => {
                for (scheme, user) in ids {
                    changed |= joined(scheme) | joined(user);
                }
            }
            Seen::Reply { .. } | Seen::Connected(_) | Seen::Short(_) | Seen::Closed | Seen::Silence => {}
        }
    }
    changed
}

/// Joins pairs of surrogates.
fn joined(text: &mut Text) -> bool {
    let Some(bytes) = &mut text.0 else { return false };
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let [first, behind @ ..] = rest {
        if let [0xed, a @ 0xa0..=0xaf, b, 0xed, c @ 0xb0..=0xbf, d, after @ ..] = rest {
            let bits = |byte: &u8| u32::from(byte & 0x3f);
            let high = (bits(a) & 0xf) << 6 | bits(b);
            let low = (bits(c) & 0xf) << 6 | bits(d);
            let whole =
                char::from_u32(0x1_0000 + (high << 10 | low)).expect("twenty bits above the first plane");
            out.extend(whole.encode_utf8(&mut [0; 4]).bytes());
            rest = after;
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    let changed = out != *bytes;
    *bytes = out;
    changed
}

/// All rules about one slot. The generator stays away from what stops Apache, so those rows of the document have none here.
pub const RULES: [Rule; 1] = [Rule {
    name: "wrong-password-keeps-the-connection",
    reason: "Apache closes the legitimate connection before it looks at the password of the one that wants its session",
    applies: wrong_password,
}];

/// The rule that explains a difference, if one does.
pub fn rule_for(case: &Case<'_>) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(case))
}

fn wrong_password(case: &Case<'_>) -> bool {
    let Step::Connect { slot, connect } = case.step else { return false };
    let hijack = matches!(connect.session, Which::Known(_)) && connect.password != Password::Right;
    let [Seen::Reply { header, body: Body::None }] = case.ours else { return false };
    hijack && *slot != case.slot && header.xid == -2 && header.err == 0 && case.apache == [Seen::Closed]
}

/// The numbers of requests that only servers make. Apache carries them out for any client; ours treats them as unknown.
/// They would leave the two trees different, so they are not sent to Apache: ours is held to [`refused`] alone.
pub const SERVERS_ONLY: [i32; 2] = [super::op::code::DELETE_CONTAINER, super::op::code::CREATE_SESSION];

/// What a client hears that sends an unknown request, for example one of [`SERVERS_ONLY`].
pub fn refused(xid: i32) -> Vec<Seen> {
    vec![Seen::Reply { header: Header { xid, zxid: -1, err: -6 }, body: Body::None }, Seen::Closed]
}

#[cfg(test)]
mod tests {
    use super::super::step::Connect;
    use super::*;

    #[test]
    fn surrogates_become_one_character() {
        let mut text = Text(Some(b"/a\xed\xa0\xbd\xed\xb8\x80b\xed\xa0\x80".to_vec()));
        assert!(joined(&mut text));
        assert_eq!(text, Text(Some(b"/a\xf0\x9f\x98\x80b\xed\xa0\x80".to_vec())));
        assert!(!joined(&mut text));
    }

    #[test]
    fn the_rule_covers_bystanders_of_a_wrong_password_and_nothing_else() {
        let pong = [Seen::Reply { header: Header { xid: -2, zxid: 9, err: 0 }, body: Body::None }];
        let closed = [Seen::Closed];
        let attempt = |password| Step::Connect {
            slot: 0,
            connect: Connect { session: Which::Known(0), password, ..Connect::new_session() },
        };
        let wrong = attempt(Password::Wrong);
        let case = Case { step: &wrong, slot: 1, apache: &closed, ours: &pong };
        assert!(rule_for(&case).is_some());
        assert!(rule_for(&Case { slot: 0, ..case }).is_none());
        assert!(rule_for(&Case { apache: &pong, ours: &closed, ..case }).is_none());
        let right = attempt(Password::Right);
        assert!(rule_for(&Case { step: &right, ..case }).is_none());
    }
}
