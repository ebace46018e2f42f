//! The network as the process on a machine sees it: calls, bytes, room.

use std::net::SocketAddr;

use member::ensemble::{LinkId, Port};

use super::Machine;
use super::process::{Handle, LULL_US, side_of};
use crate::net::{Class, Host, Key, Side};
use crate::outside::{Event, Outside};
use crate::setup::Setup;
use crate::wire::{Accent, Tap};

impl Machine {
    /// Whether a call to a port comes through, as far as this machine is concerned.
    #[must_use]
    pub fn listens(&self, class: Class) -> bool {
        self.process.as_ref().is_some_and(|process| match class {
            Class::Election | Class::Client => true,
            Class::Quorum => process.listens,
        })
    }

    /// Somebody called. The kernel has taken the call.
    pub fn on_call(&mut self, class: Class, key: Key, from: Host, out: &mut Outside) {
        self.backlog.push((class, key, from));
        if !self.is_paused {
            self.take_calls(out);
            self.settle(out);
        }
    }

    fn take_calls(&mut self, out: &mut Outside) {
        let now = self.now(out);
        let Some(process) = &mut self.process else { return };
        for (class, key, from) in self.backlog.drain(..) {
            if class == Class::Client {
                process.rouse(now, out);
            }
            let port = u16::try_from(10_000 + key % 50_000).unwrap_or(0);
            let peer = SocketAddr::new(Setup::ip(from), port);
            let handle = match class {
                Class::Client => process.member.accept(peer, now).ok().map(Handle::Client),
                Class::Election => process.member.link_accepted(Port::Election, peer, now).map(Handle::Link),
                Class::Quorum => process.member.link_accepted(Port::Quorum, peer, now).map(Handle::Link),
            };
            match handle {
                Some(handle) => {
                    process.keys.insert(key, handle);
                    match handle {
                        Handle::Link(link) => {
                            process.links.insert(link, (key, Side::Called));
                            if out.accents {
                                process.accents.insert(key, Accent::default());
                            }
                            if class == Class::Quorum && out.trace.is_read() {
                                process.taps.insert(key, Tap::default());
                            }
                        }
                        Handle::Client(id) => {
                            process.conns.insert(id.slot, (id, key));
                        }
                    }
                }
                None => out.close(key, Side::Called),
            }
        }
    }

    /// A call of this member came through, or not.
    pub fn on_dialed(&mut self, link: LinkId, key: Option<(Key, Class)>, out: &mut Outside) {
        let now = self.now(out);
        let Some(process) = &mut self.process else { return };
        if process.dialing.remove(&link).is_none() {
            // It was given up meanwhile.
            if let Some((key, _)) = key {
                out.close(key, Side::Caller);
            }
            return;
        }
        match key {
            Some((key, class)) => {
                process.keys.insert(key, Handle::Link(link));
                process.links.insert(link, (key, Side::Caller));
                if out.accents {
                    process.accents.insert(key, Accent::default());
                }
                if class == Class::Quorum {
                    process.taps.insert(key, Tap::default());
                }
                process.member.link_opened(link, now);
            }
            None => process.member.link_lost(link, now),
        }
        if !self.is_paused {
            self.settle(out);
        }
    }

    /// Something arrived on a connection.
    pub fn on_readable(&mut self, key: Key, out: &mut Outside) {
        if self.is_paused {
            return;
        }
        if out.lulls && self.process.as_ref().is_some_and(|process| process.leaves_waiting(key, out)) {
            out.evidence.hit("short packet waits");
            return out.after(LULL_US, Event::Wake { machine: self.at, incarnation: self.incarnation });
        }
        self.read(key, out);
        self.settle(out);
    }

    /// The other end has read, and there is room to send more.
    pub fn on_room(&mut self, key: Key, out: &mut Outside) {
        if self.is_paused {
            return;
        }
        let Some(process) = &mut self.process else { return };
        match process.keys.get(&key) {
            Some(&Handle::Link(link)) => process.flush_link(link, &self.skew, out),
            Some(&Handle::Client(id)) => process.flush_client(id, out),
            None => {}
        }
        self.settle(out);
    }

    fn read(&mut self, key: Key, out: &mut Outside) {
        let now = self.now(out);
        let Some(process) = &mut self.process else { return };
        let Some(&handle) = process.keys.get(&key) else { return };
        let side = side_of(process, key, handle);
        match handle {
            Handle::Link(link) => process.read_link(link, key, side, now, out),
            Handle::Client(id) => process.read_client(id, key, now, out),
        }
    }

    /// It stood still, and goes on.
    pub fn resume(&mut self, out: &mut Outside) {
        if !std::mem::take(&mut self.is_paused) {
            return;
        }
        out.line(format_args!("member {} goes on", self.sid().0));
        let now = self.now(out);
        if let Some(process) = &mut self.process {
            process.member.look_back(now);
        }
        self.take_calls(out);
        let keys: Vec<Key> = self.process.iter().flat_map(|process| process.keys.keys().copied()).collect();
        for key in keys {
            self.read(key, out);
        }
        self.settle(out);
        // A disk job may have ended meanwhile; its completion waited.
        if let Some(process) = self.process.as_mut().filter(|process| process.busy) {
            process.busy_since.0 = out.now_us;
            out.after(1, Event::Disk { machine: self.at, incarnation: self.incarnation });
        }
        self.wake(out);
    }
}
