//! Which process of which machine holds a folder, as a lease says it.

use std::fmt;
use std::fs;
use std::sync::OnceLock;

/// Who made a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// For people, in a line.
    pub(super) name: String,
    place: Option<Place>,
}

/// A process where it can be found again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    machine: Machine,
    /// Of process numbers: that of containers is their own.
    namespace: String,
    process: String,
    /// When it began, as the kernel counts: numbers are used again.
    began: String,
}

/// A running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    /// The name of the machine and the number of its installation, which outlive
    /// the kernel; where there is no such number, that of the kernel.
    host: String,
    /// Another one each time that it is started.
    boot: String,
}

/// The second line of a lease, before its five words.
const PLACE: &str = "place";

impl Holder {
    /// This process.
    pub(super) fn here(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            place: Place::here().cloned(),
        }
    }

    /// What a lease says; little where it is being written at this moment, or by
    /// somebody else.
    pub(super) fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let name = lines.next().unwrap_or_default().trim();
        let words: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
        let place = match words[..] {
            [PLACE, host, boot, namespace, process, began] => Some(Place {
                machine: Machine {
                    host: host.to_owned(),
                    boot: boot.to_owned(),
                },
                namespace: namespace.to_owned(),
                process: process.to_owned(),
                began: began.to_owned(),
            }),
            _ => None,
        };
        Self {
            name: match name {
                "" => "another process".to_owned(),
                name => name.to_owned(),
            },
            place,
        }
    }

    /// Whether the system would not have given this process the lock that this holder
    /// had, if it were alive: it runs, or ran, under this kernel, or under one before it
    /// on this machine, which is gone. Where nobody knows which machine this is, locks
    /// are all there is.
    pub(super) fn is_reached_by_locks(&self) -> bool {
        let Some(here) = Place::here() else {
            return true;
        };
        self.place.as_ref().is_some_and(|place| {
            place.machine.boot == here.machine.boot || place.machine.host == here.machine.host
        })
    }

    /// Whether the process runs at this moment, where that can be seen from here.
    pub(super) fn runs_here(&self) -> Option<bool> {
        let (place, here) = self.place.as_ref().zip(Place::here())?;
        if place.machine.boot != here.machine.boot {
            let was_here = place.machine.host == here.machine.host;
            return was_here.then_some(false);
        }
        if place.namespace != here.namespace {
            return None;
        }
        Some(began(&place.process).is_some_and(|began| began == place.began))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        if let Some(place) = &self.place {
            let Machine { host, boot } = &place.machine;
            let words = [
                PLACE,
                host,
                boot,
                &place.namespace,
                &place.process,
                &place.began,
            ];
            writeln!(f, "{}", words.join(" "))?;
        }
        Ok(())
    }
}

impl Place {
    /// This process; none where the system does not tell.
    fn here() -> Option<&'static Self> {
        static HERE: OnceLock<Option<Place>> = OnceLock::new();
        let here = HERE.get_or_init(|| {
            let read = |path: &str| {
                let text = fs::read_to_string(path).ok()?;
                Some(text.trim().replace(' ', "_")).filter(|text| !text.is_empty())
            };
            let name = read("/proc/sys/kernel/hostname")?;
            let boot = read("/proc/sys/kernel/random/boot_id")?;
            // Containers have none, and may have one name on several machines.
            let installation = read("/etc/machine-id").unwrap_or_else(|| boot.clone());
            let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
            let process = std::process::id().to_string();
            Some(Self {
                machine: Machine {
                    host: format!("{name}/{installation}"),
                    boot,
                },
                namespace: namespace.to_string_lossy().replace(' ', "_"),
                began: began(&process)?,
                process,
            })
        });
        here.as_ref()
    }
}

/// When a process began, in ticks since the kernel did: field 22 of
/// proc_pid_stat(5). The second field, a name in brackets, may hold anything.
fn began(process: &str) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    const AFTER_NAME: usize = 22 - 3;
    fields.split_whitespace().nth(AFTER_NAME).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_read_as_it_was_written() {
        let here = Holder::here("process 7 on a: train");
        assert_eq!(Holder::read(&here.to_string()), here);
        for text in ["", "\n", "somebody", "somebody\nplace a b"] {
            let holder = Holder::read(text);
            assert!(!holder.name.is_empty(), "{text}");
            assert_eq!(holder.runs_here(), None);
            assert_eq!(holder.is_reached_by_locks(), Place::here().is_none());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_known_by_its_kernel_number_and_beginning() {
        let here = Holder::here("x");
        assert_eq!(here.runs_here(), Some(true));
        let changed = |change: &dyn Fn(&mut Place)| {
            let mut holder = here.clone();
            if let Some(place) = &mut holder.place {
                change(place);
            }
            (holder.runs_here(), holder.is_reached_by_locks())
        };
        // The number is used again, by a process that began later.
        assert_eq!(changed(&|at| at.began = "1".into()), (Some(false), true));
        // No process has it.
        let none = changed(&|at| at.process = u32::MAX.to_string());
        assert_eq!(none, (Some(false), true));
        // Of another container nothing is seen, but its locks are of this kernel.
        assert_eq!(changed(&|at| at.namespace.push('x')), (None, true));
        // This machine, before it was started again.
        let before = changed(&|at| at.machine.boot.push('x'));
        assert_eq!(before, (Some(false), true));
        let elsewhere = changed(&|at| {
            at.machine.boot.push('x');
            at.machine.host.push('x');
        });
        assert_eq!(elsewhere, (None, false));
    }
}
