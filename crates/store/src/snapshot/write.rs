//! Writing a snapshot: a stream of chunks into a file that exists under its name only once it is durable.

use alloc::string::String;
use alloc::vec::Vec;

use mutants::mutant;
use proto::wire::length_of;
use proto::{Encode, Zxid};
use simd_adler32::Adler32;

use super::codec::{Compression, Encoder};
use super::format::{self, SLASH, SnapshotDigest};
use crate::dirs::Dirs;
use crate::disk::{self, Disk, DiskError, DiskFile};
use crate::names;
use crate::recover::Note;
use crate::truncate::Truncation;

/// How a snapshot is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct SnapshotOptions {
    /// `snapshot.compression.method`.
    pub compression: Compression,
}

/// So much is handed to the system in one write.
const WRITE_BYTES: usize = 1 << 20;
/// After so much the file is synced, so that a sync of the log never has to wait for a whole snapshot
/// (performance.md §4.6).
const SYNC_BYTES: u64 = 4 << 20;

/// A snapshot on its way to disk.
///
/// The caller pushes records made by [`put_session`](super::put_session), then calls
/// [`start_acls`](Self::start_acls) and pushes those of [`put_acl`](super::put_acl), then those of
/// [`put_node`](super::put_node), in chunks of any size. If it is dropped unfinished, a file with the end `.tmp`
/// stays until the next start; [`abandon`](Self::abandon) removes it at once.
pub struct SnapshotWriter<D: Disk> {
    disk: D,
    dir: String,
    zxid: Zxid,
    compression: Compression,
    name: String,
    file: D::File,
    encoder: Encoder,
    adler: Adler32,
    /// For the file, not yet written.
    out: Vec<u8>,
    written: u64,
    synced: u64,
    small: Vec<u8>,
}

/// A snapshot that took the place of a history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installed {
    /// Its file's name.
    pub name: String,
    /// Its file's size in bytes.
    pub bytes: u64,
    /// What of the old history was removed and cut.
    pub notes: Vec<Note>,
}

impl<D: Disk> SnapshotWriter<D> {
    /// Starts a snapshot of the tree as it was behind `zxid`, from which its file has its name.
    ///
    /// * `sessions`: how many sessions will be pushed.
    ///
    /// # Errors
    /// As the disk gives them; nothing is left behind.
    ///
    /// # Panics
    /// If there are more than `i32::MAX` sessions.
    pub fn create(
        disk: D,
        dir: &str,
        zxid: Zxid,
        options: SnapshotOptions,
        sessions: usize,
    ) -> Result<Self, DiskError> {
        let mut writer = Self::receive(disk, dir, zxid, options)?;
        writer.push_small(|out| length_of(sessions).encode(out))?;
        Ok(writer)
    }

    /// Starts a snapshot whose records come from a leader's stream: what is pushed are the bytes of that stream, up to
    /// [`STREAM_END_BYTES`](super::STREAM_END_BYTES) before its end.
    ///
    /// # Errors
    /// As the disk gives them; nothing is left behind.
    pub fn receive(disk: D, dir: &str, zxid: Zxid, options: SnapshotOptions) -> Result<Self, DiskError> {
        let name = names::snapshot_name(zxid, options.compression);
        let temporary = names::temporary(&disk::join(dir, &name));
        disk::remove_if_there(&disk, &temporary)?;
        let file = disk.create(&temporary)?;
        let mut out = Vec::with_capacity(WRITE_BYTES + WRITE_BYTES / 4);
        let encoder = Encoder::new(options.compression, &mut out);
        let mut writer = Self {
            disk,
            dir: dir.into(),
            zxid,
            compression: options.compression,
            name,
            file,
            encoder,
            adler: Adler32::new(),
            out,
            written: 0,
            synced: 0,
            small: Vec::new(),
        };
        writer.push_small(format::put_header)?;
        Ok(writer)
    }

    /// Ends the sessions; `acls` access control lists follow.
    ///
    /// # Errors
    /// As the disk gives them.
    ///
    /// # Panics
    /// If there are more than `i32::MAX`.
    pub fn start_acls(&mut self, acls: usize) -> Result<(), DiskError> {
        self.push_small(|out| length_of(acls).encode(out))
    }

    /// Adds encoded records.
    ///
    /// # Errors
    /// As the disk gives them; the snapshot is then to be abandoned.
    pub fn push(&mut self, encoded: &[u8]) -> Result<(), DiskError> {
        self.adler.write(encoded);
        self.encoder.push(encoded, &mut self.out);
        if self.out.len() >= WRITE_BYTES { self.write_out() } else { Ok(()) }
    }

