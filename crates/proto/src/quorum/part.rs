//! How the fields of a packet stand in its zxid and its data.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::{LearnerInfo, SessionTouch};
use crate::{Decode, DecodeError, Encode, Epoch, Reader, SessionId, Sid, Zxid};

/// A value that stands where the packet's zxid is.
pub(super) trait InZxid: Sized {
    fn from_zxid(zxid: Zxid) -> Self;
    fn to_zxid(&self) -> Zxid;
}

impl InZxid for Zxid {
    fn from_zxid(zxid: Zxid) -> Self {
        zxid
    }

    fn to_zxid(&self) -> Zxid {
        *self
    }
}

/// An epoch travels as the zxid that opens it; the counter is not looked at.
impl InZxid for Epoch {
    fn from_zxid(zxid: Zxid) -> Self {
        zxid.epoch()
    }

    fn to_zxid(&self) -> Zxid {
        Zxid::new(*self, 0)
    }
}

/// A piece of the packet's data. Pieces without a length of their own take all that is left.
pub(super) trait InData<'a>: Sized {
    fn take(data: &mut Reader<'a>) -> Result<Self, DecodeError>;
    fn put(&self, out: &mut Vec<u8>);
}

macro_rules! as_record {
    ($($t:ty),*) => {$(
        impl<'a> InData<'a> for $t {
            fn take(data: &mut Reader<'a>) -> Result<Self, DecodeError> {
                data.take()
            }

            fn put(&self, out: &mut Vec<u8>) {
                self.encode(out);
            }
        }
    )*};
}
as_record!(i32, bool, SessionId, Sid);

impl<'a> InData<'a> for &'a [u8] {
    fn take(data: &mut Reader<'a>) -> Result<Self, DecodeError> {
        data.bytes(data.rest().len())
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// UTF-8 since ZOOKEEPER-4787; malformed bytes arrive as U+FFFD.
impl<'a> InData<'a> for Cow<'a, str> {
    fn take(data: &mut Reader<'a>) -> Result<Self, DecodeError> {
        <&[u8]>::take(data).map(String::from_utf8_lossy)
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }
}

/// To the end of the data; a piece of an element is an error, as in `LearnerHandler#run`.
impl InData<'_> for Vec<SessionTouch> {
    fn take(data: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut all = Self::with_capacity(data.rest().len() / 12);
        while !data.rest().is_empty() {
            all.push(data.take()?);
        }
        Ok(all)
    }

    fn put(&self, out: &mut Vec<u8>) {
        for touch in self {
            touch.encode(out);
        }
    }
}

/// An epoch, or -1 for none.
impl InData<'_> for Option<Epoch> {
    fn take(data: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number: i32 = data.take()?;
        Ok(if number == -1 { None } else { Some(Epoch(number.cast_unsigned())) })
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.map_or(-1, |epoch| epoch.0.cast_signed()).encode(out);
    }
}

/// Fields may be missing from the end, but not the first.
impl InData<'_> for LearnerInfo {
    fn take(data: &mut Reader<'_>) -> Result<Self, DecodeError> {
        fn or<'a, T: Decode<'a>>(data: &mut Reader<'a>, missing: T) -> Result<T, DecodeError> {
            match data.take() {
                Err(DecodeError::Truncated) => Ok(missing),
                other => other,
            }
        }
        let sid = data.take()?;
        let protocol_version = or(data, 1)?;
        let config_version = or(data, 0)?;
        Ok(Self { sid, protocol_version, config_version })
    }

    fn put(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
