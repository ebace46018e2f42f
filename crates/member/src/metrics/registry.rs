//! The table of all metrics.

use super::{Counter, CounterSet, PercentileSet, PercentileSummary, Summary, SummarySet};

/// What a metric is called and what it says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metric {
    /// ZooKeeper's name, without the prefix `zk_` that `mntr` puts before it.
    pub name: &'static str,
    /// How it counts.
    pub kind: Kind,
    /// One sentence for a reader of the Prometheus page.
    pub help: &'static str,
}

/// How a metric counts, in the order in which Apache prints the kinds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// One number that grows.
    Counter,
    /// One growing number per key.
    CounterSet,
    /// Smallest, largest, mean, count and sum.
    Summary,
    /// The same with percentiles.
    PercentileSummary,
    /// A summary per key.
    SummarySet,
    /// A summary with percentiles per key.
    PercentileSet,
}

/// A metric's present value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Of [`Kind::Counter`].
    Counter(&'a Counter),
    /// Of [`Kind::CounterSet`].
    CounterSet(&'a CounterSet),
    /// Of [`Kind::Summary`].
    Summary(&'a Summary),
    /// Of [`Kind::PercentileSummary`].
    PercentileSummary(&'a PercentileSummary),
    /// Of [`Kind::SummarySet`].
    SummarySet(&'a SummarySet),
    /// Of [`Kind::PercentileSet`].
    PercentileSet(&'a PercentileSet),
}

/// From the one table: the fields, their list, the visit, the reset.
macro_rules! registry {
    ($($kind:ident { $(#[doc = $help:literal] $name:ident,)* })*) => {
        /// Every metric of Apache ZooKeeper 3.9.5, under its own name.
        ///
        /// Some speak of machinery that is built differently here; the closest thing is counted, and what does not
        /// exist stays 0, so that dashboards find what they look for. Source: `ServerMetrics`.
        #[derive(Debug, Default)]
        pub struct Registry {
            $($(#[doc = $help] pub $name: $kind,)*)*
        }

        impl Registry {
            /// The table, in the order of [`Self::visit`].
            pub const METRICS: &[Metric] = &[
                $($(Metric { name: stringify!($name), kind: Kind::$kind, help: $help.trim_ascii() },)*)*
            ];

            /// Shows every metric, kind after kind, by name within a kind.
            pub fn visit(&self, each: &mut dyn FnMut(&'static Metric, Value<'_>)) {
                $($(
                    each(
                        const { &Metric { name: stringify!($name), kind: Kind::$kind, help: $help.trim_ascii() } },
                        Value::$kind(&self.$name),
                    );
                )*)*
            }

            /// Back to no value everywhere, as `srst` does.
            pub fn reset(&mut self) {
                $($(self.$name.reset();)*)*
            }
        }
    };
}

registry! {
    Counter {
        /// Time that adding a dead watcher had to wait, ms; stays 0, a closed connection's watches go at once here.
        add_dead_watcher_stall_time,
        /// Bytes received from clients, length prefixes included.
        bytes_received_count,
        /// Connections closed because the server was not serving yet.
        cnxn_closed_without_zk_server_running,
        /// Transactions this leader has committed.
        commit_count,
        /// Connections dropped by the connection throttle.
        connection_drop_count,
        /// Connections refused because a limit was reached.
        connection_rejected,
        /// Session requests received.
        connection_request_count,
        /// Sessions a client asked to resume.
        connection_revalidate_count,
        /// Dead watchers whose watches were removed.
        dead_watchers_cleared,
        /// Dead watchers that waited for removal.
        dead_watchers_queued,
        /// Learners brought level by DIFF.
        diff_count,
        /// Transactions after which the tree's digest was not the expected one.
        digest_mismatches_count,
        /// Clients that named another ensemble.
        ensemble_auth_fail,
        /// Clients checked for the ensemble's name while it has none.
        ensemble_auth_skip,
        /// Clients that named this ensemble.
        ensemble_auth_success,
        /// Requests to the AdminServer over plain HTTP.
        insecure_admin_count,
        /// Requests refused because large requests had used up their memory.
        large_requests_rejected,
        /// COMMIT packets this learner received.
        learner_commit_received_count,
        /// PROPOSAL packets this learner received.
        learner_proposal_received_count,
        /// How often this member went looking for a leader.
        looking_count,
        /// Pending changes noted while transactions were prepared.
        outstanding_changes_queued,
        /// Pending changes forgotten because their transaction was applied.
        outstanding_changes_removed,
        /// Requests handed to the stage that prepares transactions.
        prep_processor_request_queued,
        /// Proposals this leader has made.
        proposal_count,
        /// How often a leader resigned because a voter followed another.
        quit_leading_due_to_disloyal_voter,
        /// Commits handed to the stage that orders reads and writes.
        request_commit_queued,
        /// How often a request waited because too many were in progress.
        request_throttle_wait_count,
        /// Requests that did not need the ordering stage.
        requests_not_forwarded_to_commit_processor,
        /// Bytes of replies sent to clients.
        response_bytes,
        /// Replies taken from the cache of encoded data.
        response_packet_cache_hits,
        /// Replies encoded because the cache of data had none.
        response_packet_cache_misses,
        /// Replies taken from the cache of encoded child lists.
        response_packet_get_children_cache_hits,
        /// Replies encoded because the cache of child lists had none.
        response_packet_get_children_cache_misses,
        /// Restores that failed.
        restore_error_count,
        /// Restores refused because the last one was too recent.
        restore_rate_limited_count,
        /// Sessions a learner asked the leader about.
        revalidate_count,
        /// Connections closed because no session request came in time.
        sessionless_connections_expired,
        /// Requests of learners that passed the forwarding stage by.
        skip_learner_request_to_next_processor_count,
        /// Learners brought level by SNAP.
        snap_count,
        /// Snapshots on demand that failed.
        snapshot_error_count,
        /// Snapshots on demand refused because the last one was too recent.
        snapshot_rate_limited_count,
        /// Replies not sent because their connection was gone.
        stale_replies,
        /// Requests found to be of a connection that was gone or too slow.
        stale_requests,
        /// Stale requests that were dropped for it.
        stale_requests_dropped,
        /// Sessions that expired.
        stale_sessions_expired,
        /// Transactions handed to the log.
        sync_processor_request_queued,
        /// Requests answered with "throttled" because they had waited too long.
        throttled_ops,
        /// TLS handshakes refused because too many were in progress.
        tls_handshake_exceeded,
        /// Troubles after which the server could not go on.
        unrecoverable_error_count,
        /// TLS handshakes that failed.
        unsuccessful_handshake,
        /// Bytes of watch events sent to clients.
        watch_bytes,
    }
    CounterSet {
        /// Requests refused because a quota was used up, by first name of the path.
        quota_exceeded_error_per_namespace,
    }
    Summary {
        /// Commits waiting when the ordering stage looked.
        commit_commit_proc_req_queued,
        /// Time to hand a commit on, ms.
        commit_process_time,
        /// Requests in progress behind the ordering stage.
        concurrent_request_processing_in_commit_processor,
        /// Tokens missing in the connection throttle.
        connection_token_deficit,
        /// Time to load the tree at start, ms.
        dbinittime,
        /// Time to elect a leader, ms.
        election_time,
        /// Time for a follower to be brought level, ms.
        follower_sync_time,
        /// Time of one fsync of the log, ms.
        fsynctime,
        /// DIFFs being sent at the same time.
        inflight_diff_count,
        /// SNAPs being sent at the same time.
        inflight_snap_count,
        /// Time this member was without service before it led, ms.
        leader_unavailable_time,
        /// Requests of learners waiting on the leader.
        learner_request_processor_queue_size,
        /// Bytes queued in Netty; stays empty, there is no Netty here.
        netty_queued_buffer_capacity,
        /// Watches fired by one change of data.
        node_changed_watch_count,
        /// Watches fired by one change of a child list.
        node_children_watch_count,
        /// Watches fired by one creation.
        node_created_watch_count,
        /// Watches fired by one deletion.
        node_deleted_watch_count,
        /// Time for an observer to be brought level, ms.
        observer_sync_time,
        /// Sessions with requests waiting in the ordering stage.
        pending_session_queue_size,
        /// Time to prepare a transaction, ms.
        prep_process_time,
        /// Requests waiting to be prepared.
        prep_processor_queue_size,
        /// Time to make a proposal, ms.
        proposal_process_time,
        /// Reads released by the ordering stage in one go.
        read_commit_proc_issued,
        /// Reads waiting when the ordering stage looked.
        read_commit_proc_req_queued,
        /// Reads waiting behind a write of their session.
        reads_after_write_in_session_queue,
        /// Reads released together once the write before them was done.
        reads_issued_from_session_queue,
        /// Requests waiting in one session's queue.
        requests_in_session_queue,
        /// Time to restore a snapshot, ms.
        restore_time,
        /// Session queues emptied in one go.
        session_queues_drained,
        /// Time to write a snapshot, ms.
        snapshottime,
        /// Time to close a socket, ms.
        socket_closing_time,
        /// Time to read the snapshot at start, ms.
        startup_snap_load_time,
        /// Time to replay the log at start, ms.
        startup_txns_load_time,
        /// Transactions replayed at start.
        startup_txns_loaded,
        /// Time to hand a transaction to the log, ms.
        sync_process_time,
        /// Transactions written by one flush of the log.
        sync_processor_batch_size,
        /// Transactions waiting for the log.
        sync_processor_queue_size,
        /// Time a write waited for the reads before it, ms.
        time_waiting_empty_pool_in_commit_processor_read_ms,
        /// Time from losing the leader to serving again, ms.
        unavailable_time,
        /// Time to release a batch of writes, ms.
        write_batch_time_in_commit_processor,
        /// Writes released by the ordering stage in one go.
        write_commit_proc_issued,
        /// Writes waiting when the ordering stage looked.
        write_commit_proc_req_queued,
    }
    PercentileSummary {
        /// Time to find a closing session's ephemerals, ms.
        close_session_prep_time,
        /// Time from the leader's commit to its arrival here, ms.
        commit_propagation_latency,
        /// Time to remove the watches of dead watchers, ms.
        dead_watchers_cleaner_latency,
        /// Pauses of the Java machine, ms; stays empty, there is none here.
        jvm_pause_time_ms,
        /// Time a write of a client of this member waited after its commit, ms.
        local_write_committed_time_ms,
        /// Time for an observer master to pass a commit on, ms.
        om_commit_process_time_ms,
        /// Time for an observer master to pass a proposal on, ms.
        om_proposal_process_time_ms,
        /// Time a request waited to be prepared, ms.
        prep_processor_queue_time_ms,
        /// Time from the leader's sight of a request to its effect here, ms.
        propagation_latency,
        /// Time from a proposal to this follower's ACK of it, ms.
        proposal_ack_creation_latency,
        /// Time from the leader's proposal to its arrival here, ms.
        proposal_latency,
        /// Time from a proposal to the ACKs of a quorum, ms.
        quorum_ack_latency,
        /// Time a read spent in the ordering stage, ms.
        read_commitproc_time_ms,
        /// Time to answer a read, ms.
        read_final_proc_time_ms,
        /// Time from a read's arrival to its reply, ms.
        readlatency,
        /// Time a request waited in the request throttle, ms.
        request_throttle_queue_time_ms,
        /// Time a write of another member's client waited after its commit, ms.
        server_write_committed_time_ms,
        /// Time a transaction spent in the log, waiting and flush together, ms.
        sync_processor_queue_and_flush_time_ms,
        /// Time of one flush of the log, ms.
        sync_processor_queue_flush_time_ms,
        /// Time a transaction waited for the log, ms.
        sync_processor_queue_time_ms,
        /// Time from a write's arrival to its reply, ms.
        updatelatency,
        /// Time a write spent in the ordering stage, ms.
        write_commitproc_time_ms,
        /// Time to apply a write and answer it, ms.
        write_final_proc_time_ms,
    }
    SummarySet {
        /// Packets waiting for a learner when one was added, by its id.
        learner_handler_qp_size,
        /// Bytes read, by first name of the path.
        read_per_namespace,
        /// Bytes written, by first name of the path.
        write_per_namespace,
    }
    PercentileSet {
        /// Time from a proposal to a learner's ACK, ms, by its id.
        ack_latency,
        /// Time a packet waited for its learner, ms, by its id.
        learner_handler_qp_time_ms,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_visit_follows_the_table() {
        let mut visited = Vec::new();
        Registry::default().visit(&mut |metric, _| visited.push(*metric));
        assert_eq!(visited, Registry::METRICS);
        assert!(
            Registry::METRICS.is_sorted_by(|a, b| (a.kind, a.name) < (b.kind, b.name)),
            "kind after kind, by name, none twice"
        );
        assert!(Registry::METRICS.iter().all(|metric| metric.help.ends_with('.')));
    }

    #[test]
    fn a_reset_reaches_every_kind() {
        let mut registry = Registry::default();
        registry.commit_count.inc();
        registry.quota_exceeded_error_per_namespace.at("a").inc();
        registry.fsynctime.add(7);
        registry.readlatency.add(7);
        registry.read_per_namespace.at("a").add(7);
        registry.ack_latency.at("1").add(7);
        registry.reset();
        registry.visit(&mut |metric, value| {
            let left = match value {
                Value::Counter(counter) => counter.get(),
                Value::CounterSet(set) => set.iter().map(|(_, counter)| counter.get()).sum(),
                Value::Summary(summary) => summary.count(),
                Value::PercentileSummary(summary) => summary.summary().count(),
                Value::SummarySet(set) => set.iter().map(|(_, summary)| summary.count()).sum(),
                Value::PercentileSet(set) => set.iter().map(|(_, summary)| summary.summary().count()).sum(),
            };
            assert_eq!(left, 0, "{}", metric.name);
        });
    }
}
