//! Environment variables that shape the configuration: those of the official image, and the JVM's flags.

use std::collections::BTreeMap;

use super::place::{Place, Setting};

/// The variables the configuration looks at.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Variables that become one key each, with the image's default for when the variable is missing.
const PLAIN: [(&str, &str, &str); 8] = [
    ("ZOO_TICK_TIME", "tickTime", "2000"),
    ("ZOO_INIT_LIMIT", "initLimit", "5"),
    ("ZOO_SYNC_LIMIT", "syncLimit", "2"),
    ("ZOO_AUTOPURGE_SNAPRETAINCOUNT", "autopurge.snapRetainCount", "3"),
    ("ZOO_AUTOPURGE_PURGEINTERVAL", "autopurge.purgeInterval", "0"),
    ("ZOO_MAX_CLIENT_CNXNS", "maxClientCnxns", "60"),
    ("ZOO_STANDALONE_ENABLED", "standaloneEnabled", "true"),
    // The image's default is true; this server has none yet and only an explicit wish is refused.
    ("ZOO_ADMINSERVER_ENABLED", "admin.enableServer", "false"),
];

const OTHER: [&str; 6] = [
    "ZOO_DATA_DIR",
    "ZOO_DATA_LOG_DIR",
    "ZOO_SERVERS",
    "ZOO_4LW_COMMANDS_WHITELIST",
    "ZOO_CFG_EXTRA",
    "ZOO_MY_ID",
];

const JVM_FLAGS: [&str; 2] = ["SERVER_JVMFLAGS", "JVMFLAGS"];

impl Environment {
    /// The variables of this process that matter; those that are not UTF-8 cannot be among them.
    pub fn of_process() -> Self {
        let names = PLAIN.iter().map(|(name, ..)| *name).chain(OTHER).chain(JVM_FLAGS);
        Self::of(names.filter_map(|name| Some((name, std::env::var(name).ok()?))))
    }

    /// These variables and no others.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A variable that is set to something. An empty one counts as missing, as in the image's script.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// What the image would write into `zoo.cfg`, or `None` when no variable of the image is set.
    ///
    /// Missing variables have the image's defaults, among them client port 2181 on all interfaces. Without any folder
    /// the image's `/data` and `/datalog` are meant; with `ZOO_DATA_DIR` alone the log goes there too.
    ///
    /// Source: `docker-entrypoint.sh` of the official image.
    pub(crate) fn as_file(&self) -> Option<Vec<Setting>> {
        let mut names = PLAIN.iter().map(|(name, ..)| *name).chain(OTHER);
        names.find(|name| self.get(name).is_some())?;
        let mut settings = Vec::new();
        let mut add = |name, key: &str, value: &str| {
            settings.push(Setting::from_file(key, value, Place::Variable(name)));
        };
        add("ZOO_DATA_DIR", "dataDir", self.get("ZOO_DATA_DIR").unwrap_or("/data"));
        match (self.get("ZOO_DATA_DIR"), self.get("ZOO_DATA_LOG_DIR")) {
            (_, Some(folder)) => add("ZOO_DATA_LOG_DIR", "dataLogDir", folder),
            (None, None) => add("ZOO_DATA_LOG_DIR", "dataLogDir", "/datalog"),
            (Some(_), None) => {}
        }
        for (name, key, default) in PLAIN {
            add(name, key, self.get(name).unwrap_or(default));
        }
        let lines = |name, default| self.get(name).unwrap_or(default).split_ascii_whitespace();
        for line in lines("ZOO_SERVERS", "server.1=localhost:2888:3888;2181") {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            add("ZOO_SERVERS", key, value);
        }
        if let Some(words) = self.get("ZOO_4LW_COMMANDS_WHITELIST") {
            add("ZOO_4LW_COMMANDS_WHITELIST", "4lw.commands.whitelist", words);
        }
        for line in lines("ZOO_CFG_EXTRA", "") {
            let (key, value) = line.split_once('=').unwrap_or((line, ""));
            add("ZOO_CFG_EXTRA", key, value);
        }
        Some(settings)
    }

    /// `ZOO_MY_ID` or the image's 1: what the image writes into `myid` when there is no such file.
    pub(crate) fn my_id(&self) -> Setting {
        let value = self.get("ZOO_MY_ID").unwrap_or("1");
        Setting::trimmed("myid", value, Place::Variable("ZOO_MY_ID"))
    }

    /// The `-D` words of the JVM's flags in their order, and the other words, which have no meaning here.
    pub(crate) fn jvm_flags(&self) -> (Vec<Setting>, Vec<String>) {
        let mut properties = Vec::new();
        let mut others = Vec::new();
        for name in JVM_FLAGS {
            for word in self.get(name).unwrap_or_default().split_ascii_whitespace() {
                let Some(property) = word.strip_prefix("-D") else {
                    others.push(word.to_owned());
                    continue;
                };
                let (key, value) = property.split_once('=').unwrap_or((property, ""));
                let place = Place::Variable(name);
                properties.push(Setting { key: key.to_owned(), value: value.to_owned(), place });
            }
        }
        (properties, others)
    }
}
