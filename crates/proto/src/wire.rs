//! The primitive encodings of Jute, ZooKeeper's record format: big-endian integers, length-prefixed bytes.
//!
//! Source: `BinaryInputArchive`, `BinaryOutputArchive`; client-protocol.md §1.1.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// A Jute `buffer`: bytes, or null, which is not the same as empty.
pub type Buffer<'a> = Option<&'a [u8]>;

/// A Jute `ustring`: UTF-8 text, or null. Malformed bytes arrive as U+FFFD, as in Java.
pub type Text<'a> = Option<Cow<'a, str>>;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the record ends inside a field")]
    Truncated,
    /// A string or buffer claims a length below -1, or one above the reader's bound.
    #[error("unreasonable length {0}")]
    Length(i32),
    /// A list that has to be there is null. Java does not find that while it decodes, but stumbles over it.
    #[error("the {what} is null")]
    Null {
        /// The field, in words.
        what: &'static str,
    },
    /// A field holds a value that no version of the protocol defines.
    #[error("{value} is not a {what}")]
    Unknown {
        /// The field, in words.
        what: &'static str,
        /// What stands there.
        value: i64,
    },
}

/// Takes records off the front of some bytes.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// No string or buffer may claim to be longer.
    length_max: i32,
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_length_max(bytes, i32::MAX)
    }

    /// The same, but a string or buffer that claims more than `length_max` bytes is a [`DecodeError::Length`], even where
    /// the bytes end before it: what Java answers with its `jute.maxbuffer`. Source: `BinaryInputArchive#checkLength`.
    #[must_use]
    pub fn with_length_max(bytes: &'a [u8], length_max: i32) -> Self {
        Self { rest: bytes, length_max }
    }

    /// What has not been taken yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// Whatever the record's own decoder finds.
    pub fn take<T: Decode<'a>>(&mut self) -> Result<T, DecodeError> {
        T::decode(self)
    }

    /// Takes `n` bytes as they are.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The length before a string or buffer: `None` for null.
    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        match i32::decode(self)? {
            -1 => Ok(None),
            n if n > self.length_max => Err(DecodeError::Length(n)),
            n => usize::try_from(n).map(Some).map_err(|_| DecodeError::Length(n)),
        }
    }
}

/// A value that can be read from its Jute bytes.
pub trait Decode<'a>: Sized {
    /// Reads one value and leaves `reader` behind it.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes end early or a length is impossible.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError>;
}

/// A value that can be written as its Jute bytes.
pub trait Encode {
    /// Appends the bytes to `out`.
    fn encode(&self, out: &mut Vec<u8>);
}

macro_rules! integer {
    ($($t:ty),*) => {$(
        impl Decode<'_> for $t {
            #[inline]
            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(reader.array()?))
            }
        }
        impl Encode for $t {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}
integer!(u8, i32, i64);

impl Decode<'_> for bool {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(u8::decode(reader)? != 0)
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl<'a> Decode<'a> for Buffer<'a> {
    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.length()?.map(|n| reader.bytes(n)).transpose()
    }
}

impl Encode for Buffer<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(bytes) => put_bytes(bytes, out),
            None => (-1_i32).encode(out),
        }
    }
}

impl<'a> Decode<'a> for Text<'a> {
    #[inline]
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Buffer::decode(reader)?.map(text_lossy))
    }
}

/// Bytes as text, with U+FFFD for what is malformed, as often as Java puts it there: once for a surrogate in its three
/// bytes, whole or cut off, where Rust's standard library counts every byte. All else the two replace alike.
///
/// Source: `java.lang.String#decodeUTF8_UTF16`.
#[inline]
#[must_use]
pub fn text_lossy(bytes: &[u8]) -> Cow<'_, str> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(replaced(bytes)),
    }
}

#[cold]
fn replaced(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(chunk) = rest.utf8_chunks().next() {
        text.push_str(chunk.valid());
        let behind = &rest[chunk.valid().len()..];
        let malformed = match behind {
            [] => 0,
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => chunk.invalid().len(),
        };
        if malformed > 0 {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        rest = &behind[malformed..];
    }
    text
}

impl Encode for Text<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.as_deref().map(str::as_bytes).encode(out);
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<Vec<T>> {
    /// Every negative count but -1 is an empty vector, as in Java. Room is made element by element, so that a
    /// count without elements behind it costs nothing.
    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = i32::decode(reader)?;
        if count == -1 {
            return Ok(None);
        }
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(T::decode(reader)?);
        }
        Ok(Some(all))
    }
}

