use super::*;

const LIMITS: Limits = Limits::FOR_TESTS;

const ITSELF: Claimed = Claimed { is_member: true, is_proven: true };

fn info(sid: i64) -> LearnerInfo {
    LearnerInfo { sid: Sid(sid), protocol_version: PROTOCOL_VERSION, config_version: 0 }
}

fn start(current: Epoch, last: Zxid, memory: Memory) -> Leader {
    Leader::start(Sid(1), current, current, last, 0, memory, last, LIMITS, 0)
}

#[test]
fn who_forgot_what_it_acknowledged_does_not_count_before_it_is_level() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let kept = Zxid::new(Epoch(4), 7);
    let mut memory = Memory::default();
    memory.note(Sid(2), kept);
    for (last, is_whole) in [(Zxid::new(Epoch(4), 6), false), (kept, true)] {
        let mut out = VecDeque::new();
        let mut leader = start(Epoch(4), kept, memory.clone());
        let two = LinkId(2);
        leader.on_linked(two, 0);
        leader.on_info(two, &info(2), Epoch(4), false, ITSELF, &quorum, &mut out, 0).expect("it joins");
        leader.on_accepted_stored(&quorum, &mut out, 0);
        leader.on_ack_epoch(two, last, Some(Epoch(4)), &quorum, &mut out, 0).expect("it compares");
        let told = out.contains(&Effect::WentBack { sid: Sid(2), last, acked: kept });
        assert_eq!((told, out.contains(&Effect::TakeOver)), (!is_whole, is_whole));
        assert_eq!(leader.into_memory().of(Sid(2)), kept);
    }
}

/// Member 2 joins a new leader over this link, which leads then.
fn bring_level(leader: &mut Leader, two: LinkId, quorum: &Quorum, out: &mut VecDeque<Effect>) {
    leader.on_linked(two, 0);
    leader.on_info(two, &info(2), Epoch(0), false, ITSELF, quorum, out, 0).expect("it joins");
    leader.on_accepted_stored(quorum, out, 0);
    leader.on_ack_epoch(two, Zxid::ZERO, Some(Epoch(0)), quorum, out, 0).expect("it compares");
    leader.on_current_stored(quorum, out, 0);
    leader.on_ack(two, Zxid::new(Epoch(1), 0), quorum, out, 0).expect("it is level");
}

#[test]
fn what_a_member_acknowledged_is_remembered_when_it_goes() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let mut out = VecDeque::new();
    let mut leader = start(Epoch(0), Zxid::ZERO, Memory::default());
    let (two, again) = (LinkId(2), LinkId(3));
    bring_level(&mut leader, two, &quorum, &mut out);
    let first = Zxid::new(Epoch(1), 1);
    leader.on_proposed(first, 0);
    leader.on_persisted(first, &quorum, &mut out);
    leader.on_ack(two, first, &quorum, &mut out, 0).expect("it has it");
    assert_eq!(leader.known(), first);
    leader.on_lost(two);
    leader.on_linked(again, 0);
    leader.on_info(again, &info(2), Epoch(1), false, ITSELF, &quorum, &mut out, 0).expect("it comes again");
    leader.on_ack_epoch(again, Zxid::ZERO, None, &quorum, &mut out, 0).expect("it wants a tree");
    let went_back = |effect: &Effect| matches!(effect, Effect::WentBack { .. });
    assert!(!out.iter().any(went_back));
    leader.on_lost(again);
    leader.on_linked(again, 0);
    leader.on_info(again, &info(2), Epoch(0), false, ITSELF, &quorum, &mut out, 0).expect("it comes again");
    leader.on_ack_epoch(again, Zxid::ZERO, Some(Epoch(0)), &quorum, &mut out, 0).expect("it is wiped");
    assert!(out.iter().any(went_back));
}

#[test]
fn a_learner_that_takes_what_it_is_sent_is_not_silent() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let mut out = VecDeque::new();
    let mut leader = start(Epoch(0), Zxid::ZERO, Memory::default());
    let [two, three] = [LinkId(2), LinkId(3)];
    bring_level(&mut leader, two, &quorum, &mut out);
    leader.on_linked(three, 0);
    leader.on_info(three, &info(3), Epoch(0), false, ITSELF, &quorum, &mut out, 0).expect("it joins");
    leader.on_ack_epoch(three, Zxid::ZERO, Some(Epoch(0)), &quorum, &mut out, 0).expect("it compares");
    out.clear();
    let is_expelled = |out: &VecDeque<Effect>, link| {
        out.iter().any(|effect| matches!(effect, Effect::Expel { link: whose, .. } if *whose == link))
    };
    for now_ms in [900, 1800] {
        leader.on_sync_progress(two, &quorum, now_ms);
        leader.on_sync_progress(three, &quorum, now_ms);
        leader.tick(&quorum, &mut out, now_ms).expect("it leads");
        assert!(!is_expelled(&out, three), "what it lacks is on its way at {now_ms} ms");
    }
    assert!(is_expelled(&out, two), "for one that is level, bytes are no answer");
    let _ = leader.tick(&quorum, &mut out, 2800);
    assert!(is_expelled(&out, three), "for initLimit nothing was taken");
}

