//! What Linux tells about memory in its files.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The least of all that is known; `root` is `/` but in tests.
pub(crate) fn available(root: &Path) -> Option<u64> {
    [of_system(root), of_groups(root), of_address_space(root)]
        .into_iter()
        .flatten()
        .min()
}

/// `MemAvailable` is the kernel's estimate of what can be taken without
/// swapping (proc_meminfo(5)); free swap goes on top, because what needs it
/// ends all the same.
fn of_system(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let free = kilobytes(&text, "MemAvailable:")?;
    Some(free + kilobytes(&text, "SwapFree:").unwrap_or(0))
}

/// What `ulimit -v` leaves.
fn of_address_space(root: &Path) -> Option<u64> {
    let limits = fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let limit = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
    let status = fs::read_to_string(root.join("proc/self/status")).ok()?;
    Some(limit.saturating_sub(kilobytes(&status, "VmSize:")?))
}

/// The number of a line `name   123 kB`, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = rest.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// The names of what both versions of control groups say.
struct Version {
    mount: &'static str,
    limit: &'static str,
    used: &'static str,
    /// Pages of files, which the kernel gives up when memory is short.
    reclaimable: [&'static str; 2],
}

const VERSION_1: Version = Version {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    reclaimable: ["total_inactive_file ", "total_active_file "],
};

const VERSION_2: Version = Version {
    mount: "sys/fs/cgroup",
    limit: "memory.max",
    used: "memory.current",
    reclaimable: ["inactive_file ", "active_file "],
};

/// The least that the groups of this process and those above them leave
/// (cgroups(7); a line of `/proc/self/cgroup` is `number:controllers:path`).
fn of_groups(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let mut least = None;
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        let version = match controllers {
            "" => &VERSION_2,
            _ if controllers.split(',').any(|name| name == "memory") => &VERSION_1,
            _ => continue,
        };
        // In a container the path may be that outside of it: then no such
        // folder exists and the limits stand at the mount itself.
        let names = Path::new(path)
            .components()
            .filter(|component| matches!(component, Component::Normal(_)));
        let path: PathBuf = names.collect();
        for group in path.ancestors() {
            let left = of_group(&root.join(version.mount).join(group), version);
            least = least.into_iter().chain(left).min();
        }
    }
    least
}

fn of_group(folder: &Path, version: &Version) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(folder.join(name)).ok()?;
        text.trim().parse().ok()
    };
    // No number is no limit.
    let limit = number(version.limit)?;
    let used = number(version.used)?;
    let statistics = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let reclaimable: u64 = version
        .reclaimable
        .iter()
        .filter_map(|name| {
            let mut lines = statistics.lines();
            lines.find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
        })
        .sum();
    Some(limit.saturating_sub(used.saturating_sub(reclaimable)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose files hold these texts.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn found(files: &[(&str, &str)]) -> Option<u64> {
        available(machine(files).path())
    }

    const SYSTEM: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:  16000 kB\nMemFree:  10 kB\nMemAvailable:    4000 kB\nSwapFree:   500 kB\n",
    );

    #[test]
    fn the_system_has_what_is_available_and_its_swap() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[SYSTEM]), Some(4500 * 1024));
    }

    #[test]
    fn the_tightest_group_of_version_2_counts_and_pages_of_files_are_given_up() {
        let own = ("proc/self/cgroup", "0::/user.slice/job\n");
        let of_job = [
            ("sys/fs/cgroup/user.slice/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/job/memory.current", "700\n"),
        ];
        let above = [
            ("sys/fs/cgroup/user.slice/memory.max", "2000\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "1500\n"),
        ];
        let pages = (
            "sys/fs/cgroup/user.slice/memory.stat",
            "anon 900\ninactive_file 400\nactive_file 100\n",
        );
        let [job_limit, job_used] = of_job;
        let [limit, used] = above;
        let without = [SYSTEM, own, job_limit, job_used];
        assert_eq!(found(&without), Some(4500 * 1024));
        let with = [SYSTEM, own, job_limit, job_used, limit, used];
        assert_eq!(found(&with), Some(500));
        let with = [SYSTEM, own, job_limit, job_used, limit, used, pages];
        assert_eq!(found(&with), Some(1000));
    }

    #[test]
    fn a_container_sees_its_limit_at_the_mount() {
        let files = [
            SYSTEM,
            ("proc/self/cgroup", "0::/docker/abc\n"),
            ("sys/fs/cgroup/memory.max", "900\n"),
            ("sys/fs/cgroup/memory.current", "1000\n"),
        ];
        assert_eq!(found(&files), Some(0));
        let files = [("proc/self/cgroup", "0::/../x\n"), files[2], files[3]];
        assert_eq!(found(&files), Some(0));
    }

    #[test]
    fn version_1_has_its_own_names() {
        let files = [
            SYSTEM,
            (
                "proc/self/cgroup",
                "5:cpu,cpuacct:/x\n4:memory:/job\n0::/\n",
            ),
            ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "5000\n"),
            ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "4000\n"),
            (
                "sys/fs/cgroup/memory/job/memory.stat",
                "inactive_file 7\ntotal_inactive_file 200\ntotal_active_file 30\n",
            ),
        ];
        assert_eq!(found(&files), Some(1230));
    }

    #[test]
    fn a_limit_of_address_space_counts_what_is_mapped() {
        let limited = |limit: &str| {
            let limits = format!(
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max address space         {limit}              unlimited            bytes\n"
            );
            let status = ("proc/self/status", "Name:\tx\nVmSize:\t   3 kB\n");
            found(&[SYSTEM, ("proc/self/limits", &limits), status])
        };
        assert_eq!(limited("10000"), Some(10_000 - 3072));
        assert_eq!(limited("unlimited"), Some(4500 * 1024));
    }
}
