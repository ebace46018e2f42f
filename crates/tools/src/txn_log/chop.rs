//! The part of a log up to a zxid, as a file of its own.
//!
//! Source: `TxnLogToolkit#chop`, `server.util.LogChopper`. All trouble is told on standard output and is no failure.

use std::fs::File;
use std::io::{BufWriter, Write};

use proto::{Entry, Reader, Zxid};

use super::Log;
use super::entry::{Header, RawEntry, has_end, put};
use crate::failure::{Thrown, reason};
use crate::java::path;
use crate::out::Out;
use crate::properties::Properties;

/// Writes `FILE.chopped<zxid>`.
pub(super) fn chop(mut log: Log, file: &str, zxid: i64, properties: &Properties, out: &mut Out) {
    let target = format!("{file}.chopped{zxid}");
    let chopped = match File::create(&target) {
        Ok(target) => {
            let mut target = BufWriter::new(target);
            let chopped = copy(&mut log, &mut target, Zxid(zxid), properties.length_max, out);
            chopped.and_then(|done| target.flush().map(|()| done).map_err(|error| Thrown::io(reason(&error))))
        }
        Err(error) => Err(Thrown::open(&target, &error)),
    };
    match chopped {
        Ok(true) => {}
        Ok(false) => {
            out.line(format_args!("Got exception: Failed to chop {}", path::name(file)));
        }
        Err(thrown) => out.line(format_args!("Got exception: {}", thrown.message())),
    }
}

/// Copies the entries up to `zxid`; `false` if they are not there to be chopped.
#[expect(clippy::print_stderr, reason = "the one thing that the original tells there")]
fn copy(
    log: &mut Log,
    target: &mut impl Write,
    zxid: Zxid,
    length_max: i32,
    out: &mut Out,
) -> Result<bool, Thrown> {
    let header = Header::read(log)?;
    if !header.is_log() {
        eprintln!("Invalid magic number in txn log file");
        return Ok(false);
    }
    out.line(format_args!(
        "ZooKeeper Transactional Log File with dbid {} txnlog format version {}",
        header.dbid, header.version
    ));
    let failed = |error: std::io::Error| Thrown::io(reason(&error));
    target.write_all(&header.bytes()).map_err(failed)?;
    let mut entry = RawEntry { checksum: 0, payload: Vec::new(), offset: 0 };
    let (mut count, mut found, mut previous) = (0_u64, false, None);
    let mut framed = Vec::new();
    while entry.read(log)? {
        let computed = entry.computed();
        if entry.checksum != computed {
            return Err(Thrown::io(format!("CRC doesn't match {} vs {computed}", entry.checksum)));
        }
        let here =
            Entry::read(Reader::with_length_max(&entry.payload, length_max)).map_err(Thrown::decode)?;
        let here = here.header.zxid;
        if !has_end(log)? {
            out.text("Last transaction was partial.\n");
            return Err(Thrown::new("java.io.EOFException", "Last transaction was partial."));
        }
        found |= here == zxid;
        if let Some(previous) = previous {
            tell_gap(previous, here, out);
        }
        previous = Some(here);
        if here > zxid {
            if count == 0 || !found {
                out.line(format_args!("This log does not contain zxid {:x}", zxid.0));
                return Ok(false);
            }
            out.line(format_args!("Chopping at {:x} new log has {count} records", zxid.0));
            return Ok(true);
        }
        framed.clear();
        put(&mut framed, entry.checksum, &entry.payload);
        target.write_all(&framed).map_err(failed)?;
        count += 1;
    }
    // Nothing came behind the zxid, so nothing was chopped off.
    out.line(format_args!("EOF reached after {count} txns."));
    Ok(false)
}

/// Says that zxids are missing between two entries.
fn tell_gap(previous: Zxid, here: Zxid, out: &mut Out) {
    if here.0 == previous.0.wrapping_add(1) {
        return;
    }
    // Half of a zxid each, as the original takes it apart.
    let (epoch, counter) = (here.0 >> 32, here.0 & 0xffff_ffff);
    if epoch == previous.0 >> 32 {
        out.line(format_args!("There is intra-epoch gap between {:x} and {:x}", previous.0, here.0));
    } else if counter != 1 {
        out.line(format_args!("There is inter-epoch gap between {:x} and {:x}", previous.0, here.0));
    }
}
