//! The few frames a load generator sends, and the header it reads back.
//!
//! Encoding is done once per kind of request: a [`Template`] holds finished bytes, and sending means copying them
//! and overwriting the xid and the digits in the path. Source of all layouts: `zookeeper.jute`.

/// `OpCode` of the original, as far as this program sends it. Source: `ZooDefs.OpCode`.
pub(crate) mod opcode {
    pub(crate) const CREATE: i32 = 1;
    pub(crate) const DELETE: i32 = 2;
    pub(crate) const EXISTS: i32 = 3;
    pub(crate) const GET_DATA: i32 = 4;
    pub(crate) const SET_DATA: i32 = 5;
    pub(crate) const GET_CHILDREN2: i32 = 12;
    pub(crate) const CHECK: i32 = 13;
    pub(crate) const MULTI: i32 = 14;
    pub(crate) const CREATE2: i32 = 15;
    pub(crate) const CLOSE_SESSION: i32 = -11;

    /// Whether a server must have this request on disk before it answers.
    pub(crate) fn is_write(opcode: i32) -> bool {
        matches!(opcode, CREATE | DELETE | SET_DATA | MULTI | CREATE2)
    }
}

/// The xid of a watch event. Source: `ClientCnxn.NOTIFICATION_XID`.
pub(crate) const NOTIFICATION_XID: i32 = -1;
/// The xid of a ping and of its answer. Source: `ClientCnxn.PING_XID`.
pub(crate) const PING_XID: i32 = -2;

/// Length prefix, xid, zxid, err: the part of a reply this program looks at.
pub(crate) const REPLY_HEAD: usize = 20;
/// Bytes of a `Stat` on the wire.
pub(crate) const STAT: usize = 68;
/// Where a request frame carries its xid, after the length.
const XID_AT: usize = 4;

/// Eight of these in a path stand for a number chosen at each request.
pub(crate) const NUMBER: &str = "########";
/// Ten of these stand for the number the server appends to a sequential znode.
pub(crate) const SEQUENCE: &str = "@@@@@@@@@@";

/// A frame under construction.
pub(crate) struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// A request frame: room for the length, xid 0, and the opcode.
    pub(crate) fn request(opcode: i32) -> Self {
        let mut bytes = vec![0; 8];
        bytes.extend_from_slice(&opcode.to_be_bytes());
        Self { bytes }
    }

    /// A frame without request header.
    pub(crate) fn bare() -> Self {
        Self { bytes: vec![0; 4] }
    }

    pub(crate) fn int(mut self, value: i32) -> Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn long(mut self, value: i64) -> Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn boolean(mut self, value: bool) -> Self {
        self.bytes.push(u8::from(value));
        self
    }

    pub(crate) fn buffer(self, value: &[u8]) -> Self {
        let mut with_length = self.int(length(value.len()));
        with_length.bytes.extend_from_slice(value);
        with_length
    }

    pub(crate) fn string(self, value: &str) -> Self {
        self.buffer(value.as_bytes())
    }

    /// The one-entry list `world:anyone:cdrwa`.
    pub(crate) fn open_acl(self) -> Self {
        self.int(1).int(31).string("world").string("anyone")
    }

    /// The finished frame, its length filled in.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let payload = length(self.bytes.len() - 4).to_be_bytes();
        self.bytes[..4].copy_from_slice(&payload);
        self.bytes
    }
}

/// A length as the protocol carries it.
fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a request of this program is far below 2 GiB")
}

/// What a request asks for; sizes in bytes of znode data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Call {
    Get {
        watch: bool,
    },
    Exists,
    Children2,
    Set {
        size: usize,
    },
    Create {
        size: usize,
        flags: i32,
    },
    Delete,
    /// One transaction of four: check, setData, create and delete of a child.
    MultiOfFour {
        size: usize,
    },
}

/// `CreateMode.EPHEMERAL_SEQUENTIAL`.
pub(crate) const EPHEMERAL_SEQUENTIAL: i32 = 3;

impl Call {
    /// The opcode this call travels under.
    pub(crate) fn opcode(self) -> i32 {
        match self {
            Self::Get { .. } => opcode::GET_DATA,
            Self::Exists => opcode::EXISTS,
            Self::Children2 => opcode::GET_CHILDREN2,
            Self::Set { .. } => opcode::SET_DATA,
            Self::Create { .. } => opcode::CREATE,
            Self::Delete => opcode::DELETE,
            Self::MultiOfFour { .. } => opcode::MULTI,
        }
    }

