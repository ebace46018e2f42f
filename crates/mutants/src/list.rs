//! The mistakes: each has the issues of ZooKeeper that it is made after (reliability.md §5), and says what goes wrong.

use core::cell::Cell;

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $name:ident = $issues:literal,)+) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Mutant {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The numbers of the issues it is made after.
            #[must_use]
            pub const fn issues(self) -> &'static str {
                match self {
                    $(Self::$name => $issues,)+
                }
            }
        }
    };
}

std::thread_local! {
    static ON: Cell<Option<Mutant>> = const { Cell::new(None) };
}

/// Whether this mistake is switched on in this thread.
#[must_use]
pub fn is_on(mutant: Mutant) -> bool {
    ON.get() == Some(mutant)
}

/// Switches one mistake on in this thread, and all others off.
pub fn switch(mutant: Option<Mutant>) {
    ON.set(mutant);
}

mutants! {
    // Election.
    /// A member that lost its history votes as if it had none to lose, and wins with another of its kind.
    BlankVotes = "261",
    /// Observers vote for themselves, and voters take it.
    ObserverVotes = "764, 769",
    /// The wait for better votes goes on when one came, and ends with a vote that no quorum has given.
    VoteChangesLate = "3109",
    /// A vote is told once: what is lost with a connection is not told again.
    VotesToldOnce = "1419, 822",
    /// A notification that cannot be read ends the receiver.
    GarbledVoteEnds = "3769",

    // Discovery and synchronization.
    /// An epoch counts as stored when that was ordered: others hear of a promise that a crash forgets.
    EpochToldEarly = "335, 790",
    /// NEWLEADER is acknowledged when the epoch was ordered to be stored, and the history before it may not be on disk.
    NewLeaderAckedEarly = "4785, 3911",
    /// currentEpoch is stored when the synchronization begins, in front of the history that it speaks of.
    EpochBeforeHistory = "4643, 4646",
    /// A leader is established without its own currentEpoch on disk.
    LeadsUnstored = "1081",
    /// What is proposed between NEWLEADER and UPTODATE does not reach the log.
    ProposalLostInSync = "3023",
    /// What is committed between NEWLEADER and UPTODATE is not delivered with UPTODATE.
    CommitLostInSync = "4394",
    /// An observer drops what it is told between its snapshot and UPTODATE.
    ObserverLosesInSync = "1551",
    /// NEWLEADER overtakes the transactions that wait behind a snapshot or behind the log.
    NewLeaderOvertakes = "3104",
    /// What a leader takes from its log and what it takes from memory leave one transaction out between them.
    DiffGap = "2418",
    /// A member's log is offered to learners from zero on, across the hole that a snapshot left in it.
    ZeroIsBound = "4352",
    /// A learner whose last transaction is not in the leader's history keeps it, and is sent what follows.
    TailSurvives = "2832, 1154",
    /// What a learner is brought level with is not among the recent transactions, which seem to hold it.
    HoleInRecent = "4925",
    /// A truncation leaves what was not delivered in memory.
    UncommittedKept = "2845",
    /// A leader's snapshot that was not saved is taken for the history by the next role.
    SnapshotTrusted = "3642",
    /// The next role begins before the log is still, and claims what is in memory.
    RejoinsFromMemory = "4882",
    /// A role that is over still decides.
    OldRoleGoesOn = "4712",
    /// A leader whose disk is stuck goes on: its heartbeats say nothing of it.
    StuckDiskLeads = "2201",
    /// A snapshot on its way to a learner does not extend the time that it has.
    SlowSnapshotCut = "1697",

    // The tree.
    /// The number of a sequential znode comes from the applied tree, whatever is on its way.
    SequenceRepeats = "1046, 3249",
    /// The deletion of a child leaves its parent's pzxid as it is.
    PzxidStale = "3145, 3125",
    /// After a snapshot was loaded, ids of access control lists are given again.
    AclIdAgain = "3306",
    /// A name that no znode can have is written to the log.
    PoisonInLog = "2213",
    /// Quotas do not count what is on its way.
    QuotaPassed = "2559, 4219",
    /// A picture of the tree has effects of what was applied while it was taken.
    FuzzySnapshot = "3127, 3144",
    /// The newest session is missing in a picture of the tree.
    SessionsOlder = "3144",

    // Sessions and watches.
    /// A session that is being closed may still create.
    CreateAfterClose = "1208, 2926",
    /// The end of a session passes over ephemerals that were on their way.
    OrphanLeft = "2355, 5010",
    /// A new leader does not know the sessions, and lets none of them expire.
    SessionsForgotten = "4837",
    /// Session ids start from the time since the machine was started, and nobody remembers which were given.
    IdsRepeat = "3113",
    /// A change of data while a client was elsewhere is not told when it leaves its watches again.
    ChangeMissed = "1412, 1667",
    /// A lasting watch goes with a one-shot watch on the same path.
    ModesMixed = "4475",
    /// A read is answered before the write in front of it.
    ReadOvertakes = "1863",

    // Storage.
    /// A truncation leaves the end of the file that it cuts.
    TailNotCut = "1489",
    /// A leader's snapshot takes the place of the history before it is durable.
    SnapshotNotSynced = "2872",
    /// A snapshot that could not be written to its end gets its name all the same.
    SnapshotUnfinished = "3082",
    /// A log file has its name before its header is on disk, and a file without a header ends the start.
    HalfHeader = "2332",
    /// The name of a replaced epoch file is not durable.
    RenameNotSynced = "2307",
    /// A crash between a history and its epoch ends every later start.
    HistoryNotAdopted = "4269, 1653",
    /// A purge removes the log file in which the oldest snapshot that is kept begins.
    PurgeTakesLog = "2574",

    // The driver, which is the simulator's own.
    /// Epochs are said to be stored and are not.
    EpochForgotten = "335",
    /// currentEpoch is stored before what stands in front of it in the disk's line.
    EpochFirst = "4643, 4646",
    /// A batch is said to be durable before it is written.
    PersistedEarly = "4785",
    /// A batch is said to be durable and never written.
    NeverWritten = "4785",
    /// A batch is written and not synced.
    NeverSynced = "2872",
    /// A log that fails is written on.
    ErrorIgnored = "2247",
    /// The log ends with its first error, and the member lives on.
    LogDies = "2247, 2201, 4203",
    /// A truncation does nothing.
    TruncateIgnored = "3701",
    /// The tree keeps what a truncation took from the log.
    TreeKept = "2845, 4712",
    /// A snapshot of a leader is never stored.
    NeverInstalled = "3104, 3642",
    /// A snapshot has the name of what the log holds, and the content of what was applied.
    NewerName = "582",
    /// A snapshot counts before the log leads there: a crash leaves a hole that only this snapshot covers.
    SnapshotAheadOfLog = "4882",
    /// The wall clock is handed in for the monotonic one.
    WallForMonotonic = "1366",
}
