//! The command line: `[-Dkey=value ...]` and then a file, `port datadir [ticktime] [maxcnxns]`, or nothing.
//!
//! Source: `QuorumPeerMain#main`, `ServerConfig#parse`; `-D` is what the `java` launcher takes.

use std::ffi::OsString;
use std::path::PathBuf;

use super::error::ConfigError;

/// A command line that was understood.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Arguments {
    /// The `-D` options in order, without the `-D`; one without `=` has an empty value. The last of a name wins.
    pub properties: Vec<(String, String)>,
    /// The rest.
    pub form: Form,
}

/// What the words after the options ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// No word: the environment as the official image uses it, or the embedded default.
    #[default]
    Nothing,
    /// One word: a configuration file.
    File(PathBuf),
    /// Two to four words. Not looked into yet.
    Direct {
        /// `clientPort`.
        port: String,
        /// `dataDir` and `dataLogDir`.
        data_dir: String,
        /// `tickTime`, 3000 if missing.
        tick_time: Option<String>,
        /// `maxClientCnxns`, no limit if missing.
        max_client_cnxns: Option<String>,
    },
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

impl Arguments {
    /// Reads the words after the name of the program.
    ///
    /// # Errors
    /// [`ConfigError::Usage`] for more than four words or an option that is none.
    pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let mut properties = Vec::new();
        let mut rest = Vec::new();
        for word in words {
            let text = word.to_str().unwrap_or_default();
            if let Some(property) = text.strip_prefix("-D") {
                let (key, value) = property.split_once('=').unwrap_or((property, ""));
                properties.push((key.to_owned(), value.to_owned()));
            } else if text == "--help" || text == "-h" {
                return Ok(Self { properties, form: Form::Help });
            } else if text == "--version" {
                return Ok(Self { properties, form: Form::Version });
            } else if text.starts_with('-') && text.parse::<i32>().is_err() {
                return Err(ConfigError::Usage { problem: format!("there is no option {text}") });
            } else {
                rest.push(word);
            }
        }
        Ok(Self { properties, form: Form::of(rest)? })
    }
}

impl Form {
    fn of(mut words: Vec<OsString>) -> Result<Self, ConfigError> {
        if words.len() > 4 {
            let problem = format!("{} words, at most 4 are understood", words.len());
            return Err(ConfigError::Usage { problem });
        }
        if words.len() < 2 {
            return Ok(words.pop().map_or(Self::Nothing, |word| Self::File(word.into())));
        }
        let mut texts = Vec::new();
        for word in words {
            let word = word.into_string().map_err(|word| ConfigError::Usage {
                problem: format!("{} is not UTF-8; write it into a configuration file", word.display()),
            })?;
            texts.push(word);
        }
        let mut texts = texts.into_iter();
        let mut next = || texts.next();
        Ok(Self::Direct {
            port: next().unwrap_or_default(),
            data_dir: next().unwrap_or_default(),
            tick_time: next(),
            max_client_cnxns: next(),
        })
    }
}