#[test]
fn a_leader_that_a_member_cannot_follow_any_more_steps_down_after_a_while() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let mut out = VecDeque::new();
    let mut leader = start(Epoch(0), Zxid::ZERO, Memory::default());
    let (two, three) = (LinkId(2), LinkId(3));
    bring_level(&mut leader, two, &quorum, &mut out);
    assert!(leader.is_established());
    let liar = LinkId(4);
    leader.on_linked(liar, 10);
    let somebody = Claimed { is_proven: false, ..ITSELF };
    leader.on_info(liar, &info(3), Epoch(9), false, somebody, &quorum, &mut out, 10).expect("it may be");
    let mut unmoved = leader.clone();
    unmoved.on_ack(two, Zxid::new(Epoch(1), 0), &quorum, &mut out, 900).expect("it lives");
    assert_eq!(unmoved.tick(&quorum, &mut out, 1000), Ok(()), "not at anybody's word");
    leader.on_linked(three, 10);
    leader.on_info(three, &info(3), Epoch(9), false, ITSELF, &quorum, &mut out, 10).expect("it is no liar");
    assert_eq!(leader.tick(&quorum, &mut out, 999), Ok(()), "not at once");
    assert_eq!(leader.tick(&quorum, &mut out, 1000), Err(Resigned::Passed));
}

/// Over and over again, nobody uses up what epochs there are by saying that he accepted one far away (S3).
#[test]
fn no_word_burns_more_epochs_than_members_come_apart() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let somebody = Claimed { is_proven: false, ..ITSELF };
    for (claim, apart_max) in [(ITSELF, EPOCHS_APART_MAX), (somebody, UNPROVEN_EPOCHS_APART_MAX)] {
        let mut out = VecDeque::new();
        let mut leader = Leader::start(
            Sid(1),
            Epoch(7),
            Epoch(7),
            Zxid::new(Epoch(7), 1),
            0,
            Memory::default(),
            Zxid::ZERO,
            LIMITS,
            0,
        );
        for (number, accepted) in [(2, EPOCH_MAX), (3, Epoch(7 + apart_max + 1)), (4, Epoch(7 + apart_max))] {
            leader.on_linked(LinkId(number), 0);
            // An observer of the configuration, which opens no barrier.
            let joins = leader.on_info(LinkId(number), &info(5), accepted, true, claim, &quorum, &mut out, 0);
            let far = Violation::EpochFar { theirs: accepted, ours: Epoch(7), apart_max };
            assert_eq!(joins, if number == 4 { Ok(()) } else { Err(far) });
            leader.on_lost(LinkId(number));
        }
        leader.on_linked(LinkId(5), 0);
        let again = Epoch(7 + apart_max + 1);
        assert!(leader.on_info(LinkId(5), &info(5), again, true, claim, &quorum, &mut out, 0).is_err());
        leader.on_linked(LinkId(6), 0);
        leader.on_info(LinkId(6), &info(2), Epoch(7), false, ITSELF, &quorum, &mut out, 0).expect("it joins");
        assert_eq!(out.pop_front(), Some(Effect::StoreAccepted(again)), "the one that may be, once");
    }
}

#[test]
fn who_stood_still_for_sync_limit_steps_down_unless_its_own_vote_is_enough() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let mut out = VecDeque::new();
    let mut leader = start(Epoch(0), Zxid::ZERO, Memory::default());
    bring_level(&mut leader, LinkId(2), &quorum, &mut out);
    // Busy for long, without a tick, is not standing still.
    for now_ms in [499, 998, 1497] {
        assert_eq!(leader.look_back(&quorum, now_ms), Ok(()), "at {now_ms} ms");
    }
    let alone = Quorum::Majority([Sid(1)].into());
    assert_eq!(leader.clone().look_back(&alone, 1997), Ok(()), "nobody can have replaced it");
    assert_eq!(leader.look_back(&quorum, 1997), Err(Resigned::StoodStill));
}

#[test]
fn barrier_three_waits_for_those_who_can_open_it_and_for_nobody_else() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let mut out = VecDeque::new();
    let mut leader = start(Epoch(0), Zxid::ZERO, Memory::default());
    let [two, observer] = [LinkId(2), LinkId(4)];
    for (link, sid, is_observer) in [(two, 2, false), (observer, 4, true)] {
        leader.on_linked(link, 0);
        leader
            .on_info(link, &info(sid), Epoch(0), is_observer, ITSELF, &quorum, &mut out, 0)
            .expect("it joins");
    }
    leader.on_accepted_stored(&quorum, &mut out, 0);
    for link in [two, observer] {
        leader.on_ack_epoch(link, Zxid::ZERO, Some(Epoch(0)), &quorum, &mut out, 0).expect("it compares");
    }
    let mut left = leader.clone();
    left.on_lost(two);
    left.on_sync_progress(observer, &quorum, 900);
    assert_eq!(left.tick(&quorum, &mut out, 1000), Err(Resigned::NoSynchronization));
    leader.on_sync_progress(two, &quorum, 900);
    assert_eq!(leader.tick(&quorum, &mut out, 1000), Ok(()), "a follower is on its way");
}

#[test]
fn a_leadership_without_a_quorum_comes_closer_to_a_voter_that_is_far_ahead() {
    let quorum = Quorum::Majority([1, 2, 3].map(Sid).into());
    let far = Epoch(1_000_000);
    let somebody = Claimed { is_proven: false, ..ITSELF };
    for (claim, has_quorum, promised) in
        [(ITSELF, false, Epoch(EPOCHS_APART_MAX)), (ITSELF, true, Epoch(0)), (somebody, false, Epoch(0))]
    {
        let mut out = VecDeque::new();
        let mut leader = start(Epoch(0), Zxid::ZERO, Memory::default());
        leader.on_linked(LinkId(2), 0);
        leader
            .on_info(LinkId(2), &info(2), far, false, claim, &quorum, &mut out, 0)
            .expect_err("it is too far ahead");
        if has_quorum {
            bring_level(&mut leader, LinkId(3), &quorum, &mut out);
        }
        assert_eq!(leader.into_memory().promised(), promised);
    }
}