impl<T: Encode> Encode for Option<Vec<T>> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Some(all) => put_all(all.iter(), out),
            None => (-1_i32).encode(out),
        }
    }
}

/// Appends a non-null buffer or string: its length, then its bytes.
///
/// # Panics
/// If `bytes` is longer than `i32::MAX`; no frame or file entry is.
#[inline]
pub fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    length_of(bytes.len()).encode(out);
    out.extend_from_slice(bytes);
}

/// Appends a non-null vector: its count, then its elements.
///
/// # Panics
/// If there are more than `i32::MAX` elements.
pub fn put_all<'a, T: Encode + 'a>(all: impl ExactSizeIterator<Item = &'a T>, out: &mut Vec<u8>) {
    length_of(all.len()).encode(out);
    for one in all {
        one.encode(out);
    }
}

/// A length as it stands on the wire.
///
/// # Panics
/// If it does not fit an `i32`.
#[inline]
#[must_use]
pub fn length_of(n: usize) -> i32 {
    i32::try_from(n).expect("what is sent or stored is far below 2 GiB")
}

/// Appends one frame: four length bytes, then what `payload` appends.
///
/// # Panics
/// If the payload is longer than `i32::MAX` bytes.
#[inline]
pub fn put_frame(out: &mut Vec<u8>, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    payload(out);
    let length = length_of(out.len() - start - 4);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn null_and_empty_are_two_values() {
        let mut out = Vec::new();
        Buffer::None.encode(&mut out);
        Some(&b""[..]).encode(&mut out);
        assert_eq!(out, [255, 255, 255, 255, 0, 0, 0, 0]);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.take::<Buffer<'_>>(), Ok(None));
        assert_eq!(reader.take::<Buffer<'_>>(), Ok(Some(&b""[..])));
    }

    #[test]
    fn a_length_without_bytes_is_refused_before_any_room_is_made() {
        let mut reader = Reader::new(&[0x7f, 255, 255, 255, 1]);
        assert_eq!(reader.take::<Buffer<'_>>(), Err(DecodeError::Truncated));
        let mut reader = Reader::new(&[0x7f, 255, 255, 255, 1]);
        assert_eq!(reader.take::<Option<Vec<i64>>>(), Err(DecodeError::Truncated));
        let mut reader = Reader::new(&[255, 255, 255, 254]);
        assert_eq!(reader.take::<Buffer<'_>>(), Err(DecodeError::Length(-2)));
        let mut reader = Reader::with_length_max(&[0, 0, 0, 3, 1, 2, 3], 2);
        assert_eq!(reader.take::<Buffer<'_>>(), Err(DecodeError::Length(3)));
    }

    #[test]
    fn a_negative_count_is_an_empty_vector_except_minus_one() {
        assert_eq!(Reader::new(&[255, 255, 255, 255]).take::<Option<Vec<i32>>>(), Ok(None));
        assert_eq!(Reader::new(&[128, 0, 0, 0]).take::<Option<Vec<i32>>>(), Ok(Some(vec![])));
    }

    #[test]
    fn malformed_text_is_replaced() {
        let text = Reader::new(&[0, 0, 0, 2, b'a', 0xff]).take::<Text<'_>>();
        assert_eq!(text.unwrap().unwrap(), "a\u{fffd}");
    }

    #[test]
    fn a_surrogate_is_replaced_once() {
        for (bytes, text) in [
            (&b"a\xed\xa0\x80b"[..], "a\u{fffd}b"),
            (b"\xed\xbf\xbf\xed\xa0", "\u{fffd}\u{fffd}"),
            (b"\xed\xa0b", "\u{fffd}b"),
            (b"\xed\x9f\xbf\xedb", "\u{d7ff}\u{fffd}b"),
            (b"\xe2\x82\xf0\x9f\x98", "\u{fffd}\u{fffd}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"", ""),
        ] {
            assert_eq!(text_lossy(bytes), text, "{bytes:x?}");
        }
    }
}
