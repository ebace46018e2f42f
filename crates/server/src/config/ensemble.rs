//! From the membership lines to the decision: standalone, or an ensemble.
//!
//! Source: `QuorumPeerConfig#parseDynamicConfig`, `#setupClientPort`, `#setupPeerType`, `#checkValidity`.

use std::path::Path;

use super::EnsembleConfig;
use super::error::ConfigError;
use super::membership::{self, Membership, Role};
use super::note::Note;
use super::place::Setting;
use super::sources;
use super::values::FileValues;

/// What the file says about the ensemble, checked but not acted on.
pub(crate) struct Ensemble {
    /// All members; none on most standalone servers.
    pub(crate) membership: Membership,
    /// The lines they come from.
    lines: Vec<Setting>,
    /// `standaloneEnabled`, with its line if there is one.
    standalone_enabled: bool,
}

impl Ensemble {
    /// Reads the membership from the file itself, or from the one `dynamicConfigFile` names.
    pub(crate) fn read(file: &[Setting], multi_address: bool) -> Result<Self, ConfigError> {
        let values = FileValues(file);
        let standalone_enabled = values.boolean("standaloneEnabled", true)?;
        let Some(dynamic) = values.setting("dynamicConfigFile") else {
            let lines = file.to_vec();
            let membership = Membership::read(&lines, multi_address)?;
            return Ok(Self { membership, lines, standalone_enabled });
        };
        if let Some(at) = file.iter().find(|setting| membership::is_membership_key(&setting.key)) {
            return Err(ConfigError::MustBeInDynamicFile { at: at.clone() });
        }
        let path = Path::new(&dynamic.value);
        let lines = sources::read_file(path)?;
        for at in &lines {
            if at.key == "version" {
                return Err(ConfigError::VersionInside { at: at.clone() });
            }
            if !membership::is_membership_key(&at.key) {
                return Err(ConfigError::UnrecognisedParameter { at: at.clone() });
            }
        }
        let mut membership = Membership::read(&lines, multi_address)?;
        membership.version = version_of(path).unwrap_or(0);
        Ok(Self { membership, lines, standalone_enabled })
    }

    /// The table of participants, observers and `standaloneEnabled`: whether this is an ensemble.
    pub(crate) fn is_distributed(
        &self,
        file: &[Setting],
        notes: &mut Vec<Note>,
    ) -> Result<bool, ConfigError> {
        let participants = self.membership.with_role(Role::Participant).count();
        let first_observer = || {
            let sid = self.membership.with_role(Role::Observer).next()?;
            Some(Membership::line_of(&self.lines, sid))
        };
        match (participants, self.standalone_enabled) {
            (0, false) => {
                let at = FileValues(file).setting("standaloneEnabled");
                Err(ConfigError::NoParticipants { at: at.expect("its default is true").clone() })
            }
            (0, true) => match first_observer() {
                Some(at) => Err(ConfigError::ObserversWithoutParticipants { at }),
                None => Ok(false),
            },
            (1, true) => {
                notes.push(Note::error("Invalid configuration, only one server specified (ignoring)"));
                match first_observer() {
                    Some(at) => Err(ConfigError::ObserversWithoutQuorum { at }),
                    None => Ok(false),
                }
            }
            (count, _) => {
                if count <= 2 {
                    let text = "No server failure will be tolerated. You need at least 3 servers.";
                    notes.push(Note::warn(text));
                } else if count % 2 == 0 {
                    let text = "Non-optimal configuration, consider an odd number of servers.";
                    notes.push(Note::warn(text));
                }
                Ok(true)
            }
        }
    }

    /// The client address in the line of `my_id`, with that line.
    pub(crate) fn client_of(&self, my_id: i64) -> Option<(&membership::HostPort, Setting)> {
        let client = self.membership.members.get(&my_id)?.client.as_ref()?;
        Some((client, Membership::line_of(&self.lines, my_id)))
    }

    /// `peerType` against the role in the list, which wins.
    pub(crate) fn check_role(&self, my_id: Option<i64>, file: &[Setting], notes: &mut Vec<Note>) {
        let listed =
            my_id.and_then(|sid| self.membership.members.get(&sid)).map_or(Role::Participant, |m| m.role);
        let asked = FileValues(file).setting("peerType").map_or(Role::Participant, |at| {
            if at.value.eq_ignore_ascii_case("observer") { Role::Observer } else { Role::Participant }
        });
        if listed != asked {
            notes.push(Note::warn(format!(
                "Peer type from servers list ({}) doesn't match peerType ({}). Defaulting to servers list.",
                listed.java_name(),
                asked.java_name()
            )));
        }
    }

    /// What an ensemble needs beyond its members: the keys without a default, and an id that is one of theirs.
    pub(crate) fn config(
        &self,
        my_id: Option<i64>,
        file: &[Setting],
        data_dir: &Path,
    ) -> Result<EnsembleConfig, ConfigError> {
        let values = FileValues(file);
        let ticks = |key: &'static str| {
            let ticks = values.integer(key)?.unwrap_or(0);
            let at = || values.setting(key).expect("its default is 0").clone();
            u32::try_from(ticks).map_err(|_| ConfigError::NegativeTime { at: at() })
        };
        let required = |key| match ticks(key)? {
            0 => Err(ConfigError::LimitNotSet { key, file: place_of(file) }),
            ticks => Ok(ticks),
        };
        let (init_limit, sync_limit) = (required("initLimit")?, required("syncLimit")?);
        let path = data_dir.join("myid");
        let my_id = my_id.ok_or_else(|| ConfigError::MyIdMissing { path: path.clone() })?;
        if !self.membership.members.contains_key(&my_id) {
            return Err(ConfigError::NotInMembership { path, sid: my_id });
        }
        let connect = ticks("connectToLearnerMasterLimit")?;
        Ok(EnsembleConfig {
            my_id,
            init_limit,
            sync_limit,
            connect_to_learner_master_limit: if connect == 0 { init_limit } else { connect },
            quorum_listen_on_all_ips: values.boolean("quorumListenOnAllIPs", false)?,
            ..EnsembleConfig::with_defaults(my_id)
        })
    }
}

/// How messages about a missing key name the file.
pub(crate) fn place_of(file: &[Setting]) -> String {
    use super::place::Place;
    match file.first().map(|setting| &setting.place) {
        Some(Place::File { path, .. }) => path.display().to_string(),
        Some(place) => place.to_string(),
        None => "the configuration file is empty".to_owned(),
    }
}

/// The hexadecimal number behind the last dot of the file's name. Source: `#getVersionFromFilename`.
fn version_of(path: &Path) -> Option<i64> {
    let name = path.to_str()?;
    let (_, version) = name.rsplit_once('.')?;
    i64::from_str_radix(version, 16).ok()
}
