//! The kinds of faults.

/// A kind of fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Kill,
    Power,
    Blackout,
    Pause,
    Partition,
    OneWay,
    Pair,
    OneClass,
    Leader,
    Reset,
    SlowDisk,
    SickDisk,
    FullDisk,
    WallJump,
    ClockRate,
    LateNet,
    Bits,
    Wipe,
    SmallWindow,
    KillMany,
    Accents,
    Rot,
    LostWrite,
    LongWay,
    Cut,
}

/// All of them.
pub(super) const KINDS: [Kind; 25] = [
    Kind::Kill,
    Kind::Power,
    Kind::Blackout,
    Kind::Pause,
    Kind::Partition,
    Kind::OneWay,
    Kind::Pair,
    Kind::OneClass,
    Kind::Leader,
    Kind::Reset,
    Kind::SlowDisk,
    Kind::SickDisk,
    Kind::FullDisk,
    Kind::WallJump,
    Kind::ClockRate,
    Kind::LateNet,
    Kind::Bits,
    Kind::Wipe,
    Kind::SmallWindow,
    Kind::KillMany,
    Kind::Accents,
    Kind::Rot,
    Kind::LostWrite,
    Kind::LongWay,
    Kind::Cut,
];

impl Kind {
    /// What a report calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Power => "power loss",
            Self::Blackout => "blackout",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::OneWay => "one-way partition",
            Self::Pair => "partial partition",
            Self::OneClass => "partition of one port",
            Self::Leader => "leader isolated",
            Self::Reset => "reset",
            Self::SlowDisk => "slow disk",
            Self::SickDisk => "disk error",
            Self::FullDisk => "disk full",
            Self::WallJump => "wall clock steps",
            Self::ClockRate => "clock drifts",
            Self::LateNet => "late packets",
            Self::Bits => "reads in bits",
            Self::Wipe => "disk lost",
            Self::SmallWindow => "small windows",
            Self::KillMany => "all killed",
            Self::Accents => "as Java's members",
            Self::Rot => "flipped bit",
            Self::LostWrite => "lost or misdirected write",
            Self::LongWay => "longer way",
            Self::Cut => "lines cut",
        }
    }

    /// Whether it may end a role, or a connection between members.
    pub(super) fn cuts(self) -> bool {
        match self {
            Self::Kill
            | Self::Power
            | Self::Pause
            | Self::OneWay
            | Self::Pair
            | Self::OneClass
            | Self::Leader
            | Self::Reset
            | Self::SickDisk
            | Self::Cut
            | Self::Wipe => true,
            Self::Blackout
            | Self::Partition
            | Self::SlowDisk
            | Self::FullDisk
            | Self::WallJump
            | Self::ClockRate
            | Self::LateNet
            | Self::Bits
            | Self::SmallWindow
            | Self::KillMany
            | Self::Accents
            | Self::Rot
            | Self::LostWrite
            | Self::LongWay => false,
        }
    }

    /// Whether it concerns one machine.
    pub(super) fn is_of_one(self) -> bool {
        match self {
            Self::Kill
            | Self::Power
            | Self::Pause
            | Self::OneWay
            | Self::Pair
            | Self::OneClass
            | Self::Leader
            | Self::SlowDisk
            | Self::SickDisk
            | Self::FullDisk
            | Self::WallJump
            | Self::ClockRate
            | Self::Wipe
            | Self::Rot
            | Self::LostWrite
            | Self::LongWay
            | Self::Cut => true,
            Self::Blackout
            | Self::Partition
            | Self::Reset
            | Self::LateNet
            | Self::Bits
            | Self::SmallWindow
            | Self::KillMany
            | Self::Accents => false,
        }
    }
}
