//! What a script does to the network.

use super::{Stage, class, nth, place};
use crate::net::{Class, Side, Way};

const MEMBERS_ONLY: [Class; 2] = [Class::Election, Class::Quorum];

impl Stage {
    /// Whether it was such a command.
    pub(super) fn on_network(&mut self, verb: &str, rest: &[&str]) -> Result<bool, String> {
        let first = rest.first().copied().unwrap_or_default();
        match verb {
            "partition" => {
                let sides: Vec<Vec<usize>> = rest
                    .split(|word| *word == "|")
                    .map(|side| side.iter().map(|word| place(word)).collect())
                    .collect::<Result<_, _>>()?;
                for (i, a) in sides.iter().enumerate() {
                    for (j, b) in sides.iter().enumerate() {
                        for (from, to) in
                            a.iter().flat_map(|a| b.iter().map(move |b| (*a, *b))).filter(|_| i != j)
                        {
                            self.block(from, to)?;
                        }
                    }
                }
            }
            "isolate" | "oneway" => {
                let at = place(first)?;
                let members = self.world()?.machines.len();
                for other in (0..members).filter(|other| *other != at) {
                    self.block(at, other)?;
                    if verb == "isolate" {
                        self.block(other, at)?;
                    }
                }
            }
            "block" => {
                let (from, to, class) = way(rest)?;
                self.world()?.out.net.block(from, to, class);
            }
            "delay" => {
                let (way, ms) = (way(rest)?, nth(rest, 3)?);
                self.world()?.out.net.lengthen(way, ms as u64 * 1000);
            }
            "hold" => {
                let (from, to) = (place(first)?, place(rest.get(1).copied().unwrap_or_default())?);
                let packet = rest.get(2).copied().unwrap_or_default();
                self.world()?.out.holds.push((from, to, packet.to_owned()));
            }
            "release" => {
                let (from, to) = (place(first)?, place(rest.get(1).copied().unwrap_or_default())?);
                let world = self.world()?;
                if let Some(hold) = world.out.holds.iter().find(|hold| (hold.0, hold.1) == (from, to)) {
                    return Err(format!("no {} was held yet", hold.2));
                }
                world.unblock_where(|way| (way.0, way.1) == (from, to));
            }
            "heal" => {
                let world = self.world()?;
                world.unblock();
                world.out.net.shorten();
            }
            "throw" => {
                let (at, class) = (place(first)?, class(rest.get(1))?);
                let bytes = bytes(rest.get(2).copied().unwrap_or_default())?;
                let stranger = crate::setup::CLIENTS + 90;
                let world = self.world()?;
                let key = world.out.net.connect(stranger, at, class);
                world.machines[at].on_call(class, key, stranger, &mut world.out);
                world.out.send(key, Side::Caller, bytes);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn block(&mut self, from: usize, to: usize) -> Result<(), String> {
        for class in MEMBERS_ONLY {
            self.world()?.out.net.block(from, to, class);
        }
        Ok(())
    }
}

fn way(rest: &[&str]) -> Result<Way, String> {
    let [from, to, ..] = rest else { return Err("from where to where?".into()) };
    Ok((place(from)?, place(to)?, class(rest.get(2))?))
}

fn bytes(hex: &str) -> Result<Vec<u8>, String> {
    let pair = |at: usize| hex.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..hex.len()).step_by(2).map(|at| pair(at).ok_or_else(|| format!("{hex} is no hex"))).collect()
}
