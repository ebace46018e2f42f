//! The bytes of the client protocol, written down a second time.
//!
//! Nothing here is shared with the server under test: a misreading of the protocol cannot hide on both ends. Values are kept
//! as the wire has them (an unknown number stays a number, a string stays bytes), because the comparison has to show what a
//! server really sent.
//!
//! Source: `BinaryInputArchive`, `BinaryOutputArchive`, `zookeeper.jute`.

use std::fmt;

use super::show;

/// A string on the wire: `None` is the null string, the bytes are what was sent, UTF-8 or not.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Text(pub Option<Vec<u8>>);

impl Text {
    /// A string of ordinary characters.
    pub fn of(text: &str) -> Self {
        Self(Some(text.as_bytes().to_vec()))
    }

    /// The null string.
    pub fn null() -> Self {
        Self(None)
    }

    /// The characters; the null string and broken UTF-8 give an approximation, good for showing and for building child paths.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(self.0.as_deref().unwrap_or_default()).into_owned()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => out.write_str("null"),
            Some(bytes) => write!(out, "\"{}\"", show::escaped(bytes)),
        }
    }
}

/// One entry of an access control list.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Acl {
    /// Permission bits; the server stores any.
    pub perms: i32,
    /// `world`, `auth`, `digest`, `ip`, or junk.
    pub scheme: Text,
    /// What the scheme makes of it.
    pub id: Text,
}

impl fmt::Display for Acl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}={}", self.scheme, self.id, self.perms)
    }
}

/// What a znode says about itself, 68 bytes on the wire.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Stat {
    /// Zxid of the creation.
    pub czxid: i64,
    /// Zxid of the last change of the data.
    pub mzxid: i64,
    /// Milliseconds since 1970 of the creation.
    pub ctime: i64,
    /// Milliseconds since 1970 of the last change of the data.
    pub mtime: i64,
    /// How often the data changed.
    pub version: i32,
    /// How often the child list changed.
    pub cversion: i32,
    /// How often the access control list changed.
    pub aversion: i32,
    /// The session an ephemeral belongs to, otherwise 0.
    pub owner: i64,
    /// Bytes of data.
    pub data_length: i32,
    /// Current number of children.
    pub children: i32,
    /// Zxid of the last change of the child list.
    pub pzxid: i64,
}

impl fmt::Display for Stat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { czxid, mzxid, ctime, mtime, version, cversion, aversion, owner, .. } = self;
        let Self { data_length, children, pzxid, .. } = self;
        write!(
            out,
            "Stat(czxid {czxid} mzxid {mzxid} pzxid {pzxid} v {version} cv {cversion} av {aversion} "
        )?;
        write!(out, "owner {owner:#x} len {data_length} children {children} ctime {ctime} mtime {mtime})")
    }
}

