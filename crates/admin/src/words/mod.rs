//! The four-letter words.
//!
//! The first four bytes of a connection, if they are a word, are answered with text, and the connection is closed:
//!
//! ```text
//! Word::parse(first four bytes)          None: not a word, they are the length of a packet
//!   whitelist.refusal(word)              Some: send that sentence
//!     answer(word, rest, source, limit)  send this, also when it is empty
//! ```
//!
//! Source: `org.apache.zookeeper.server.command.FourLetterCommands`, `NIOServerCnxn#checkFourLetterWord`.

mod answer;
mod render;
mod whitelist;

pub use answer::{ANSWER_BYTES_MAX, answer};
pub use whitelist::Whitelist;

/// What a server says to most words while it is not serving. Source: `AbstractFourLetterCommand#ZK_NOT_SERVING`.
const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests\n";

/// The table of the words: variant, bytes on the wire, name in the whitelist.
macro_rules! words {
    ($($(#[$doc:meta])* $word:ident = $bytes:literal, $name:literal;)*) => {
        /// A question in four letters.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Word {
            $($(#[$doc])* $word,)*
        }

        impl Word {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word),*];

            /// The word these bytes are, if they are one. Case matters.
            #[must_use]
            pub fn parse(first: [u8; 4]) -> Option<Self> {
                match &first {
                    $($bytes => Some(Self::$word),)*
                    _ => None,
                }
            }

            /// What `4lw.commands.whitelist` calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$word => $name,)*
                }
            }
        }
    };
}

words! {
    /// The configuration in effect.
    Conf = b"conf", "conf";
    /// Every connection, in full.
    Cons = b"cons", "cons";
    /// Start the connections' statistics again.
    Crst = b"crst", "crst";
    /// Sizes of the data directories.
    Dirs = b"dirs", "dirs";
    /// Sessions, ephemerals, and when they go.
    Dump = b"dump", "dump";
    /// Where the server runs.
    Envi = b"envi", "envi";
    /// The trace mask.
    Gtmk = b"gtmk", "gtmk";
    /// The history of the tree's digest.
    Hash = b"hash", "hash";
    /// Is it read-only?
    Isro = b"isro", "isro";
    /// Every metric.
    Mntr = b"mntr", "mntr";
    /// Are you OK?
    Ruok = b"ruok", "ruok";
    /// Start the server's statistics again.
    Srst = b"srst", "srst";
    /// The server in brief.
    Srvr = b"srvr", "srvr";
    /// The server in brief, with its connections.
    Stat = b"stat", "stat";
    /// Set the trace mask.
    Stmk = b"stmk", "stmk";
    /// What telnet sends when it leaves. It would be taken for a negative length otherwise, and logged as one.
    TelnetClose = b"\xff\xf4\xff\xfd", "telnet close";
    /// Watches by session.
    Wchc = b"wchc", "wchc";
    /// Watches by path.
    Wchp = b"wchp", "wchp";
    /// Watches, counted.
    Wchs = b"wchs", "wchs";
}

impl Word {
    /// What is said instead while the server is not serving; `None` for the words that are answered all the same.
    #[must_use]
    pub fn while_not_serving(self) -> Option<&'static str> {
        match self {
            Self::Envi | Self::Gtmk | Self::Ruok | Self::Stmk | Self::TelnetClose => None,
            Self::Isro => Some("null"),
            // The one that forgets the newline.
            Self::Hash => Some(NOT_SERVING.trim_ascii_end()),
            Self::Conf
            | Self::Cons
            | Self::Crst
            | Self::Dirs
            | Self::Dump
            | Self::Mntr
            | Self::Srst
            | Self::Srvr
            | Self::Stat
            | Self::Wchc
            | Self::Wchp
            | Self::Wchs => Some(NOT_SERVING),
        }
    }

    /// Whether the answer needs a server that is serving.
    #[must_use]
    pub fn needs_serving(self) -> bool {
        self.while_not_serving().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_by_their_bytes() {
        for &word in Word::ALL {
            if word != Word::TelnetClose {
                let bytes: [u8; 4] = word.name().as_bytes().try_into().unwrap();
                assert_eq!(Word::parse(bytes), Some(word));
            }
        }
        assert_eq!(Word::parse([0xff, 0xf4, 0xff, 0xfd]), Some(Word::TelnetClose));
        assert_eq!(Word::parse(*b"RUOK"), None);
        assert_eq!(Word::parse([0, 0, 0, 45]), None);
    }
}
