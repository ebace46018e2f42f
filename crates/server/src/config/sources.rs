//! Everything that was given, from wherever it came, before any of it is understood.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::arguments::{Arguments, Form};
use super::environment::Environment;
use super::error::ConfigError;
use super::note::Note;
use super::place::{Place, Setting};
use super::properties;

/// The configuration of a program started without any.
const EMBEDDED: &str = include_str!("../../../../conf/default.cfg");

/// The file (or what stands for it) and the `-D` properties.
pub(crate) struct Sources {
    /// The file that was named.
    pub(crate) config_file: Option<PathBuf>,
    /// The keys of the file, the last one of each name, in the order of the file.
    pub(crate) file: Vec<Setting>,
    /// `-D` properties by their whole name; from the JVM's flags, then the command line.
    pub(crate) properties: BTreeMap<String, Setting>,
    /// What `myid` says when there is no such file (the image writes it).
    pub(crate) my_id: Option<Setting>,
}

impl Sources {
    /// # Errors
    /// The file is missing, unreadable or malformed.
    pub(crate) fn gather(
        arguments: &Arguments,
        environment: &Environment,
        notes: &mut Vec<Note>,
    ) -> Result<Self, ConfigError> {
        let (mut config_file, mut my_id) = (None, None);
        let file = match &arguments.form {
            Form::File(path) => {
                notes.push(Note::info(format!("Reading configuration from: {}", path.display())));
                config_file = Some(path.clone());
                read_file(path)?
            }
            Form::Direct { port, data_dir, tick_time, max_client_cnxns } => {
                direct(port, data_dir, tick_time.as_deref(), max_client_cnxns.as_deref())
            }
            Form::Nothing | Form::Help | Form::Version => match environment.as_file() {
                Some(settings) => {
                    notes.push(Note::info("Reading configuration from the ZOO_ environment variables"));
                    my_id = Some(environment.my_id());
                    last_of_each(settings)
                }
                None => {
                    notes.push(Note::info(
                        "Reading the built-in configuration: no configuration file was named",
                    ));
                    embedded()
                }
            },
        };
        let (mut properties, others) = environment.jvm_flags();
        if !others.is_empty() {
            notes.push(Note::info(format!(
                "no effect, there is no Java virtual machine here: {}",
                others.join(" ")
            )));
        }
        properties.extend(arguments.properties.iter().map(|(key, value)| Setting {
            key: key.clone(),
            value: value.clone(),
            place: Place::CommandLine,
        }));
        let properties = properties.into_iter().map(|setting| (setting.key.clone(), setting)).collect();
        Ok(Self { config_file, file, properties, my_id })
    }
}

/// The keys of a properties file, the last one of each name.
///
/// # Errors
/// [`ConfigError::FileMissing`], [`ConfigError::FileUnreadable`], [`ConfigError::MalformedUnicode`].
pub(crate) fn read_file(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let path_buf = || path.to_owned();
    let text = fs::read(path).map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            ConfigError::FileMissing { path: path_buf() }
        } else {
            ConfigError::FileUnreadable { path: path_buf(), source }
        }
    })?;
    let properties = properties::parse(&text)
        .map_err(|error| ConfigError::MalformedUnicode { path: path_buf(), line: error.line })?;
    Ok(last_of_each(properties.into_iter().map(|property| {
        let place = Place::File { path: path.to_owned(), line: property.line };
        Setting::from_file(&property.key, &property.value, place)
    })))
}

fn embedded() -> Vec<Setting> {
    let properties =
        properties::parse(EMBEDDED.as_bytes()).expect("the built-in configuration has no escapes");
    last_of_each(properties.into_iter().map(|p| Setting::from_file(&p.key, &p.value, Place::Embedded)))
}

/// `port datadir [ticktime] [maxcnxns]`. Unlike in a file the default is no limit of connections.
fn direct(
    port: &str,
    data_dir: &str,
    tick_time: Option<&str>,
    max_client_cnxns: Option<&str>,
) -> Vec<Setting> {
    let max_client_cnxns = max_client_cnxns.unwrap_or("0");
    let given = [
        ("clientPort", Some(port)),
        ("dataDir", Some(data_dir)),
        ("tickTime", tick_time),
        ("maxClientCnxns", Some(max_client_cnxns)),
    ];
    let setting = |(key, value)| Some(Setting::trimmed(key, value?, Place::CommandLine));
    given.into_iter().filter_map(setting).collect()
}

/// Java puts the file into a table, where a later value replaces an earlier one.
fn last_of_each(settings: impl IntoIterator<Item = Setting>) -> Vec<Setting> {
    let mut last: Vec<Setting> = Vec::new();
    for setting in settings {
        last.retain(|earlier| earlier.key != setting.key);
        last.push(setting);
    }
    last
}
