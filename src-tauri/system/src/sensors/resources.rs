//! What the machine has to spare: load, by the kernel's own averages, and room on the disk of our state.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use afterglow_model::Resources;
use tokio::sync::Semaphore;

use super::SensorOptions;

/// Told in whole MiB: a file that is written is no change of conditions.
const GRAIN: u64 = 1 << 20;

/// Reads load and room, one reading at a time: a disk that hangs keeps one thread, not one for every question.
pub(super) struct ResourceReader {
    state_dir: Option<PathBuf>,
    proc_dir: PathBuf,
    turn: Arc<Semaphore>,
}

impl ResourceReader {
    pub(super) fn new(options: &SensorOptions) -> Self {
        let proc_dir = options.proc_dir.clone().unwrap_or_else(|| PathBuf::from("/proc"));
        Self { state_dir: options.state_dir.clone(), proc_dir, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Reads; none while an earlier reading hangs. May hang itself.
    pub(super) fn read(&self) -> impl Future<Output = Option<Resources>> + Send + use<> {
        let turn = self.turn.clone().try_acquire_owned();
        let (state_dir, proc_dir) = (self.state_dir.clone(), self.proc_dir.clone());
        async move {
            let turn = turn.ok()?;
            let reading = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                Resources {
                    load_percent: load_percent(&proc_dir),
                    state_free_bytes: state_dir.and_then(|dir| free_bytes(&dir)).map(|free| free / GRAIN * GRAIN),
                }
            });
            reading.await.ok()
        }
    }
}

/// How busy the processors are, percent; none where the kernel does not say.
fn load_percent(proc_dir: &Path) -> Option<u8> {
    let read = |name: &str| fs::read_to_string(proc_dir.join(name)).ok();
    if let Some(percent) = read("pressure/cpu").as_deref().and_then(pressure) {
        return Some(percent);
    }
    let processors = std::thread::available_parallelism().ok()?.get();
    read("loadavg").as_deref().and_then(|line| load_average(line, processors))
}

/// `some avg10=12.34 avg60=… avg300=… total=…`: the share of the last 10 s in which something waited for a processor, percent
/// (Linux, Documentation/accounting/psi.rst).
fn pressure(lines: &str) -> Option<u8> {
    let some = lines.lines().find_map(|line| line.strip_prefix("some "))?;
    let share = some.split_ascii_whitespace().find_map(|field| field.strip_prefix("avg10="))?;
    percent(share.parse().ok()?)
}

/// `0.52 0.58 0.59 …`: the load of the last minute (proc_loadavg(5)), by processor, percent.
fn load_average(line: &str, processors: usize) -> Option<u8> {
    let load: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    percent(load / processors as f64 * 100.0)
}

fn percent(share: f64) -> Option<u8> {
    share.is_finite().then(|| share.clamp(0.0, 100.0).round() as u8)
}

/// What somebody without privileges may still write on the disk of a folder.
#[cfg(unix)]
fn free_bytes(dir: &Path) -> Option<u64> {
    let disk =
        rustix::fs::statvfs(dir).inspect_err(|error| tracing::debug!(%error, "the room for our own state is unknown")).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Not known: the standard library has no such call.
#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_and_load_are_read_as_documented() {
        let lines = "some avg10=61.50 avg60=3.00 avg300=1.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure(lines), Some(62));
        assert_eq!(pressure("full avg10=1.00\n"), None);
        assert_eq!(pressure(""), None);
        assert_eq!(load_average("1.30 0.58 0.59 2/612 4711\n", 2), Some(65));
        assert_eq!(load_average("99.00 0 0 1/1 1\n", 2), Some(100));
        assert_eq!(load_average("", 2), None);
    }

    #[test]
    fn without_pressure_the_load_speaks_and_without_both_nobody() {
        let proc_dir = tempfile::tempdir().unwrap();
        assert_eq!(load_percent(proc_dir.path()), None);
        fs::write(proc_dir.path().join("loadavg"), "1024.0 0 0 1/1 1\n").unwrap();
        assert_eq!(load_percent(proc_dir.path()), Some(100));
        fs::create_dir(proc_dir.path().join("pressure")).unwrap();
        fs::write(proc_dir.path().join("pressure/cpu"), "some avg10=7.00 avg60=0 avg300=0 total=0\n").unwrap();
        assert_eq!(load_percent(proc_dir.path()), Some(7));
    }

    #[cfg(unix)]
    #[test]
    fn room_is_known_where_there_is_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(dir.path()).is_some_and(|free| free > 0));
        assert_eq!(free_bytes(&dir.path().join("gone")), None);
    }

    #[tokio::test]
    async fn a_reading_that_hangs_is_not_asked_again() {
        let reader = ResourceReader::new(&SensorOptions::default());
        let hung = reader.turn.clone().try_acquire_owned().unwrap();
        assert_eq!(reader.read().await, None);
        drop(hung);
        assert!(reader.read().await.is_some());
    }
}
