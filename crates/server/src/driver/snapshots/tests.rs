//! Snapshots without a driver: what is given to the writing thread, and what is made of its reports.

use super::*;
use crate::driver::Loop;
use crate::log_thread::LogReport;
use crate::testing::{log_plan, member};
use member::ensemble::Done;
use member::history::History;
use store::snapshot::put_stream_start;
use store::{RecoverOptions, recover};

const NOW: Now = Now { mono_ms: 5000, wall_ms: 1_700_000_000_000 };

fn snapshots() -> (Snapshots, LogThread) {
    snapshots_in("/nowhere")
}

fn snapshots_in(dir: &str) -> (Snapshots, LogThread) {
    snapshots_of(plan(dir))
}

fn plan(dir: &str) -> SnapshotPlan {
    SnapshotPlan {
        dirs: Dirs::new(dir, dir),
        options: SnapshotOptions::default(),
        digest: true,
        last_zxid: true,
        policy: SnapshotPolicy::default(),
        retain: 3,
        purge_every: None,
    }
}

fn snapshots_of(plan: SnapshotPlan) -> (Snapshots, LogThread) {
    let handle = Loop::new().unwrap().handle();
    let log = LogThread::start(log_plan(&plan.dirs), Zxid::ZERO, handle.clone()).unwrap();
    (Snapshots::start(plan, FileDisk, handle, SinceSnapshot::default(), 1).unwrap(), log)
}

fn failed(number: u64) -> Report {
    let error = DiskError::NoSpace { path: "/nowhere/snapshot.0".into() };
    Report { number, outcome: Outcome::Failed(error) }
}

