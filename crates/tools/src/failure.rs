//! Why a tool ends before its end.

use std::fmt;
use std::io;

use proto::{DecodeError, TxnError};

/// The original's two ways to fail.
#[derive(Debug)]
pub(crate) enum Failure {
    /// In order: a text on stderr and an exit code.
    Told {
        /// The exit code.
        code: u8,
        /// For stderr; may be empty.
        text: String,
    },
    /// With an exception that nobody catches, and exit code 1.
    Thrown(Thrown),
}

impl Failure {
    /// One that is told in order.
    pub(crate) fn told(code: u8, text: impl Into<String>) -> Self {
        Self::Told { code, text: text.into() }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Told { code, .. } => *code,
            Self::Thrown(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told { text, .. } => f.write_str(text),
            Self::Thrown(thrown) => {
                write!(f, "Exception in thread \"main\" {}", thrown.class)?;
                if let Some(message) = &thrown.message {
                    write!(f, ": {message}")?;
                }
                match &thrown.place {
                    Some(place) => write!(f, "\n\tat {place}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl From<Thrown> for Failure {
    fn from(thrown: Thrown) -> Self {
        Self::Thrown(thrown)
    }
}

/// A Java exception, and the place in the file instead of the places in the program.
#[derive(Debug)]
pub(crate) struct Thrown {
    class: &'static str,
    message: Option<String>,
    place: Option<String>,
}

/// `java.io.EOFException`.
const END_OF_FILE: &str = "java.io.EOFException";

impl Thrown {
    /// One of this class with this message.
    pub(crate) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: Some(message.into()), place: None }
    }

    /// Bytes were missing.
    pub(crate) fn end_of_file() -> Self {
        Self { class: END_OF_FILE, message: None, place: None }
    }

    /// A null where the original counts on a value.
    pub(crate) fn null() -> Self {
        Self { class: "java.lang.NullPointerException", message: None, place: None }
    }

    /// The input ended where the original's console reader wanted more.
    pub(crate) fn no_input(message: Option<&str>) -> Self {
        Self { class: "java.util.NoSuchElementException", message: message.map(str::to_owned), place: None }
    }

    /// A `java.io.IOException`.
    pub(crate) fn io(message: impl Into<String>) -> Self {
        Self::new("java.io.IOException", message)
    }

    /// A length that is negative or above `jute.maxbuffer` and its extra. Source: `BinaryInputArchive#checkLength`.
    pub(crate) fn length(length: i32) -> Self {
        Self::io(format!("Unreasonable length = {length}"))
    }

    /// What the original says when a file cannot be opened.
    pub(crate) fn open(path: &str, error: &io::Error) -> Self {
        Self::new("java.io.FileNotFoundException", format!("{path} ({})", reason(error)))
    }

    /// A number that is none. Source: `NumberFormatException#forInputString`.
    pub(crate) fn number(text: &str) -> Self {
        Self::new("java.lang.NumberFormatException", format!("For input string: \"{text}\""))
    }

    /// What went wrong while a payload was decoded.
    pub(crate) fn decode(error: TxnError) -> Self {
        match error {
            TxnError::Kind(kind) => Self::io(format!("Unsupported Txn with type={kind}")),
            TxnError::Malformed(DecodeError::Truncated) => Self::end_of_file(),
            TxnError::Malformed(DecodeError::Length(length)) => Self::length(length),
            TxnError::Malformed(DecodeError::Null { .. } | DecodeError::Unknown { .. }) => Self::null(),
        }
    }

    /// Says where it happened, unless that is known already.
    #[must_use]
    pub(crate) fn at(mut self, place: impl FnOnce() -> String) -> Self {
        self.place.get_or_insert_with(place);
        self
    }

    /// Whether only bytes were missing.
    pub(crate) fn is_end_of_file(&self) -> bool {
        self.class == END_OF_FILE
    }

    /// `Exception#getMessage` as it prints.
    pub(crate) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("null")
    }
}

/// An error of the system, as the C library words it.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_prints_as_java_prints_it() {
        let thrown = Thrown::length(-7).at(|| "log.1, byte 16".into()).at(|| "elsewhere".into());
        let text = Failure::from(thrown).to_string();
        let wanted =
            "Exception in thread \"main\" java.io.IOException: Unreasonable length = -7\n\tat log.1, byte 16";
        assert_eq!(text, wanted);
        let error = io::Error::from_raw_os_error(2);
        assert_eq!(Thrown::open("/x", &error).message(), "/x (No such file or directory)");
        assert_eq!(Thrown::end_of_file().message(), "null");
    }
}
