//! `docs/config.md` is printed from the table of keys; `UPDATE=1` rewrites it.

use std::{env, fs};

use server::config::keys::{Asks, Class, InEnsemble, KEYS, Key, Treatment};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.md");

const HEAD: &str = "\
# Configuration keys

Every key ZooKeeper 3.9.5 knows and what this server does with it. Printed from the table in
`crates/server/src/config/keys.rs`; the test `config_document` compares (`UPDATE=1` rewrites).

Where a key is given:

* **file**: in the configuration file only.
* **file, -Dzookeeper.**: in the file, or as the option `-Dzookeeper.<key>=<value>`; the file wins.
* **-D**: as the option `-D<key>=<value>` only; in the file it has no effect, as in Java, and a warning says so.

`-D` options are read from the command line and from `SERVER_JVMFLAGS` and `JVMFLAGS`. Without a configuration file the
variables of the official image stand for one: `ZOO_DATA_DIR`, `ZOO_DATA_LOG_DIR`, `ZOO_TICK_TIME`, `ZOO_INIT_LIMIT`,
`ZOO_SYNC_LIMIT`, `ZOO_MAX_CLIENT_CNXNS`, `ZOO_STANDALONE_ENABLED`, `ZOO_ADMINSERVER_ENABLED`,
`ZOO_AUTOPURGE_PURGEINTERVAL`, `ZOO_AUTOPURGE_SNAPRETAINCOUNT`, `ZOO_4LW_COMMANDS_WHITELIST`, `ZOO_SERVERS`,
`ZOO_CFG_EXTRA`, `ZOO_MY_ID`. With none of them set, `conf/default.cfg`, which is part of the program, is used.

A bad value of a **file** key stops the start with exit code 2; any other bad value is replaced by the default, as in
Java, and a warning says so. An unknown key is accepted with a warning.

| Key | Given in | Default | Here |
|---|---|---|---|
";

const ALONE: &str = "of no use to a standalone server, in Java neither";

fn refused(asks: Asks) -> &'static str {
    match asks {
        Asks::Always => "refused",
        Asks::True => "`true` is refused",
        Asks::False => "`false` is refused",
        Asks::Positive => "a number above 0 is refused",
        Asks::UnlessFalse => "anything but `false` is refused",
        Asks::Sometimes => "some values are refused",
    }
}

fn row(key: &Key) -> String {
    let class = match key.class {
        Class::File => "file",
        Class::Both => "file, -Dzookeeper.",
        Class::Property => "-D",
    };
    let treatment = match key.treatment {
        Treatment::Works => "works".to_owned(),
        Treatment::Ensemble(InEnsemble::Works) => format!("works; {ALONE}"),
        Treatment::Ensemble(InEnsemble::Harmless(why)) => format!("no effect: {why}; {ALONE}"),
        Treatment::Ensemble(InEnsemble::Refused { asks, cure }) => {
            format!("{} in an ensemble: {cure}; {ALONE}", refused(asks))
        }
        Treatment::Standalone { asks, cure } => {
            format!("works on a standalone server; {} in an ensemble: {cure}", refused(asks))
        }
        Treatment::Harmless(why) => format!("no effect: {why}"),
        Treatment::Renamed(effective) => format!("no effect, in Java neither: the key is `{effective}`"),
        Treatment::Refused { asks, cure } => format!("{}: {cure}", refused(asks)),
    };
    let name = key.name.replace('*', "\\*");
    let name = if name == key.name { format!("`{name}`") } else { name };
    format!("| {name} | {class} | {} | {treatment} |", key.default)
}

#[test]
fn the_document_lists_every_key_and_its_treatment() {
    let mut printed = HEAD.to_owned();
    for key in KEYS {
        printed += &row(key);
        printed.push('\n');
    }
    if env::var_os("UPDATE").is_some() {
        fs::write(PATH, &printed).expect("the folder docs can be written");
    }
    let document = fs::read_to_string(PATH).unwrap_or_default();
    assert!(
        document == printed,
        "docs/config.md is not what the table says; run with UPDATE=1 and look at the diff"
    );
}