/// What every reply starts with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// The request's number; -1 marks a notification.
    pub xid: i32,
    /// As of when, or -1 or 0 where the protocol says so.
    pub zxid: i64,
    /// 0, or the error.
    pub err: i32,
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WireError {
    /// A field reaches beyond the end of the frame.
    #[error("the frame ends at byte {at}, {wanted} more were promised")]
    Short {
        /// Where the reading stopped.
        at: usize,
        /// How many bytes the field needed.
        wanted: usize,
    },
    /// A length below -1.
    #[error("length {length} at byte {at}")]
    Length {
        /// Where it stands.
        at: usize,
        /// What it says.
        length: i32,
    },
    /// Bytes behind the last field.
    #[error("{0} bytes too many")]
    Trailing(usize),
    /// A number where the protocol allows only some, for example a multi result type.
    #[error("{0} is no {1}")]
    Unknown(i32, &'static str),
}

/// Takes fields off the front of a frame.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Everything not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// # Errors
    /// [`WireError::Trailing`] when bytes are left.
    pub fn end(&self) -> Result<(), WireError> {
        match self.rest().len() {
            0 => Ok(()),
            left => Err(WireError::Trailing(left)),
        }
    }

    fn take(&mut self, wanted: usize) -> Result<&'a [u8], WireError> {
        let short = WireError::Short { at: self.at, wanted };
        let end = self.at.checked_add(wanted).ok_or(short)?;
        let taken = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("take gives as many as asked"))
    }

    /// # Errors
    /// When the frame is over.
    pub fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    /// # Errors
    /// When the frame is over.
    pub fn int(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// # Errors
    /// When the frame is over.
    pub fn long(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// A buffer or a string, `None` for null.
    ///
    /// # Errors
    /// When the frame is over or the length is below -1.
    pub fn buffer(&mut self) -> Result<Option<Vec<u8>>, WireError> {
        let at = self.at;
        match self.int()? {
            -1 => Ok(None),
            length => {
                let wanted = usize::try_from(length).map_err(|_negative| WireError::Length { at, length })?;
                Ok(Some(self.take(wanted)?.to_vec()))
            }
        }
    }

    /// # Errors
    /// As [`Reader::buffer`].
    pub fn text(&mut self) -> Result<Text, WireError> {
        Ok(Text(self.buffer()?))
    }

    /// A vector of anything, `None` for null.
    ///
    /// # Errors
    /// When the count is below -1, or as `element`.
    pub fn vector<T>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<Vec<T>>, WireError> {
        let at = self.at;
        match self.int()? {
            -1 => Ok(None),
            length if length < 0 => Err(WireError::Length { at, length }),
            length => (0..length).map(|_index| element(self)).collect::<Result<_, _>>().map(Some),
        }
    }

    /// # Errors
    /// When the frame is over.
    pub fn header(&mut self) -> Result<Header, WireError> {
        Ok(Header { xid: self.int()?, zxid: self.long()?, err: self.int()? })
    }

    /// # Errors
    /// When the frame is over.
    pub fn stat(&mut self) -> Result<Stat, WireError> {
        Ok(Stat {
            czxid: self.long()?,
            mzxid: self.long()?,
            ctime: self.long()?,
            mtime: self.long()?,
            version: self.int()?,
            cversion: self.int()?,
            aversion: self.int()?,
            owner: self.long()?,
            data_length: self.int()?,
            children: self.int()?,
            pzxid: self.long()?,
        })
    }

    /// # Errors
    /// When the frame is over.
    pub fn acl(&mut self) -> Result<Acl, WireError> {
        Ok(Acl { perms: self.int()?, scheme: self.text()?, id: self.text()? })
    }
}

/// Puts fields one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// The bytes so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// A boolean.
    pub fn flag(&mut self, value: bool) {
        self.byte(u8::from(value));
    }

    /// 32 bits.
    pub fn int(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// 64 bits.
    pub fn long(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// A count or length.
    fn count(&mut self, length: usize) {
        self.int(i32::try_from(length).expect("the test builds nothing of 2 GiB"));
    }

    /// A buffer, or null.
    pub fn buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(bytes) => {
                self.count(bytes.len());
                self.raw(bytes);
            }
        }
    }

    /// A string, or null.
    pub fn text(&mut self, value: &Text) {
        self.buffer(value.0.as_deref());
    }

    /// A vector, or one of the ways to have none.
    pub fn list<T>(&mut self, list: &List<T>, mut element: impl FnMut(&mut Self, &T)) {
        match list {
            List::Count(count) => self.int(*count),
            List::Of(items) => {
                self.count(items.len());
                items.iter().for_each(|item| element(self, item));
            }
        }
    }

    /// An access control list.
    pub fn acls(&mut self, list: &List<Acl>) {
        self.list(list, |out, acl| {
            out.int(acl.perms);
            out.text(&acl.scheme);
            out.text(&acl.id);
        });
    }
}

/// A vector as a client may send it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum List<T> {
    /// The honest form.
    Of(Vec<T>),
    /// Only a count: -1 for null, anything below for junk.
    Count(i32),
}

impl<T: fmt::Display> fmt::Display for List<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(out, "[count {count}]"),
            Self::Of(items) => show::list(out, items),
        }
    }
}

/// Puts the four length bytes in front.
pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut out = Writer::default();
    out.buffer(Some(payload));
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_of_null_is_not_an_empty_one() {
        let read = |bytes: &[u8]| Reader::new(bytes).vector(Reader::int);
        assert_eq!(read(&[255; 4]), Ok(None));
        assert_eq!(read(&[0; 4]), Ok(Some(vec![])));
        assert_eq!(read(&[255, 255, 255, 254]), Err(WireError::Length { at: 0, length: -2 }));
        assert_eq!(read(&[0, 0, 0, 1]), Err(WireError::Short { at: 4, wanted: 4 }));
    }

    #[test]
    fn what_is_left_over_is_noticed() {
        let mut reader = Reader::new(&[0, 0, 0, 1, 9]);
        assert_eq!(reader.int(), Ok(1));
        assert_eq!(reader.end(), Err(WireError::Trailing(1)));
    }
}