#[test]
fn what_a_failed_snapshot_has_walked_is_not_in_the_next_one() {
    let (mut snapshots, mut log) = snapshots();
    let mut member = member();
    let (id, head) = member.core_mut().tree_mut().snapshot_begin();
    let purpose = Purpose::Start;
    let end = End { zxid: head.zxid, digest: head.digest, purpose };
    snapshots.walk = Some(Walk { id, end, walked: false });
    snapshots.task = Task::Write { number: 7, purpose };
    member.core_mut().tree_mut().snapshot_step(id, 1, &mut snapshots.chunk);
    assert!(!snapshots.chunk.is_empty(), "less than a chunk stays here");
    snapshots.on_report(failed(6), &mut member, &mut log, NOW).unwrap();
    assert!(snapshots.wants_step(), "an earlier one is over");
    snapshots.on_report(failed(7), &mut member, &mut log, NOW).unwrap();
    assert!(snapshots.chunk.is_empty());
    assert!(snapshots.task == Task::Idle && !snapshots.wants_step());
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn what_a_leader_sent_must_become_durable() {
    let (mut snapshots, mut log) = snapshots();
    let mut member = member();
    snapshots.install(&mut member, false);
    let failed = snapshots.on_report(failed(1), &mut member, &mut log, NOW);
    assert!(matches!(failed, Err(LogFailure::Install(_))));
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn the_thread_is_still_until_it_is_let_go() {
    let (mut snapshots, log) = snapshots();
    let mut member = member();
    let still = snapshots.pause(&mut member);
    still.wait();
    assert!(snapshots.task == Task::Rest);
    drop(still);
    let still = snapshots.pause(&mut member);
    still.wait();
    snapshots.resume(None);
    drop(still);
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

/// What a leader with this member's tree would send, but for the end.
fn stream(member: &mut Member) -> Vec<u8> {
    let (walk, head) = member.core_mut().tree_mut().snapshot_begin();
    let mut bytes = Vec::new();
    put_stream_start(&mut bytes, &head.sessions, &head.acls);
    assert!(member.core_mut().tree_mut().snapshot_step(walk, usize::MAX, &mut bytes));
    bytes
}

fn until(
    task: Task,
    snapshots: &mut Snapshots,
    member: &mut Member,
    log: &mut LogThread,
) -> Result<(), LogFailure> {
    while snapshots.task != task {
        snapshots.hand_over();
        snapshots.hear(member, log, NOW)?;
        std::thread::yield_now();
    }
    Ok(())
}

#[test]
fn what_a_leader_sends_is_written_as_it_comes_and_installed() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    let dirs = Dirs::new(dir, dir);
    dirs.prepare(&FileDisk, true).unwrap();
    let (mut snapshots, mut log) = snapshots_in(dir);
    let mut member = member();
    let zxid = member.core().tree().last_zxid();
    snapshots.receive(Incoming::Begin { zxid }, &mut member, NOW);
    for piece in stream(&mut member).chunks(50) {
        snapshots.receive(Incoming::Bytes(piece.to_vec()), &mut member, NOW);
        snapshots.step(&mut member, &mut log, false);
    }
    snapshots.tree_replaced();
    while !snapshots.hand_over() {
        std::thread::yield_now();
    }
    snapshots.install(&mut member, true);
    until(Task::Rest, &mut snapshots, &mut member, &mut log).unwrap();
    assert!(matches!(log.wait().unwrap(), LogReport::Replaced(Done::Installed, Some(_))));
    let tree = member.core().tree();
    let mut history = History::new(*tree.options());
    let recovered = recover(&FileDisk, &dirs, RecoverOptions::default(), &mut history).unwrap();
    assert_eq!(recovered.last, zxid);
    assert_eq!(history.into_tree().unwrap().digest(), tree.digest());
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn a_leaders_snapshot_is_not_written_in_the_place_of_another() {
    let (mut snapshots, log) = snapshots();
    let mut member = member();
    let write = Task::Write { number: 7, purpose: Purpose::Start };
    snapshots.task = write;
    for incoming in [Incoming::Begin { zxid: Zxid(9) }, Incoming::Bytes(vec![1]), Incoming::GivenUp] {
        snapshots.receive(incoming, &mut member, NOW);
        assert!(snapshots.task == write && snapshots.held.is_empty());
    }
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn a_leaders_snapshot_that_cannot_be_written_as_it_comes_is_left_until_it_is_here() {
    let (mut snapshots, mut log) = snapshots();
    let mut member = member();
    snapshots.receive(Incoming::Begin { zxid: Zxid(9) }, &mut member, NOW);
    until(Task::Rest, &mut snapshots, &mut member, &mut log).unwrap();
    snapshots.receive(Incoming::Bytes(vec![1]), &mut member, NOW);
    assert!(snapshots.held.is_empty());
    snapshots.receive(Incoming::GivenUp, &mut member, NOW);
    assert!(snapshots.task == Task::Idle);
    snapshots.receive(Incoming::Begin { zxid: Zxid(9) }, &mut member, NOW);
    // It is walked; and that it cannot be written then ends the process.
    snapshots.install(&mut member, false);
    let result = until(Task::Idle, &mut snapshots, &mut member, &mut log);
    assert!(matches!(result, Err(LogFailure::Install(_))));
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn the_driver_waits_for_no_thread_that_hangs() {
    let (mut snapshots, log) = snapshots();
    let mut member = member();
    let still = snapshots.pause(&mut member);
    still.wait();
    snapshots.resume(None);
    snapshots.receive(Incoming::Begin { zxid: Zxid(9) }, &mut member, NOW);
    let kept = (0..2 * CHUNKS_MAX).map(|_| Incoming::Bytes(vec![1]));
    kept.for_each(|piece| snapshots.receive(piece, &mut member, NOW));
    assert!(!snapshots.held.is_empty(), "there is no more room");
    snapshots.receive(Incoming::GivenUp, &mut member, NOW);
    assert!(snapshots.task == Task::Idle);
    assert!(matches!(snapshots.held.make_contiguous(), [Work::GiveUp]));
    let rest = snapshots.pause(&mut member);
    snapshots.receive(Incoming::Begin { zxid: Zxid(9) }, &mut member, NOW);
    snapshots.receive(Incoming::GivenUp, &mut member, NOW);
    assert!(
        matches!(snapshots.held.make_contiguous(), [Work::GiveUp, Work::Rest(_), Work::GiveUp]),
        "who waits until the thread is still is not forgotten"
    );
    drop(still);
    while !snapshots.hand_over() {
        std::thread::yield_now();
    }
    rest.wait();
    drop(rest);
    let mut reports = snapshots.reports.try_iter();
    assert!(
        reports.all(|report| matches!(report.outcome, Outcome::Taken(_))),
        "what was given up is not tried"
    );
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn nothing_is_purged_while_a_snapshot_comes_in() {
    let home = tempfile::tempdir().unwrap();
    let plan = SnapshotPlan { purge_every: Some(Duration::ZERO), ..plan(home.path().to_str().unwrap()) };
    plan.dirs.prepare(&FileDisk, true).unwrap();
    let (mut snapshots, log) = snapshots_of(plan.clone());
    let oldest = std::path::Path::new(&plan.dirs.snap).join("snapshot.1");
    let mut member = member();
    let stream = stream(&mut member);
    snapshots.receive(Incoming::Begin { zxid: Zxid(9) }, &mut member, NOW);
    for number in 0..50 {
        snapshots.receive(Incoming::Bytes(stream.clone()), &mut member, NOW);
        assert!(matches!(snapshots.reports.recv().unwrap().outcome, Outcome::Taken(_)));
        if number == 0 {
            for zxid in 1..=4 {
                let SnapshotPlan { dirs, options, .. } = &plan;
                let mut file = SnapshotWriter::receive(FileDisk, &dirs.snap, Zxid(zxid), *options).unwrap();
                file.push(&stream).unwrap();
                file.finish(None, None).unwrap();
            }
        }
    }
    assert!(oldest.exists());
    snapshots.receive(Incoming::GivenUp, &mut member, NOW);
    while oldest.exists() {
        std::thread::yield_now();
    }
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn a_tree_that_is_being_installed_is_walked_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    let dirs = Dirs::new(dir, dir);
    dirs.prepare(&FileDisk, true).unwrap();
    let (mut snapshots, mut log) = snapshots_in(dir);
    let mut member = member();
    snapshots.start_walk(&mut member, Purpose::Start);
    snapshots.install(&mut member, false);
    assert_eq!(member.core().tree().snapshots_under_way(), 1, "the walk before it has ended");
    snapshots.tree_replaced();
    while snapshots.task != Task::Rest {
        snapshots.step(&mut member, &mut log, false);
        snapshots.hear(&mut member, &mut log, NOW).unwrap();
    }
    assert!(matches!(log.wait().unwrap(), LogReport::Replaced(Done::Installed, Some(_))));
    snapshots.stop(&mut member);
    log.stop().unwrap();
}

#[test]
fn what_failed_while_it_came_in_is_walked_though_it_was_to_be_installed() {
    let (mut snapshots, mut log) = snapshots();
    let mut member = member();
    snapshots.receive(Incoming::Begin { zxid: Zxid(9) }, &mut member, NOW);
    snapshots.tree_replaced();
    snapshots.install(&mut member, true);
    assert_eq!(snapshots.task, Task::Place { number: 1 });
    // One report alone: the walk cannot be written here either, and that would be told by the next.
    let report = snapshots.reports.recv().unwrap();
    snapshots.on_report(report, &mut member, &mut log, NOW).unwrap();
    assert_eq!(snapshots.task, Task::Write { number: 2, purpose: Purpose::Install });
    snapshots.stop(&mut member);
    log.stop().unwrap();
}
