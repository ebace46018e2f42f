//! What a member of an ensemble is told beyond what every server is.

use std::collections::BTreeMap;

use member::Quorum;
use member::ensemble::{Address, EnsembleOptions, PeerAddress};
use proto::{Sid, Zxid};
use store::epoch::Epochs;
use store::{Note, Recovered};

use crate::config::membership::{Member, MemberAddress, Membership, Role};
use crate::config::{Config, EnsembleConfig};
use crate::driver::LinkOptions;
use crate::options::millis;

/// What the member itself needs.
pub(crate) fn options(
    config: &Config,
    ensemble: &EnsembleConfig,
    epochs: Epochs,
    recovered: &Recovered,
) -> EnsembleOptions {
    let Membership { members, .. } = &config.membership;
    let peer = |member: &Member| PeerAddress {
        quorum: quorum_addresses(member),
        election: election_addresses(member),
        is_observer: member.role == Role::Observer,
    };
    EnsembleOptions {
        me: Sid(ensemble.my_id),
        members: members.iter().map(|(&sid, member)| (Sid(sid), peer(member))).collect(),
        quorum: quorum(&config.membership),
        config_text: config.membership.to_string(),
        accepted_epoch: epochs.accepted,
        current_epoch: epochs.current,
        whole_from: recovered.snapshot.as_ref().map_or(Zxid::ZERO, |(zxid, _)| *zxid),
        may_be_blank: recovered.notes.iter().any(|note| matches!(note, Note::Initialize { .. })),
        tick_ms: millis(config.tick_time),
        init_limit: ensemble.init_limit,
        sync_limit: ensemble.sync_limit,
        connect_limit: ensemble.connect_to_learner_master_limit,
        election_connect_timeout_ms: millis(ensemble.cnx_timeout),
        notification_min_ms: millis(ensemble.min_notification_interval),
        notification_max_ms: millis(ensemble.max_notification_interval),
        leader_serves: ensemble.leader_serves,
        commit_log_count: usize::try_from(ensemble.commit_log_count).unwrap_or(usize::MAX),
        counter_max: Zxid::COUNTER_MAX,
        multi_address: ensemble.multi_address,
        tells_deliveries: false,
        step_nodes: EnsembleOptions::STEP_NODES,
        packet_bytes_max: config.jute_max_buffer_bytes.saturating_add(ensemble.jute_max_buffer_extra_bytes),
    }
}

/// Who decides. Observers that stand in a group do not, and a weight below 0 is none.
fn quorum(membership: &Membership) -> Quorum {
    let voters = || membership.with_role(Role::Participant);
    if membership.groups.is_empty() {
        return Quorum::Majority(voters().map(Sid).collect());
    }
    let groups = voters().filter_map(|sid| Some((Sid(sid), *membership.groups.get(&sid)?)));
    let weight =
        |sid: i64| membership.weights.get(&sid).map_or(1, |weight| u64::try_from(*weight).unwrap_or(0));
    let weights: BTreeMap<_, _> = voters().map(|sid| (Sid(sid), weight(sid))).collect();
    Quorum::Hierarchical { groups: groups.collect(), weights }
}

/// What the sockets of other members need.
pub(crate) fn links(config: &Config, ensemble: &EnsembleConfig) -> LinkOptions {
    let members = &config.membership.members;
    let me = members.get(&ensemble.my_id).expect("an id that is not in the list was refused");
    let others = members.iter().filter(|(sid, _)| **sid != ensemble.my_id);
    LinkOptions {
        election: election_addresses(me),
        quorum: quorum_addresses(me),
        others: others.flat_map(|(_, member)| election_addresses(member)).collect(),
        on_all: ensemble.quorum_listen_on_all_ips,
        election_tries: ensemble.election_port_bind_retry,
        keep_alive: ensemble.tcp_keep_alive,
        leader_nodelay: ensemble.leader_nodelay,
        follower_nodelay: ensemble.follower_nodelay,
    }
}

fn election_addresses(member: &Member) -> Vec<Address> {
    addresses(member, |at| at.election_port)
}

fn quorum_addresses(member: &Member) -> Vec<Address> {
    addresses(member, |at| at.quorum_port)
}

fn addresses(member: &Member, port: impl Fn(&MemberAddress) -> u16) -> Vec<Address> {
    member.addresses.iter().map(|at| Address { host: at.host.clone(), port: port(at) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(weights: &[(i64, i64)]) -> Membership {
        let member = |sid: i64, role| {
            let port = u16::try_from(sid).unwrap();
            let address = MemberAddress { host: "h".into(), quorum_port: port, election_port: 1000 + port };
            (sid, Member { addresses: vec![address], role, client: None })
        };
        let members = [
            member(1, Role::Participant),
            member(2, Role::Participant),
            member(3, Role::Participant),
            member(4, Role::Observer),
        ];
        let groups = weights.iter().map(|(sid, _)| (*sid, sid % 2)).collect();
        Membership { members: members.into(), groups, weights: weights.iter().copied().collect(), version: 0 }
    }

    #[test]
    fn observers_decide_nothing() {
        let majority = quorum(&membership(&[]));
        assert_eq!(majority, Quorum::Majority([1, 2, 3].map(Sid).into()));
        let weighted = quorum(&membership(&[(1, 2), (2, 1), (3, -1), (4, 9)]));
        let groups = [(1, 1), (2, 0), (3, 1)].map(|(sid, group)| (Sid(sid), group)).into();
        let weights = [(1, 2), (2, 1), (3, 0)].map(|(sid, weight)| (Sid(sid), weight)).into();
        assert_eq!(weighted, Quorum::Hierarchical { groups, weights });
    }

    #[test]
    fn a_member_listens_where_its_own_line_says_and_knows_where_the_others_are() {
        let mut config = Config::with_defaults(0, "/d".into());
        config.membership = membership(&[]);
        let links = links(&config, &EnsembleConfig::with_defaults(2));
        let at = |port| Address { host: "h".into(), port };
        assert_eq!((links.election, links.quorum), (vec![at(1002)], vec![at(2)]));
        assert_eq!(links.others, [at(1001), at(1003), at(1004)]);
    }
}
