//! Stories of a session: what it is told, what it sends, what it tells.
#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::time::Duration;

use client::{Effect, Event, EventType, Failure, KeeperState, Request, Session, Settings, State};
use proto::{
    Code, ConnectRequest, ConnectResponse, Decode, Encode, OpCode, Reader, ReplyHeader, RequestHeader,
    SessionId, SetWatches, WatcherEvent, Xid, Zxid,
};

const SECOND: Duration = Duration::from_secs(1);
const PASSWORD: [u8; 16] = [7; 16];

/// A session with a hand on its clock and on the other end of its connection.
struct Story {
    session: Session,
    now: Duration,
}

impl Story {
    fn new(servers: usize, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(servers);
        settings.timeout = SECOND * 6;
        change(&mut settings);
        Self { session: Session::new(settings, Duration::ZERO), now: Duration::ZERO }
    }

    /// A session that is served.
    fn served() -> Self {
        let mut story = Self::new(1, |_| {});
        story.dial();
        story.greet(1);
        story
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.session.next_effect()).collect()
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.session.on_time(self.now);
    }

    /// Waits until the session dials, lets that succeed, and gives what it greets with.
    fn dial(&mut self) -> ConnectRequest<'static> {
        let deadline = self.session.deadline().unwrap();
        self.wait(deadline.saturating_sub(self.now));
        let effects = self.effects();
        assert!(matches!(effects.as_slice(), [Effect::Dial(_)]), "{effects:?}");
        self.session.on_dialed(self.now);
        let [greeting] = self.sent().try_into().unwrap();
        let greeting: ConnectRequest<'_> = Reader::new(&greeting).take().unwrap();
        assert!(greeting.password == Some(&PASSWORD) || greeting.session_id == SessionId::NONE);
        ConnectRequest { password: None, ..greeting }
    }

    fn greet(&mut self, session: i64) {
        self.answer(&ConnectResponse {
            timeout_ms: 6000,
            session_id: SessionId(session),
            password: PASSWORD,
            read_only: Some(false),
        });
    }

    /// The frames that went out.
    fn sent(&mut self) -> Vec<Vec<u8>> {
        let out = std::mem::take(self.session.output());
        let mut reader = Reader::new(&out);
        let mut frames = Vec::new();
        while !reader.rest().is_empty() {
            let frame: proto::Buffer<'_> = reader.take().unwrap();
            frames.push(frame.unwrap().to_vec());
        }
        frames
    }

    /// The headers of the requests that went out.
    fn asked(&mut self) -> Vec<(Xid, i32)> {
        let header = |frame: &Vec<u8>| RequestHeader::decode(&mut Reader::new(frame)).unwrap();
        self.sent().iter().map(header).map(|header| (header.xid, header.kind)).collect()
    }

    fn answer(&mut self, record: &impl Encode) {
        let mut frame = Vec::new();
        record.encode(&mut frame);
        self.session.on_frame(self.now, &frame);
    }

    fn reply(&mut self, xid: i32, zxid: i64, err: i32) {
        self.answer(&ReplyHeader { xid: Xid(xid), zxid: Zxid(zxid), err });
    }

    fn notify(&mut self, kind: i32, path: &str) {
        let mut frame = Vec::new();
        ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(9), err: 0 }.encode(&mut frame);
        WatcherEvent { kind, state: 3, path: Some(path.into()) }.encode(&mut frame);
        self.session.on_frame(self.now, &frame);
    }
}

fn told(state: KeeperState) -> Effect {
    Effect::Tell(Event::session(state))
}

fn failed(ticket: u64, failure: Failure) -> Effect {
    Effect::Answer(ticket, Err(failure))
}

