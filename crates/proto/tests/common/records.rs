//! Golden records: read, and written again to the same bytes.

use std::fmt::Debug;

use proto::{Decode, Encode, Reader};

use crate::common::encoded;

/// The payload of a frame, whose length must be right.
pub(crate) fn payload(frame: &[u8]) -> &[u8] {
    let mut reader = Reader::new(frame);
    let length: i32 = reader.take().expect("a frame starts with its length");
    assert_eq!(usize::try_from(length), Ok(reader.rest().len()), "the length of the frame");
    reader.rest()
}

/// Takes a record off `reader`, and sees that it encodes to the bytes it came from.
pub(crate) fn take<'a, T: Decode<'a> + Encode + Debug>(reader: &mut Reader<'a>) -> T {
    let before = reader.rest();
    let record: T = reader.take().expect("a golden record decodes");
    let taken = &before[..before.len() - reader.rest().len()];
    assert_eq!(encoded(&record), taken, "{record:?}");
    record
}

/// Takes a record that is all that is left.
pub(crate) fn last<'a, T: Decode<'a> + Encode + Debug>(reader: &mut Reader<'a>) -> T {
    let record = take(reader);
    assert_eq!(reader.rest(), [0_u8; 0], "behind {record:?}");
    record
}
