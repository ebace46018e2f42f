//! All commands. Source: `CommandFactory.Command`, and the constructors of `org.apache.zookeeper.cli`.

use super::{Command, acl, ensemble, quota, session, watch, znode};
use crate::beyond;
use crate::options::{Choice, Opt, flag, value};

/// A command of the original's whose usage lists no options.
const PLAIN: Command = Command {
    name: "",
    usage: "",
    options: &[],
    listed: 0,
    choice: Choice::Free,
    run: session::version,
    ours: None,
};

const DATA_FROM_FILE: Opt = value("f", "Take the data from this file, or from standard input for -");

/// All commands.
pub(crate) static COMMANDS: &[Command] = &[
    Command { name: "close", choice: Choice::Ignored, run: session::close, ..PLAIN },
    Command {
        name: "create",
        usage: "[-s] [-e] [-c] [-t ttl] path [data] [acl]",
        options: &[
            flag("e", "ephemeral"),
            flag("s", "sequential"),
            flag("c", "container"),
            value("t", "ttl"),
            DATA_FROM_FILE,
        ],
        run: znode::create,
        ..PLAIN
    },
    Command {
        name: "delete",
        usage: "[-v version] path",
        options: &[value("v", "version")],
        run: znode::delete,
        ..PLAIN
    },
    Command {
        name: "deleteall",
        usage: "path [-b batch size]",
        options: &[value("b", "batch size")],
        run: znode::delete_all,
        ..PLAIN
    },
    Command {
        name: "set",
        usage: "path data [-s] [-v version] [-b]",
        options: &[
            flag("s", "Print znode stats additionally"),
            value("v", "Set with an expected version"),
            flag("b", "Supply data in base64 format"),
            DATA_FROM_FILE,
        ],
        listed: 3,
        run: znode::set,
        ..PLAIN
    },
    Command {
        name: "get",
        usage: "[-s] [-w] [-b] [-x] path",
        options: &[
            flag("s", "Print znode stats additionally"),
            flag("w", "Watch for changes on the znode"),
            flag("b", "Output data in base64 format"),
            flag("x", "Output data in hexdump format"),
        ],
        listed: 4,
        run: znode::get,
        ..PLAIN
    },
    Command {
        name: "ls",
        usage: "[-s] [-w] [-R] path",
        options: &[flag("?", "help"), flag("s", "stat"), flag("w", "watch"), flag("R", "recurse")],
        run: znode::ls,
        ..PLAIN
    },
    Command {
        name: "getAcl",
        usage: "[-s] path",
        options: &[flag("s", "stats")],
        run: acl::get_acl,
        ..PLAIN
    },
    Command {
        name: "setAcl",
        usage: "[-s] [-v version] [-R] path acl",
        options: &[flag("s", "stats"), value("v", "version"), flag("R", "recursive")],
        run: acl::set_acl,
        ..PLAIN
    },
    Command { name: "stat", usage: "[-w] path", options: &[flag("w", "watch")], run: znode::stat, ..PLAIN },
    Command { name: "sync", usage: "path", run: ensemble::sync, ..PLAIN },
    Command {
        name: "setquota",
        usage: "-n|-b|-N|-B val path",
        options: &[
            value("n", "num soft quota"),
            value("b", "bytes soft quota"),
            value("N", "num hard quota"),
            value("B", "bytes hard quota"),
        ],
        choice: Choice::One,
        run: quota::set_quota,
        ..PLAIN
    },
    Command { name: "listquota", usage: "path", run: quota::list_quota, ..PLAIN },
    Command {
        name: "delquota",
        usage: "[-n|-b|-N|-B] path",
        options: &[
            flag("n", "num soft quota"),
            flag("b", "bytes soft quota"),
            flag("N", "num hard quota"),
            flag("B", "bytes hard quota"),
        ],
        choice: Choice::AtMostOne,
        run: quota::del_quota,
        ..PLAIN
    },
    Command { name: "addauth", usage: "scheme auth", run: acl::add_auth, ..PLAIN },
    Command {
        name: "reconfig",
        usage: "[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | \
                [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]",
        options: &[
            flag("s", "stats"),
            value("v", "required current config version"),
            value("file", "path of config file to parse for membership"),
            value("members", "comma-separated list of config strings for non-incremental reconfig"),
            value("add", "comma-separated list of config strings for new servers"),
            value("remove", "comma-separated list of server IDs to remove"),
        ],
        run: ensemble::reconfig,
        ..PLAIN
    },
    Command {
        name: "config",
        usage: "[-c] [-w] [-s]",
        options: &[flag("s", "stats"), flag("w", "watch"), flag("c", "client connection string")],
        run: ensemble::config,
        ..PLAIN
    },
    Command {
        name: "removewatches",
        usage: "path [-c|-d|-a] [-l]",
        options: &[
            flag("c", "child watcher type"),
            flag("d", "data watcher type"),
            flag("p", "persistent watcher type"),
            flag("r", "persistent recursive watcher type"),
            flag("a", "any watcher type"),
            flag("l", "remove locally when there is no server connection"),
        ],
        run: watch::remove_watches,
        ..PLAIN
    },
    Command { name: "getEphemerals", usage: "path", run: znode::get_ephemerals, ..PLAIN },
    Command { name: "getAllChildrenNumber", usage: "path", run: znode::get_all_children_number, ..PLAIN },
    Command { name: "version", run: session::version, ..PLAIN },
    Command {
        name: "addWatch",
        usage: "[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is \
                PERSISTENT_RECURSIVE",
        options: &[value("m", "PERSISTENT or PERSISTENT_RECURSIVE")],
        run: watch::add_watch,
        ..PLAIN
    },
    Command { name: "whoami", choice: Choice::Ignored, run: session::who_am_i, ..PLAIN },
    Command {
        name: "tree",
        usage: "[-L depth] [path]",
        options: &[value("L", "Show so many levels only")],
        run: beyond::tree,
        ours: Some("The subtree as a tree"),
        ..PLAIN
    },
    Command {
        name: "find",
        usage: "path [-name pattern] [-data text] [-larger bytes] [-ephemeral]",
        options: &[
            value("name", "Whose last name fits, with * and ?"),
            value("data", "Whose data contain this text"),
            value("larger", "Whose data are longer"),
            flag("ephemeral", "That belong to a session"),
        ],
        run: beyond::find,
        ours: Some("The paths of the subtree for which all of that holds"),
        ..PLAIN
    },
    Command {
        name: "du",
        usage: "[-d depth] [path]",
        options: &[value("d", "Show so many levels below the path; 1")],
        run: beyond::disk_usage,
        ours: Some("Znodes and bytes of data in each subtree"),
        ..PLAIN
    },
    Command {
        name: "cp",
        usage: "[-r] [-u] [-server host:port,...] source target",
        options: &[
            flag("r", "With everything below"),
            flag("u", "Overwrite znodes that are there"),
            value("server", "The target is on this server"),
        ],
        run: beyond::copy,
        ours: Some(
            "A copy with data and access control lists; without ephemeral znodes, and without what no client can see: \
                    that a znode is a container or has a time to live",
        ),
        ..PLAIN
    },
    Command {
        name: "export",
        usage: "[-f file] path",
        options: &[value("f", "Write to this file")],
        run: beyond::export,
        ours: Some("The subtree as lines of JSON, with access control lists; see cp for what is not in it"),
        ..PLAIN
    },
    Command {
        name: "import",
        usage: "[-f file] [-u] path",
        options: &[
            value("f", "Read this file, or standard input for -"),
            flag("u", "Overwrite znodes that are there"),
        ],
        run: beyond::import,
        ours: Some("Makes what was exported, below this path"),
        ..PLAIN
    },
    Command {
        name: "diff",
        usage: "[-server host:port,...] left [right]",
        options: &[value("server", "The right one is on this server")],
        run: beyond::diff,
        ours: Some("Where the data and access control lists of two subtrees differ; exit code 1 if they do"),
        ..PLAIN
    },
    Command {
        name: "watch",
        usage: "[-n count] path",
        options: &[value("n", "End after so many events")],
        run: beyond::follow,
        ours: Some("What happens to the znode and below, as it happens, until Ctrl-C"),
        ..PLAIN
    },
    Command {
        name: "top",
        usage: "[-n rounds] [-d seconds]",
        options: &[value("n", "End after so many rounds"), value("d", "Between two rounds; 2")],
        run: beyond::top,
        ours: Some("Requests, latency, sessions and watches of all servers, until Ctrl-C"),
        ..PLAIN
    },
];
