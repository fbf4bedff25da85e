//! How much memory this process has held since a moment, where Linux tells.

/// A moment from which on memory is counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    resident: Option<u64>,
}

impl Mark {
    /// Now: what was held before no longer counts.
    pub(super) fn now() -> Self {
        // Sets the high-water mark to what is resident (proc_pid_clear_refs(5));
        // without that it would be that of the whole process.
        let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
        Self {
            resident: is_reset.then(|| of_status("VmRSS:")).flatten(),
        }
    }

    /// Most bytes beyond those of that moment.
    pub(super) fn held_since(self) -> Option<u64> {
        Some(of_status("VmHWM:")?.saturating_sub(self.resident?))
    }
}

fn of_status(key: &str) -> Option<u64> {
    bytes(&std::fs::read_to_string("/proc/self/status").ok()?, key)
}

/// A line of Linux's `/proc/PID/status`, which counts in KiB.
fn bytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_status_are_in_bytes() {
        let status = "Name:\txtask\nVmHWM:\t  125000 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(bytes(status, "VmHWM:"), Some(128_000_000));
        assert_eq!(bytes(status, "VmRSS:"), Some(1024));
        assert_eq!(bytes("VmHWM:\t many kB\n", "VmHWM:"), None);
    }

    #[test]
    fn what_is_taken_and_given_back_is_held_in_between() {
        let mark = Mark::now();
        let Some(before) = mark.held_since() else {
            return;
        };
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        let held = mark.held_since().unwrap_or(0);
        assert!(held >= before + (60 << 20), "{held}");
    }
}