#[test]
fn what_is_asked_before_there_is_a_connection_is_sent_when_there_is() {
    let mut story = Story::new(1, |_| {});
    story.session.submit(story.now, 5, Request::get_data("/a", false));
    let greeting = story.dial();
    assert_eq!((greeting.session_id, greeting.timeout_ms), (SessionId::NONE, 6000));
    story.greet(1);
    assert_eq!(story.effects(), [told(KeeperState::SyncConnected)]);
    assert_eq!(story.asked(), [(Xid(1), OpCode::GetData.number())]);
    story.reply(1, 3, Code::NoNode.number());
    assert_eq!(story.effects(), [failed(5, Failure::Refused(Code::NoNode))]);
    assert_eq!(story.session.last_zxid(), Zxid(3));
}

#[test]
fn a_dial_that_fails_ends_what_waits_for_it_and_the_next_round_comes_later() {
    let mut story = Story::new(2, |_| {});
    story.session.submit(story.now, 1, Request::who_am_i());
    for _ in 0..2 {
        assert_eq!(story.session.deadline(), Some(Duration::ZERO));
        story.wait(Duration::ZERO);
        story.session.on_link_lost(story.now);
    }
    let effects = story.effects();
    let (Effect::Dial(one), Effect::Dial(other)) = (&effects[0], &effects[2]) else { panic!("{effects:?}") };
    assert_ne!(one, other);
    assert_eq!(effects[1], failed(1, Failure::ConnectionLoss));
    assert_eq!(story.session.deadline(), Some(SECOND));
}

#[test]
fn a_lost_connection_is_told_and_the_session_goes_on_elsewhere_with_its_watches_and_identities() {
    let mut story = Story::served();
    story.session.authenticate(story.now, "digest", Some(b"u:p"));
    story.session.submit(story.now, 1, Request::exists("/a", true));
    story.session.submit(story.now, 2, Request::get_children("/b", true));
    story.reply(1, 4, Code::NoNode.number());
    story.effects();
    story.sent();
    story.session.on_link_lost(story.now);
    assert_eq!(story.effects(), [failed(2, Failure::ConnectionLoss), told(KeeperState::Disconnected)]);
    let greeting = story.dial();
    assert_eq!((greeting.session_id, greeting.last_zxid_seen), (SessionId(1), Zxid(4)));
    story.greet(1);
    assert_eq!(story.effects(), [told(KeeperState::SyncConnected)]);
    let frames = story.sent();
    let mut reader = Reader::new(&frames[1]);
    let header: RequestHeader = reader.take().unwrap();
    let watches: SetWatches<'_> = reader.take().unwrap();
    assert_eq!((header.xid, header.kind, frames.len()), (Xid(-8), OpCode::SetWatches.number(), 2));
    assert_eq!(watches.relative_zxid, Zxid(4));
    assert_eq!((watches.exist, watches.child), (Some(vec![Some("/a".into())]), Some(vec![])));
    story.notify(1, "/a");
    let event = Event {
        state: KeeperState::SyncConnected,
        kind: EventType::NodeCreated,
        path: Some("/a".into()),
        zxid: Zxid(9),
    };
    assert_eq!(story.effects(), [Effect::Tell(event)]);
    story.notify(1, "/a");
    assert_eq!(story.effects(), []);
}

#[test]
fn watches_may_end_with_the_connection() {
    let mut story = Story::new(1, |settings| settings.keeps_watches = false);
    story.dial();
    story.greet(1);
    story.session.submit(story.now, 1, Request::get_data("/a", true));
    story.reply(1, 1, 0);
    story.session.on_link_lost(story.now);
    story.effects();
    story.sent();
    story.dial();
    story.greet(1);
    assert_eq!(story.asked(), []);
}

#[test]
fn a_session_that_the_servers_have_ended_is_over() {
    let mut story = Story::served();
    story.session.on_link_lost(story.now);
    story.effects();
    story.dial();
    story.session.submit(story.now, 1, Request::who_am_i());
    story.answer(&ConnectResponse::expired(Some(false)));
    let expired = Failure::Refused(Code::SessionExpired);
    assert_eq!(story.effects(), [Effect::HangUp, told(KeeperState::Expired), failed(1, expired)]);
    assert_eq!((story.session.state(), story.session.deadline()), (State::Closed, None));
    story.session.submit(story.now, 2, Request::who_am_i());
    assert_eq!(story.effects(), [failed(2, expired)]);
}

