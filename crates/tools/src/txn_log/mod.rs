//! `zkTxnLogToolkit.sh`: shows, repairs or chops a transaction log.
//!
//! Source: `server.persistence.TxnLogToolkit`.

mod chop;
mod dump;
mod entry;
mod recovery;
mod text;

use std::fs::File;
use std::io::BufReader;

use crate::archive::Archive;
use crate::failure::{Failure, Thrown};
use crate::java::path;
use crate::options::{self, Known};
use crate::out::Out;
use crate::properties::{self, Properties};

const OPTIONS: [Known; 7] = [
    Known::flag('h', "help"),
    Known::flag('r', "recover"),
    Known::flag('v', "verbose"),
    Known::flag('d', "dump"),
    Known::flag('y', "yes"),
    Known::flag('c', "chop"),
    Known::value('z', "zxid"),
];

const HELP: &str = "\
usage: TxnLogToolkit [-dhrvc] <txn_log_file_name> (-z <zxid>)
 -c,--chop         Chop mode. Chop txn file to a zxid.
 -d,--dump         Dump mode. Dump all entries of the log file with printing the content of a nodepath (default)
 -h,--help         Print help message
 -r,--recover      Recovery mode. Re-calculate CRC for broken entries.
 -v,--verbose      Be verbose in recovery mode: print all entries, not just fixed ones.
 -y,--yes          Non-interactive mode: repair all CRC errors without asking
 -z,--zxid <arg>   Used with chop. Zxid to which to chop.
";

/// What is read of the file in one go.
const READ_BYTES: usize = 256 << 10;

/// The log that is read.
type Log = Archive<BufReader<File>>;

/// Runs the tool and gives its exit code.
pub(crate) fn run(words: &[String], properties: &Properties, out: &mut Out) -> Result<u8, Failure> {
    let given = match options::parse(&OPTIONS, words) {
        Ok(given) => given,
        Err(complaint) => {
            out.text(HELP);
            return Err(Failure::told(1, format!("{complaint}\n")));
        }
    };
    let Some(file) = given.words.first().filter(|_| !given.has('h')) else {
        out.text(HELP);
        return Ok(u8::from(!given.has('h')));
    };
    let file = path::normalized(file);
    let log = open(&file, properties)?;
    match given.value('z').filter(|_| given.has('c')) {
        Some(zxid) => {
            let zxid = properties::decode(zxid).ok_or_else(|| not_a_number(zxid))?;
            // The original takes a negative zxid for "not chopping" and then trips over that.
            if zxid < 0 {
                return Err(Thrown::null().at(|| format!("zxid {zxid}, which no transaction has")).into());
            }
            chop::chop(log, &file, zxid, properties, out);
        }
        None => {
            let recovery = match given.has('r') {
                true => Some(recovery::Recovery::start(&file, given.has('y'), properties)?),
                false => None,
            };
            dump::Dump::new(&file, properties, given.has('v')).run(log, recovery, out)?;
        }
    }
    Ok(0)
}

fn open(file: &str, properties: &Properties) -> Result<Log, Failure> {
    let Ok(log) = File::open(file) else {
        return Err(Failure::told(1, format!("File doesn't exist or not readable: {file}")));
    };
    if log.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Thrown::new("java.io.FileNotFoundException", format!("{file} (Is a directory)")).into());
    }
    Ok(Archive::new(BufReader::with_capacity(READ_BYTES, log), properties.length_max))
}

/// Source: `Long#decode`.
fn not_a_number(text: &str) -> Thrown {
    match text {
        "" => Thrown::new("java.lang.NumberFormatException", "Zero length string"),
        text => Thrown::number(text),
    }
}
