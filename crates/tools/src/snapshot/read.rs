//! The records of a snapshot: sessions, access control lists, nodes. What stands behind them is not looked at.
//!
//! Source: `FileSnap#deserialize`, `SerializeUtils#deserializeSnapshot`, `DataTree#deserialize`.

use std::io::Read;

use proto::{Reader, StatPersisted};

use crate::archive::Archive;
use crate::failure::Thrown;

/// `ZKSN`.
const MAGIC: i32 = 0x5a4b_534e;
/// The bytes of a node's stat.
const STAT_LEN: usize = 60;
/// The path that ends the nodes.
const END: &str = "/";

/// Takes the records, in their order.
pub(super) trait Sink {
    /// A session and its timeout.
    fn session(&mut self, id: i64, timeout_ms: i32);

    /// A node. The root's path is empty.
    fn node(&mut self, path: String, data: &[u8], stat: StatPersisted) -> Result<(), Thrown>;
}

/// Reads up to the end of the nodes.
pub(super) fn read<R: Read>(archive: &mut Archive<R>, sink: &mut impl Sink) -> Result<(), Thrown> {
    let (magic, _version, _dbid) = (archive.int()?, archive.int()?, archive.long()?);
    if magic != MAGIC {
        return Err(Thrown::io(format!("mismatching magic headers {magic} !=  {MAGIC}")));
    }
    for _ in 0..archive.int()? {
        let (id, timeout_ms) = (archive.long()?, archive.int()?);
        sink.session(id, timeout_ms);
    }
    for _ in 0..archive.int()? {
        pass_acl_list(archive)?;
    }
    let mut data = Vec::new();
    loop {
        let path = archive.text()?.ok_or_else(Thrown::null)?;
        if path == END {
            return Ok(());
        }
        archive.buffer(&mut data)?;
        let _acl = archive.long()?;
        let stat: [u8; STAT_LEN] = archive.array()?;
        let stat = Reader::new(&stat).take().expect("a stat has as many bytes");
        sink.node(path, &data, stat)?;
    }
}

/// An id, and a list of permissions with whom they are given to.
fn pass_acl_list<R: Read>(archive: &mut Archive<R>) -> Result<(), Thrown> {
    let _id = archive.long()?;
    match archive.int()? {
        -1 => Err(Thrown::new(
            "java.lang.RuntimeException",
            "Incorrent format of InputArchive when deserialize DataTree - missing acls",
        )),
        entries => {
            let mut complete = true;
            for _ in 0..entries {
                let _perms = archive.int()?;
                let (scheme, id) = (archive.text()?, archive.text()?);
                complete &= scheme.is_some() && id.is_some();
            }
            // The original looks the whole list up by its hash, and `Id#hashCode` takes no null.
            if complete { Ok(()) } else { Err(Thrown::null()) }
        }
    }
}
