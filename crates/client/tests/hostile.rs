//! Whatever a server sends, a session neither panics nor forgets a request.

use std::time::Duration;

use client::{Effect, Request, Session, Settings, WatchKind};
use proptest::collection::vec;
use proptest::prelude::*;
use proto::{ConnectResponse, Encode, ReplyHeader, SessionId, WatcherEvent, Xid, Zxid};

/// What may come over a connection, or happen to it.
#[derive(Clone, Debug)]
enum Happening {
    Bytes(Vec<u8>),
    Greeting { timeout_ms: i32, read_only: bool },
    Reply { xid: i32, err: i32, body: Vec<u8> },
    Notification { kind: i32, path: String },
    Lost,
    Time(u64),
    Ask(u8),
    Close,
}

fn happening() -> impl Strategy<Value = Happening> {
    let bytes = || vec(any::<u8>(), 0..40);
    prop_oneof![
        bytes().prop_map(Happening::Bytes),
        (-1..9000, any::<bool>())
            .prop_map(|(timeout_ms, read_only)| Happening::Greeting { timeout_ms, read_only }),
        (-9..12, prop_oneof![Just(0), -130..0], bytes()).prop_map(|(xid, err, body)| Happening::Reply {
            xid,
            err,
            body
        }),
        (-1..9, "/[ab]?").prop_map(|(kind, path)| Happening::Notification { kind, path }),
        Just(Happening::Lost),
        (0_u64..9000).prop_map(Happening::Time),
        any::<u8>().prop_map(Happening::Ask),
        Just(Happening::Close),
    ]
}

fn request(choice: u8) -> Request {
    match choice % 5 {
        0 => Request::get_data("/a", true),
        1 => Request::exists("/b", true),
        2 => Request::add_watch("/", true),
        3 => Request::remove_watches("/a", WatchKind::Any, choice > 100),
        _ => Request::who_am_i(),
    }
}

proptest! {
    #[test]
    fn every_request_is_answered_once_and_in_order(happenings in vec(happening(), 0..60)) {
        let mut settings = Settings::new(2);
        settings.timeout = Duration::from_secs(6);
        let mut session = Session::new(settings, Duration::ZERO);
        let (mut now, mut asked, mut answered) = (Duration::ZERO, 0, 0);
        let closing = [Happening::Close, Happening::Lost];
        for happening in happenings.into_iter().chain(closing) {
            let mut frame = Vec::new();
            match happening {
                Happening::Bytes(bytes) => frame = bytes,
                Happening::Greeting { timeout_ms, read_only } => ConnectResponse {
                    timeout_ms,
                    session_id: SessionId(7),
                    password: [1; 16],
                    read_only: Some(read_only),
                }
                .encode(&mut frame),
                Happening::Reply { xid, err, body } => {
                    ReplyHeader { xid: Xid(xid), zxid: Zxid(3), err }.encode(&mut frame);
                    frame.extend(body);
                }
                Happening::Notification { kind, path } => {
                    ReplyHeader { xid: Xid::NOTIFICATION, zxid: Zxid(3), err: 0 }.encode(&mut frame);
                    WatcherEvent { kind, state: 3, path: Some(path.into()) }.encode(&mut frame);
                }
                Happening::Lost => session.on_link_lost(now),
                Happening::Time(millis) => now += Duration::from_millis(millis),
                Happening::Ask(choice) => {
                    session.submit(now, asked, request(choice));
                    asked += 1;
                }
                Happening::Close => {
                    session.close(now, asked);
                    asked += 1;
                }
            }
            if !frame.is_empty() {
                session.on_frame(now, &frame);
            }
            session.on_time(now);
            while let Some(effect) = session.next_effect() {
                match effect {
                    Effect::Dial(_) => session.on_dialed(now),
                    Effect::Answer(ticket, _) => {
                        prop_assert_eq!(ticket, answered);
                        answered += 1;
                    }
                    Effect::HangUp | Effect::Probe(_) | Effect::Tell(_) => {}
                }
            }
            prop_assert!(session.deadline().is_some() == session.state().is_alive());
        }
        prop_assert_eq!(answered, asked);
    }
}
