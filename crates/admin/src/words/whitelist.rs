//! Which words are answered.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Word;

/// The words an operator has allowed. Source: `FourLetterCommands#isEnabled`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Whitelist {
    allowed: BTreeSet<Word>,
    unknown: Vec<String>,
}

impl Whitelist {
    /// Reads the value of `4lw.commands.whitelist`; `None` is no such key.
    ///
    /// * `read_only_mode`: `readonlymode.enabled` is `true`; then `isro` is allowed, because clients use it to find
    ///   out.
    ///
    /// `srvr` is always allowed: `zkServer.sh status` asks it.
    #[must_use]
    pub fn parse(value: Option<&str>, read_only_mode: bool) -> Self {
        let mut allowed = BTreeSet::from([Word::Srvr]);
        let mut unknown = Vec::new();
        if read_only_mode {
            allowed.insert(Word::Isro);
        }
        let names = value.unwrap_or_default().split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            if name == "*" {
                allowed.extend(Word::ALL);
                break;
            }
            match Word::ALL.iter().find(|word| word.name() == name) {
                Some(&word) => _ = allowed.insert(word),
                None => unknown.push(name.into()),
            }
        }
        Self { allowed, unknown }
    }

    /// What to say instead of an answer, or `None` if the word is allowed.
    #[must_use]
    pub fn refusal(&self, word: Word) -> Option<String> {
        let refused = !self.allowed.contains(&word);
        refused.then(|| format!("{} is not executed because it is not in the whitelist.\n", word.name()))
    }

    /// Entries that are no word. Apache says nothing about them; they are worth a line in the log.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(value: Option<&str>, read_only_mode: bool) -> Vec<&'static str> {
        let whitelist = Whitelist::parse(value, read_only_mode);
        let answered = Word::ALL.iter().filter(|&&word| whitelist.refusal(word).is_none());
        answered.map(|word| word.name()).collect()
    }

    #[test]
    fn srvr_is_always_allowed_and_isro_where_clients_need_it() {
        assert_eq!(allowed(None, false), ["srvr"]);
        assert_eq!(allowed(Some(""), true), ["isro", "srvr"]);
        assert_eq!(allowed(Some(" ruok , mntr,,"), false), ["mntr", "ruok", "srvr"]);
        assert_eq!(allowed(Some("ruok,*"), false).len(), Word::ALL.len());
    }

    #[test]
    fn a_refusal_names_the_word() {
        let whitelist = Whitelist::parse(Some("ruok, rouk"), false);
        assert_eq!(
            whitelist.refusal(Word::TelnetClose).unwrap(),
            "telnet close is not executed because it is not in the whitelist.\n"
        );
        assert_eq!(whitelist.unknown(), ["rouk"]);
    }
}
