//! What a member of an ensemble asks of its driver, and what the driver answers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use proto::{Epoch, Zxid};
use tree::Tree;
pub use zab::LinkId;

/// Which of the two ports of a member a link belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Port {
    /// Votes. Open as long as the process lives.
    Election,
    /// Learners and their leader. Open only while this member leads.
    Quorum,
}

/// Where to call. The name is resolved anew for each call (R14).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// A name or an address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Something to do outside. Carried out in the order given.
#[derive(Debug)]
pub enum Order {
    /// Call one of these addresses, then tell `link_opened` or `link_lost`.
    Dial {
        /// What the connection will be called.
        link: LinkId,
        /// What is called.
        port: Port,
        /// Any of them will do.
        addresses: Vec<Address>,
        /// How long a connection may take to come about, in milliseconds.
        timeout_ms: u64,
    },
    /// Send what is in its output if `flush`, then close. The member has forgotten the link already: nothing more is
    /// told of it.
    Close {
        /// Which.
        link: LinkId,
    },
    /// Begin or end to listen on the quorum port. Failing to bind it is told with `quorum_port_failed`.
    Listen(bool),
    /// A leader's snapshot comes in, and may go to a file meanwhile.
    Receive(Incoming),
    /// Something to be done by the thread that owns the files, in order with the batches of `take_batch` that were
    /// taken before. Its end is told with `on_disk`.
    Disk(DiskJob),
    /// The process has to end.
    Halt(Halt),
}

/// A leader's snapshot on its way to a file, where it counts for nothing before [`DiskJob::Install`].
///
/// Nobody has to write it: the tree that it becomes can be written later. Whoever begins writes all of it or gives it up.
#[derive(Debug)]
pub enum Incoming {
    /// One begins. Any before it is given up.
    Begin {
        /// Its last transaction.
        zxid: Zxid,
    },
    /// The next bytes, as [`SnapshotWriter::receive`](store::snapshot::SnapshotWriter::receive) takes them. With
    /// [`Member::snapshot_bytes_written`](crate::Member::snapshot_bytes_written) they are given back.
    Bytes(Vec<u8>),
    /// It does not come to its end, or it is no longer waited for until it is written.
    GivenUp,
}

/// One of the two files of epochs. Source: `QuorumPeer#setAcceptedEpoch`, `#setCurrentEpoch`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EpochFile {
    /// What was promised to a leader to be.
    Accepted,
    /// Whose history this is.
    Current,
}

/// Work on files beside the log's batches. A failure ends the process (R6).
#[derive(Debug)]
pub enum DiskJob {
    /// Replace an epoch file, durably.
    StoreEpoch(EpochFile, Epoch),
    /// Cut the log behind `to`, and set aside what shows more. With `reload` the tree of what is left is read back.
    Truncate {
        /// The last transaction to keep.
        to: Zxid,
        /// Whether the tree in memory has more than `to`.
        reload: bool,
        /// The last transaction known to be committed. Where that would be cut, nothing is, and `Done::NotTruncated`
        /// says so.
        committed: Zxid,
    },
    /// The tree in memory came from the leader: make it this member's durable state instead of what the files hold.
    /// The log goes on behind it. The tree is that of `Core::tree`, at its `last_zxid`, and does not change meanwhile.
    Install {
        /// What [`Incoming`] brought last is whole and of this tree, its digest excepted.
        is_received: bool,
    },
    /// Read transactions behind `after` up to `upto` from the log for a learner, in pieces: `Done::LogRead` tells one,
    /// and `ReadLog` with a later `after` asks for the next.
    ReadLog {
        /// Whom it is for.
        link: LinkId,
        /// What the learner has.
        after: Zxid,
        /// What the memory goes on behind; the log holds it durably.
        upto: Zxid,
    },
}

/// The end of a [`DiskJob`].
#[derive(Debug)]
pub enum Done {
    /// The file is durable.
    EpochStored(EpochFile, Epoch),
    /// The log does not hold `to`, or committed transactions behind it, so that it cannot be cut there. Nothing was
    /// changed.
    NotTruncated {
        /// As asked.
        to: Zxid,
    },
    /// The log ends with `to`.
    Truncated {
        /// As asked.
        to: Zxid,
        /// What is left, if that was asked for.
        tree: Option<Box<Tree>>,
    },
    /// The snapshot is durable and the log goes on behind it.
    Installed,
    /// A piece of the log, in order and without a hole.
    LogRead {
        /// Whom it is for.
        link: LinkId,
        /// The transactions; `None` if the log does not lead from `after` to `upto` without a hole, or is too large
        /// for `snapshotSizeFactor`: the learner needs a snapshot. Empty: `upto` is reached.
        piece: Option<Vec<(Zxid, Vec<u8>)>>,
    },
}

/// Why a member cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Halt {
    /// The files cannot be brought back to what this member said they hold.
    #[error(
        "the log does not hold {zxid}, up to which it was written; keep the data directory for an analysis"
    )]
    LogLost {
        /// What is missing.
        zxid: Zxid,
    },
    /// The tree differs from the leader's again after it was replaced (R9).
    #[error(
        "after {zxid} the tree differs from the leader's once more, though it was replaced by the leader's before; \
         keep the data directory for an analysis, and start this member with an empty one"
    )]
    TreeDiffers {
        /// The transaction after which it was seen.
        zxid: Zxid,
    },
}