    /// Seals the snapshot, makes it durable and gives it its name, which is returned with its size in bytes.
    ///
    /// * `digest`: of the tree as written; `None` if digests are switched off.
    /// * `last`: the last transaction in it; `None` if `serializeLastProcessedZxid` is switched off.
    ///
    /// # Errors
    /// As the disk gives them; then there is no such snapshot, and what was written is removed if possible.
    pub fn finish(
        mut self,
        digest: Option<SnapshotDigest>,
        last: Option<Zxid>,
    ) -> Result<(String, u64), DiskError> {
        let mut sealed = self.seal_all(digest, last);
        if mutant!(SnapshotUnfinished) {
            sealed = Ok(());
        }
        let result = sealed.and_then(|()| self.give_name());
        match result {
            Ok(()) => Ok((self.name, self.written)),
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Seals a snapshot that a leader sent, makes it durable, and puts it in the place of the history in `dirs`: what is
    /// there of a later zxid is of another history and goes, what is older stays and is not looked at any more.
    ///
    /// A power failure leaves the old history or the new one. As for [`truncate`](crate::truncate()) the directories are
    /// the caller's alone. A [`LogWriter`](crate::log::LogWriter) behind the snapshot's zxid goes on afterwards.
    ///
    /// * `digest`, `last`: as for [`finish`](Self::finish).
    ///
    /// # Errors
    /// As the disk gives them. [`DiskError::NoSpace`] leaves everything as it was; with any other the process has to
    /// end, and the next start finishes what was begun.
    ///
    /// # Panics
    /// If the writer was not created in `dirs.snap`.
    ///
    /// Source: `Learner#syncWithLeader`; quorum-protocol.md §3.8, ZOOKEEPER-2872, ZOOKEEPER-3642.
    pub fn install(
        mut self,
        dirs: &Dirs,
        digest: Option<SnapshotDigest>,
        last: Option<Zxid>,
    ) -> Result<Installed, DiskError> {
        assert!(self.dir == dirs.snap, "a snapshot is installed where it was written");
        let decided = self.seal_all(digest, last).and_then(|()| self.decide(dirs));
        match decided {
            Ok(decision) => {
                let notes = decision.carry_out(&self.disk, dirs)?;
                Ok(Installed { name: self.name, bytes: self.written, notes })
            }
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Makes the snapshot durable under its temporary name, and then the decision that it counts.
    fn decide(&mut self, dirs: &Dirs) -> Result<Truncation, DiskError> {
        if !mutant!(SnapshotNotSynced) {
            self.file.sync()?;
        }
        self.disk.sync_dir(&self.dir)?;
        let decision = Truncation::before(&self.disk, dirs, self.zxid, self.compression)?;
        decision.decide(&self.disk, dirs)?;
        Ok(decision)
    }

    /// Gives the snapshot up and removes what was written, if the disk allows.
    pub fn abandon(self) {
        // Nobody needs the file and the next start removes it, so there is nothing to tell.
        let _ = self.disk.remove(&self.temporary());
    }

    fn seal_all(&mut self, digest: Option<SnapshotDigest>, last: Option<Zxid>) -> Result<(), DiskError> {
        self.push(SLASH)?;
        self.seal()?;
        if let Some(SnapshotDigest { zxid, version, digest }) = digest {
            self.push_small(|out| {
                zxid.encode(out);
                version.encode(out);
                digest.encode(out);
            })?;
            self.seal()?;
        }
        if let Some(last) = last {
            self.push_small(|out| last.encode(out))?;
            self.seal()?;
        }
        self.encoder.finish(&mut self.out);
        self.write_out()
    }

    /// The checksum over everything before, earlier seals included. Source: `SnapStream#sealStream`.
    fn seal(&mut self) -> Result<(), DiskError> {
        let checksum = i64::from(self.adler.finish());
        self.push_small(|out| {
            checksum.encode(out);
            out.extend_from_slice(SLASH);
        })
    }

    fn give_name(&mut self) -> Result<(), DiskError> {
        self.file.sync()?;
        self.disk.rename(&self.temporary(), &disk::join(&self.dir, &self.name))?;
        self.disk.sync_dir(&self.dir)
    }

    fn temporary(&self) -> String {
        names::temporary(&disk::join(&self.dir, &self.name))
    }

    fn push_small(&mut self, put: impl FnOnce(&mut Vec<u8>)) -> Result<(), DiskError> {
        let mut small = core::mem::take(&mut self.small);
        small.clear();
        put(&mut small);
        let result = self.push(&small);
        self.small = small;
        result
    }

    fn write_out(&mut self) -> Result<(), DiskError> {
        self.file.write_at(&self.out, self.written)?;
        self.written += self.out.len() as u64;
        self.out.clear();
        if self.written - self.synced >= SYNC_BYTES {
            self.file.datasync()?;
            self.synced = self.written;
        }
        Ok(())
    }
}