#[test]
fn a_session_without_a_server_for_too_long_is_over_without_asking() {
    let mut story = Story::served();
    story.session.on_link_lost(story.now);
    story.effects();
    story.wait(SECOND * 8);
    assert_eq!(story.effects(), [Effect::HangUp, told(KeeperState::Expired)]);
}

#[test]
fn an_idle_connection_is_pinged_and_a_silent_one_dropped() {
    let mut story = Story::served();
    story.effects();
    for _ in 0..2 {
        let deadline = story.session.deadline().unwrap();
        story.wait(deadline - story.now);
        if story.now < SECOND * 4 {
            assert_eq!(story.asked(), [(Xid::PING, OpCode::Ping.number())], "{:?}", story.now);
        }
    }
    assert_eq!(story.now, SECOND * 4);
    assert_eq!(story.effects(), [Effect::HangUp, told(KeeperState::Disconnected)]);
}

#[test]
fn the_end_of_a_session_is_told_before_it_is_answered() {
    let mut story = Story::served();
    story.effects();
    story.session.close(story.now, 1);
    story.session.submit(story.now, 2, Request::who_am_i());
    assert_eq!(story.asked()[0].1, OpCode::CloseSession.number());
    story.reply(1, 1, 0);
    let effects = story.effects();
    assert_eq!(effects[..2], [Effect::HangUp, told(KeeperState::Closed)]);
    assert!(matches!(effects[2..], [Effect::Answer(1, Ok(_)), Effect::Answer(2, Err(_))]), "{effects:?}");
}

#[test]
fn a_refused_identity_ends_the_session() {
    let mut story = Story::served();
    story.session.authenticate(story.now, "nosuch", None);
    story.session.submit(story.now, 1, Request::who_am_i());
    story.effects();
    story.reply(-4, 0, Code::AuthFailed.number());
    let refused = Failure::Refused(Code::AuthFailed);
    assert_eq!(story.effects(), [Effect::HangUp, told(KeeperState::AuthFailed), failed(1, refused)]);
    assert_eq!(story.session.state(), State::AuthFailed);
}

#[test]
fn a_client_of_a_read_only_server_looks_for_a_better_one() {
    let mut story = Story::new(2, |settings| settings.read_only = true);
    assert_eq!(story.dial().read_only, Some(true));
    story.answer(&ConnectResponse {
        timeout_ms: 6000,
        session_id: SessionId(5),
        password: PASSWORD,
        read_only: Some(true),
    });
    assert_eq!(story.effects(), [told(KeeperState::ConnectedReadOnly)]);
    let deadline = story.session.deadline().unwrap();
    story.wait(deadline - story.now);
    let effects = story.effects();
    let [Effect::Probe(server)] = effects[..] else { panic!("{effects:?}") };
    story.session.on_probe(story.now, server);
    assert_eq!(story.effects(), [Effect::HangUp, told(KeeperState::Disconnected)]);
    // The id of a read-only server is no session of the ensemble.
    assert_eq!(story.dial().session_id, SessionId::NONE);
}

#[test]
fn an_answer_that_nobody_asked_for_drops_the_connection() {
    let mut story = Story::served();
    story.effects();
    story.reply(77, 1, 0);
    assert_eq!(story.effects(), [Effect::HangUp, told(KeeperState::Disconnected)]);
}

#[test]
fn paths_of_events_lose_the_chroot() {
    let mut story = Story::new(1, |settings| settings.chroot = client::Chroot::new("/app"));
    story.dial();
    story.greet(1);
    story.session.submit(story.now, 1, Request::add_watch("/app", true));
    story.reply(1, 1, 0);
    story.effects();
    story.notify(4, "/app/x");
    story.notify(1, "/app/x");
    let effects = story.effects();
    let [Effect::Tell(event)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(event.path.as_deref(), Some("/x"));
}
