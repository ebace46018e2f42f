//! The order in which a Java hash table gives back what was put into it: children and sessions are shown in it.
//!
//! Source: `java.util.HashMap`. Tables with so many equal hashes that Java turns a list into a tree are not imitated.

/// Room of the set a znode keeps its children in. Source: `DataNode#addChild`.
pub(crate) const CHILDREN_ROOM: usize = 8;
/// Room of a map of which nothing is known beforehand.
pub(crate) const DEFAULT_ROOM: usize = 16;

/// `String#hashCode`.
pub(crate) fn text_hash(text: &str) -> u32 {
    if text.is_ascii() {
        text.bytes().fold(0, |hash: u32, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)))
    } else {
        text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
    }
}

/// `Long#hashCode`.
pub(crate) fn long_hash(number: i64) -> u32 {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) ^ u32::from_be_bytes([e, f, g, h])
}

/// Puts the members of a table, which stand in the order they came in, into the order it gives them back.
pub(crate) fn order<T>(members: &mut [T], room: usize, hash: impl Fn(&T) -> u32) {
    let mut room = room;
    // The table doubles when it is more than three quarters full.
    while members.len() * 4 > room * 3 {
        room *= 2;
    }
    let mask = u32::try_from(room - 1).expect("there are fewer members than hashes");
    // Stable: members of one bucket stay in the order they came in.
    members.sort_by_cached_key(|member| {
        let hash = hash(member);
        (hash ^ (hash >> 16)) & mask
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        assert_eq!(text_hash(""), 0);
        assert_eq!(text_hash("zookeeper"), 1_600_681_804);
        assert_eq!(text_hash("\u{4e2d}\u{6587}"), 646_394);
        assert_eq!(long_hash(0x1_0000_0002), 3);
        assert_eq!(long_hash(-1), 0);
    }

    #[test]
    fn members_come_back_by_bucket_and_then_in_their_order() {
        let mut members = vec![9_u32, 1, 8, 0, 16];
        order(&mut members, 8, |&hash| hash);
        assert_eq!(members, [8, 0, 16, 9, 1]);
        // A seventh member makes the table of eight one of sixteen.
        let mut members = vec![9_u32, 1, 8, 0, 16, 2, 3];
        order(&mut members, 8, |&hash| hash);
        assert_eq!(members, [0, 16, 1, 2, 3, 8, 9]);
    }
}
