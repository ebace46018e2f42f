//! What a script does to disks.

use store::mem::Fault;

use super::{Stage, nth, place};

impl Stage {
    /// Whether it was such a command.
    pub(super) fn on_damage(
        &mut self,
        verb: &str,
        rest: &[&str],
        seen: &mut Vec<String>,
    ) -> Result<bool, String> {
        if !matches!(
            verb,
            "full"
                | "room"
                | "fail"
                | "snapshot"
                | "purge"
                | "wipe"
                | "backup"
                | "rollback"
                | "flip"
                | "cut"
                | "lose"
                | "ls"
        ) {
            return Ok(false);
        }
        let at = place(rest.first().copied().unwrap_or_default())?;
        let what = rest.get(1).copied().unwrap_or_default();
        let world = self.world()?;
        let machine = &mut world.machines[at];
        match verb {
            "full" => {
                let room = nth(rest, 1)? as u64;
                machine.disk.set_capacity(Some(machine.disk.used_bytes() + room));
            }
            "room" => machine.disk.set_capacity(None),
            "fail" => {
                let n = nth(rest, 2)? as u64;
                machine.disk.plan(match what {
                    "read" => Fault::Read(n),
                    "write" => Fault::Write(n),
                    "sync" => Fault::Sync(n),
                    "rename" => Fault::Rename(n),
                    "lost" => Fault::Lost(n, "log."),
                    "astray" => Fault::Astray(n, "log."),
                    _ => return Err(format!("a disk does not fail to {what}")),
                });
                machine.is_damaged |= matches!(what, "lost" | "astray");
                *self.planned.entry(at).or_default() += 1;
            }
            "snapshot" => {
                machine.begin_snapshot(&mut world.out);
                if !machine.writes_snapshot() {
                    seen.push(format!("member {} has no room for a snapshot", at + 1));
                }
            }
            "ls" => {
                let names = machine.disk.paths();
                let names = names.iter().filter_map(|path| path.rsplit('/').next());
                let names: Vec<&str> =
                    names.filter(|name| name.starts_with("log.") || name.starts_with("snapshot.")).collect();
                seen.push(format!("member {} has {}", at + 1, names.join(" ")));
            }
            "purge" if !machine.purge() => return Err("files could not be removed".into()),
            "wipe" => {
                let planned = self.planned.remove(&at).unwrap_or_default();
                let world = self.world()?;
                let machine = &mut world.machines[at];
                if machine.disk.hits() < planned {
                    return Err("its disk was to fail before that".into());
                }
                machine.kill(true, &mut world.out);
                machine.wipe(&mut world.out);
                world.out.dark[at] = true;
            }
            "backup" => machine.back_up(),
            "rollback" => machine.roll_back(&mut world.out),
            "flip" | "cut" => {
                let path = machine.newest(&format!("{what}.")).ok_or("there is no such file")?;
                machine.is_damaged = true;
                let byte = nth(rest, 2)?;
                if verb == "flip" {
                    machine.disk.flip(&path, byte, 0);
                } else {
                    machine.disk.cut(&path, byte);
                }
            }
            "lose" => {
                let front = format!("{what}.");
                let mut paths = machine.disk.paths();
                paths.retain(|path| path.rsplit('/').next().is_some_and(|name| name.starts_with(&front)));
                paths.sort_by_key(|path| (path.len(), path.clone()));
                let which = rest.get(2).copied().unwrap_or_default();
                if which != "all" {
                    let n = place(which)?;
                    paths = vec![paths.get(n).cloned().ok_or("there are not so many")?];
                }
                machine.is_damaged = true;
                paths.iter().for_each(|path| machine.disk.lose(path));
            }
            _ => {}
        }
        Ok(true)
    }
}
