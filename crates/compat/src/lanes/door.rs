//! Where a client program is sent, and what of the servers shows in its output.

use std::path::{Path, PathBuf};

use crate::harness::{Ensemble, Member, Server};

/// A server that stands alone, a member of an ensemble, or all members.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// As clients take it: `127.0.0.1:2181`, or several with commas between.
    address: String,
    /// Where the client is started.
    dir: PathBuf,
    /// What is the servers' own in an output, and what stands there when outputs are compared; the first that fits is taken.
    names: Vec<(String, String)>,
}

impl Door {
    /// A server that stands alone.
    pub(crate) fn of(server: &Server) -> Self {
        let address = server.address();
        let names = vec![(address.clone(), "SERVER".to_owned())];
        Self { address, dir: server.dir().to_owned(), names }
    }

    /// One member of an ensemble.
    pub(crate) fn to(ensemble: &Ensemble, sid: u64) -> Self {
        let member = ensemble.member(sid);
        let address = member.client_address().to_string();
        Self { address, dir: member.data_dir(), names: names(ensemble) }
    }

    /// All members of an ensemble; the client chooses.
    pub(crate) fn to_all(ensemble: &Ensemble) -> Self {
        let addresses: Vec<String> =
            ensemble.members().map(|member| member.client_address().to_string()).collect();
        let address = addresses.join(",");
        let mut all = vec![(address.clone(), "SERVER".to_owned())];
        // Each member shows the address for clients in its own line of the configuration only.
        all.extend(addresses.iter().map(|address| (format!(";{address}"), String::new())));
        all.extend(names(ensemble));
        let dir = ensemble.members().next().map(Member::data_dir).unwrap_or_default();
        Self { address, dir, names: all }
    }

    /// As clients take it.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where the client is started.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// An output with names in place of addresses.
    pub(crate) fn plain(&self, output: &str) -> String {
        self.names.iter().fold(output.to_owned(), |text, (own, name)| text.replace(own, name))
    }
}

/// Every address of every member.
fn names(ensemble: &Ensemble) -> Vec<(String, String)> {
    let of_member = |member: &Member| {
        let sid = member.sid();
        let (quorum, election) = (member.quorum_address(), member.election_address());
        [
            (member.client_address().to_string(), "SERVER".to_owned()),
            (format!("{quorum}:{}", election.port()), format!("PEER-{sid}")),
        ]
    };
    ensemble.members().flat_map(of_member).collect()
}