    /// The complete request frame with xid 0.
    pub(crate) fn frame(self, path: &str) -> Vec<u8> {
        let frame = Frame::request(self.opcode());
        match self {
            Self::Get { watch } => frame.string(path).boolean(watch),
            Self::Exists | Self::Children2 => frame.string(path).boolean(false),
            Self::Set { size } => frame.string(path).buffer(&data(size)).int(-1),
            Self::Create { size, flags } => frame.string(path).buffer(&data(size)).open_acl().int(flags),
            Self::Delete => frame.string(path).int(-1),
            Self::MultiOfFour { size } => multi_of_four(frame, path, size),
        }
        .finish()
    }
}

fn multi_of_four(frame: Frame, path: &str, size: usize) -> Frame {
    let child = format!("{path}/m");
    let head = |frame: Frame, opcode| frame.int(opcode).boolean(false).int(-1);
    let frame = head(frame, opcode::CHECK).string(path).int(-1);
    let frame = head(frame, opcode::SET_DATA).string(path).buffer(&data(size)).int(-1);
    let frame = head(frame, opcode::CREATE).string(&child).buffer(&data(size)).open_acl().int(0);
    let frame = head(frame, opcode::DELETE).string(&child).int(-1);
    frame.int(-1).boolean(true).int(-1)
}

/// Bytes that do not compress to nothing and contain no long run of one value.
pub(crate) fn data(size: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(size).collect()
}

/// A request ready to be copied out, with the places that change.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    numbers_at: Vec<usize>,
    sequence_at: Option<usize>,
}

impl Template {
    /// `path` may hold one [`NUMBER`] and one [`SEQUENCE`].
    pub(crate) fn new(call: Call, path: &str) -> Self {
        let bytes = call.frame(path);
        let find = |mark: &str| {
            let places = bytes.windows(mark.len()).enumerate();
            places.filter(|(_, window)| *window == mark.as_bytes()).map(|(at, _)| at).collect::<Vec<_>>()
        };
        Self { numbers_at: find(NUMBER), sequence_at: find(SEQUENCE).first().copied(), bytes }
    }

    /// Appends the request to `out`. Numbers beyond eight (ten) decimal digits lose their upper ones.
    pub(crate) fn put(&self, out: &mut Vec<u8>, xid: i32, number: u64, sequence: u64) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        out[start + XID_AT..start + XID_AT + 4].copy_from_slice(&xid.to_be_bytes());
        for at in &self.numbers_at {
            put_digits(&mut out[start + at..start + at + NUMBER.len()], number);
        }
        if let Some(at) = self.sequence_at {
            put_digits(&mut out[start + at..start + at + SEQUENCE.len()], sequence);
        }
    }
}

fn put_digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("a remainder of ten is one digit");
        number /= 10;
    }
}

/// `ConnectRequest`. A `session` of 0 asks for a new one; `password` has 16 bytes.
pub(crate) fn connect(timeout_ms: i32, session: i64, password: &[u8]) -> Vec<u8> {
    Frame::bare().int(0).long(0).int(timeout_ms).long(session).buffer(password).boolean(false).finish()
}

/// The big-endian number at `at`.
pub(crate) fn int_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The big-endian number at `at`.
pub(crate) fn long_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_patches_xid_number_and_sequence() {
        let template = Template::new(Call::Delete, "/q/########/s-@@@@@@@@@@");
        let mut out = vec![9];
        template.put(&mut out, 7, 42, 1_234);
        assert_eq!(out[1..], Call::Delete.frame("/q/00000042/s-0000001234").as_slice().with_xid(7));
    }

    #[test]
    fn a_get_has_the_bytes_java_sends() {
        let frame = Call::Get { watch: false }.frame("/a");
        assert_eq!(frame, [0, 0, 0, 15, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, b'/', b'a', 0]);
    }

    #[test]
    fn a_connect_request_has_45_bytes_of_payload() {
        assert_eq!(connect(10_000, 0, &[0; 16]).len(), 4 + 45);
    }

    trait WithXid {
        fn with_xid(&self, xid: i32) -> Vec<u8>;
    }
    impl WithXid for [u8] {
        fn with_xid(&self, xid: i32) -> Vec<u8> {
            let mut frame = self.to_vec();
            frame[4..8].copy_from_slice(&xid.to_be_bytes());
            frame
        }
    }
}
