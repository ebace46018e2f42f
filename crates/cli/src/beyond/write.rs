//! Many znodes written with many requests on their way at once.

use std::collections::VecDeque;

use client::{Client, CreateMode, Failure, Request, Ticket};
use proto::{AclList, Code};

use crate::console::Console;
use crate::progress::Progress;
use crate::trouble::Trouble;

/// How many requests are on their way at once.
const AHEAD: usize = 1000;
/// How many bytes of data are.
const AHEAD_BYTES: usize = 8 << 20;

/// One znode to be there.
pub(super) struct Wish {
    pub(super) path: String,
    pub(super) data: Option<Vec<u8>>,
    pub(super) acl: AclList,
    /// Whether one that is there already is no mistake.
    pub(super) may_exist: bool,
}

/// Creates znodes in the order given, parents first; with `overwrites` those that are there get data and list.
pub(super) struct Writer<'a> {
    client: &'a Client,
    overwrites: bool,
    asked: VecDeque<(Ticket, Wish)>,
    asked_bytes: usize,
    progress: Progress<'a>,
    pub(super) created: u64,
    pub(super) overwritten: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(console: &'a Console, client: &'a Client, overwrites: bool) -> Self {
        Self {
            client,
            overwrites,
            asked: VecDeque::new(),
            asked_bytes: 0,
            progress: Progress::new(console, "znodes written"),
            created: 0,
            overwritten: 0,
        }
    }

    /// Sends one more, and waits for earlier ones when there are too many.
    pub(super) fn put(&mut self, wish: Wish) -> Result<(), Trouble> {
        let bytes = size(&wish);
        while self.asked.len() >= AHEAD || (self.asked_bytes + bytes > AHEAD_BYTES && !self.asked.is_empty())
        {
            self.take_answer()?;
        }
        let path = self.client.chroot().server_path(&wish.path);
        let request = Request::create(&path, wish.data.as_deref(), &wish.acl, CreateMode::Persistent);
        let ticket = self.client.submit(request);
        self.asked_bytes += bytes;
        self.asked.push_back((ticket, wish));
        Ok(())
    }

    /// Waits for all.
    pub(super) fn finish(&mut self) -> Result<(), Trouble> {
        while !self.asked.is_empty() {
            self.take_answer()?;
        }
        Ok(())
    }

    fn take_answer(&mut self) -> Result<(), Trouble> {
        let Some((ticket, wish)) = self.asked.pop_front() else { return Ok(()) };
        self.asked_bytes -= size(&wish);
        self.progress.step();
        match self.client.wait(ticket) {
            Ok(_) => self.created += 1,
            Err(Failure::Refused(Code::NodeExists)) if self.overwrites => {
                let told = |failure| Trouble::request(failure, &wish.path);
                self.client.set_data(&wish.path, wish.data.as_deref(), -1).map_err(told)?;
                self.client.set_acl(&wish.path, &wish.acl, -1).map_err(told)?;
                self.overwritten += 1;
            }
            Err(Failure::Refused(Code::NodeExists)) if wish.may_exist => {}
            Err(failure) => return Err(Trouble::request(failure, &wish.path)),
        }
        Ok(())
    }
}

fn size(wish: &Wish) -> usize {
    wish.path.len() + wish.data.as_ref().map_or(0, Vec::len)
}
