//! A folder or drive. There is no server to fail, so what fails here is the power, the drive, the file and the folder.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

use afterglow_model::{Connector, Evidence, Failure, FailureClass, FailureCode, JobId};
use afterglow_transfer::{
    Account, Again, Companions, Delivered, Holding, Journal, JournalError, Order, Outcome, Session, Transfer,
};
use async_trait::async_trait;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::rig::{MIB, Memory, content, options};

const MARK: &str = ".afterglow";
const CREATED_MS: i64 = 1_700_000_000_000;

/// A chosen folder, a folder of photos, and a journal that remembers.
struct Bench {
    photos: TempDir,
    drive: TempDir,
    transfer: Transfer,
    account: Account,
    memory: Memory,
}

impl Bench {
    fn new() -> Self {
        let drive = tempfile::tempdir().unwrap();
        let root = drive.path().join("Photos");
        fs::create_dir_all(root.join(MARK)).unwrap();
        let account = Account::at(Url::from_file_path(&root).unwrap());
        let transfer = Transfer::new(options()).unwrap();
        Self { photos: tempfile::tempdir().unwrap(), drive, transfer, account, memory: Memory::default() }
    }

    fn root(&self) -> PathBuf {
        self.drive.path().join("Photos")
    }

    fn file(&self, name: &str, bytes: u64) -> Order {
        let content = content(bytes);
        fs::write(self.photos.path().join(name), &content).unwrap();
        self.order(name, bytes, &content)
    }

    fn order(&self, name: &str, bytes: u64, content: &[u8]) -> Order {
        Order {
            job_id: JobId::from(name),
            destination_id: "destination".into(),
            root: self.photos.path().to_owned(),
            path: PathBuf::from(name),
            filename: name.to_owned(),
            content_type: None,
            byte_count: bytes,
            sha256: hex(&Sha256::digest(content)),
            created_ms: Some(CREATED_MS),
            companions: Companions::default(),
            sidecar: None,
            session: None,
        }
    }

    async fn attempt(&self, order: &Order) -> Outcome {
        let order = Order { session: self.memory.session.lock().unwrap().clone(), ..order.clone() };
        let cancel = CancellationToken::new();
        self.transfer.deliver(Connector::Folder, &self.account, &order, &self.memory, &self.memory, &cancel).await
    }

    async fn delivered(&self, order: &Order) -> Delivered {
        match self.attempt(order).await {
            Outcome::Delivered(delivered) => delivered,
            other => panic!("{}: {other:?}", order.filename),
        }
    }

    async fn failed(&self, order: &Order, class: FailureClass, code: FailureCode) -> Failure {
        match self.attempt(order).await {
            Outcome::Failed(failure) if (failure.class, failure.code) == (class, code) => failure,
            other => panic!("not {code:?}: {other:?}"),
        }
    }

    fn forget(&self) {
        *self.memory.session.lock().unwrap() = None;
        self.memory.confirmed.lock().unwrap().clear();
    }

    /// Every file beneath the chosen folder, but for the mark.
    fn stored(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        files_of(&self.root(), &mut files);
        files.sort();
        files
    }

    /// After what matters most was checked: exactly one file, with exactly the ordered bytes.
    fn stored_once(&self, order: &Order, why: &str) -> PathBuf {
        let files = self.stored();
        assert_eq!(files.len(), 1, "{why}: {files:?}");
        assert_eq!(hex(&Sha256::digest(fs::read(&files[0]).unwrap())), order.sha256, "{why}: stored bytes");
        files[0].clone()
    }
}

fn files_of(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { files_of(&path, files) } else { files.push(path) }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A journal at whose n-th entry the power fails: it is written, and nothing comes after it.
struct PowerCut<'a> {
    memory: &'a Memory,
    at: usize,
    entries: tokio::sync::watch::Sender<usize>,
}

impl PowerCut<'_> {
    async fn entry(&self) {
        self.entries.send_modify(|entries| *entries += 1);
        if *self.entries.borrow() > self.at {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl Journal for PowerCut<'_> {
    async fn session_opened(&self, job_id: &JobId, session: &Session) -> Result<(), JournalError> {
        self.memory.session_opened(job_id, session).await?;
        self.entry().await;
        Ok(())
    }

    async fn offset(&self, job_id: &JobId, bytes: u64) -> Result<(), JournalError> {
        self.memory.offset(job_id, bytes).await?;
        self.entry().await;
        Ok(())
    }

    async fn session_lost(&self, job_id: &JobId) -> Result<(), JournalError> {
        self.memory.session_lost(job_id).await
    }
}

/// Begins a delivery and drops it at the n-th entry of the journal, as a killed process is. Whether it came to that.
async fn cut_at(bench: &Bench, order: &Order, at: usize) -> bool {
    let journal = PowerCut { memory: &bench.memory, at, entries: tokio::sync::watch::Sender::new(0) };
    let cancel = CancellationToken::new();
    let mut entries = journal.entries.subscribe();
    tokio::select! {
        biased;
        came = entries.wait_for(|entries| *entries > at) => came.is_ok(),
        _ = bench.transfer.deliver(Connector::Folder, &bench.account, order, &journal, &bench.memory, &cancel) => false,
    }
}

#[tokio::test]
async fn what_lies_there_is_read_when_it_is_asked_for_again() {
    let bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 20_000);
    let remote_id = bench.delivered(&order).await.remote_id;
    let stored = Url::parse(&remote_id).unwrap().to_file_path().unwrap();
    let held = Holding {
        root: order.root.clone(),
        path: order.path.clone(),
        filename: order.filename.clone(),
        byte_count: order.byte_count,
        sha256: order.sha256.clone(),
        remote_id,
    };
    let cancel = CancellationToken::new();
    let ask = async || bench.transfer.ask_again(Connector::Folder, &bench.account, &held, &cancel).await;
    assert!(matches!(ask().await, Again::Held { evidence, .. } if evidence >= Evidence::Hashed));
    fs::write(&stored, vec![0; 20_000]).unwrap();
    assert_eq!(ask().await, Again::Gone, "other bytes of that size");
    fs::remove_file(&stored).unwrap();
    assert_eq!(ask().await, Again::Gone, "no file");
    fs::remove_dir(bench.root().join(MARK)).unwrap();
    assert!(matches!(ask().await, Again::Unasked(_)), "the drive is away");
}

#[tokio::test]
async fn files_of_every_size_arrive_once() {
    for bytes in [0, 1, 20_000, 21 * MIB + 13] {
        let bench = Bench::new();
        let order = bench.file("IMG_0001.jpg", bytes);
        let delivered = bench.delivered(&order).await;
        assert_eq!(delivered.evidence, Evidence::Sized, "{bytes} bytes");
        let stored = bench.stored_once(&order, &format!("{bytes} bytes"));
        assert_eq!(stored, bench.root().join("2023/11/IMG_0001.jpg"));
        assert_eq!(delivered.remote_id, Url::from_file_path(&stored).unwrap().as_str());
        let dated = stored.metadata().unwrap().modified().unwrap();
        assert_eq!(dated, UNIX_EPOCH + Duration::from_millis(CREATED_MS as u64));
        assert_eq!(bench.transfer.bytes_sent(), bytes);
    }
}

#[tokio::test]
async fn what_is_to_be_read_back_is() {
    for bytes in [0, 1, 20_000, 21 * MIB + 13] {
        let mut bench = Bench::new();
        bench.account.config.read_back = true;
        bench.account.config.folder = Some("From my laptop/2".to_owned());
        let order = Order { created_ms: None, ..bench.file("IMG_0001.jpg", bytes) };
        assert_eq!(bench.delivered(&order).await.evidence, Evidence::ReadBack, "{bytes} bytes");
        let stored = bench.stored_once(&order, &format!("{bytes} bytes"));
        assert_eq!(stored, bench.root().join("From my laptop/2/undated/IMG_0001.jpg"));
    }
}

#[tokio::test]
async fn hostile_names_become_names_for_every_drive() {
    let long = "ü".repeat(124) + ".jpg";
    let names = [
        ("with spaces.jpg", "with spaces.jpg"),
        ("写真.jpg", "写真.jpg"),
        ("a?b#c%20d&e=f+g.jpg", "a_b#c%20d&e=f+g.jpg"),
        ("-rf.jpg", "-rf.jpg"),
        (".hidden.jpg", "_hidden.jpg"),
        ("new\nline.jpg", "newline.jpg"),
        ("quote\"back\\slash'.jpg", "quote_back_slash'.jpg"),
        ("<img onerror=alert(1)>.jpg", "_img onerror=alert(1)_.jpg"),
        ("\u{202e}gpj.exe.jpg", "gpj.exe.jpg"),
        ("CON.jpg", "_CON.jpg"),
        ("trailing. . ", "trailing"),
        (long.as_str(), long.as_str()),
    ];
    for (told, stored) in names {
        for bytes in [3000, 2 * MIB] {
            let bench = Bench::new();
            let order = bench.file(told, bytes);
            bench.delivered(&order).await;
            assert_eq!(bench.stored_once(&order, told), bench.root().join("2023/11").join(stored), "{told:?}");
        }
    }
    let bench = Bench::new();
    let order = Order { filename: "../../../etc/passwd".to_owned(), ..bench.file("IMG_0001.jpg", 3000) };
    bench.delivered(&order).await;
    assert_eq!(bench.stored_once(&order, "a path for a name"), bench.root().join("2023/11/_._.._.._etc_passwd"));
}

#[tokio::test]
async fn after_a_crash_at_any_entry_it_goes_on() {
    for at in 0.. {
        let mut bench = Bench::new();
        let order = bench.file("IMG_0001.jpg", 21 * MIB);
        if !cut_at(&bench, &order, at).await {
            assert!(at >= 6, "a session and six offsets were written down, not {at}");
            break;
        }
        let sent = bench.transfer.bytes_sent();
        bench.transfer = Transfer::new(options()).unwrap();
        bench.delivered(&order).await;
        bench.stored_once(&order, &format!("killed at entry {at}"));
        assert!(sent + bench.transfer.bytes_sent() <= order.byte_count + 4 * MIB, "killed at entry {at}: sent again");
    }
}

#[tokio::test]
async fn a_lost_end_is_found_and_not_repeated() {
    for bytes in [20_000, 21 * MIB] {
        let bench = Bench::new();
        let order = bench.file("IMG_0001.jpg", bytes);
        // A session that the queue still knows, and a file that is there already.
        cut_at(&bench, &order, 0).await;
        let session = bench.memory.session.lock().unwrap().clone();
        bench.delivered(&order).await;
        bench.memory.confirmed.lock().unwrap().clear();
        *bench.memory.session.lock().unwrap() = session;
        let sent = bench.transfer.bytes_sent();
        assert!(bench.delivered(&order).await.evidence >= Evidence::Hashed);
        bench.stored_once(&order, "found");
        assert_eq!(bench.transfer.bytes_sent(), sent);
    }
}

#[tokio::test]
async fn a_size_without_its_bytes_is_not_believed() {
    let bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    assert!(cut_at(&bench, &order, 2).await);
    let part = bench.stored().pop().unwrap();
    let held = part.metadata().unwrap().len();
    assert!(held >= 8 * MIB, "{held}");
    // What a power cut may leave.
    let mut bytes = fs::read(&part).unwrap();
    bytes[5 << 20..6 << 20].fill(0);
    fs::write(&part, bytes).unwrap();
    bench.delivered(&order).await;
    bench.stored_once(&order, "after the damage");
}

#[tokio::test]
async fn a_file_that_changed_between_two_attempts_is_never_a_mixture() {
    let bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    assert!(cut_at(&bench, &order, 3).await);
    let changed: Vec<u8> = content(21 * MIB).into_iter().map(|byte| !byte).collect();
    fs::write(bench.photos.path().join("IMG_0001.jpg"), &changed).unwrap();
    bench.failed(&order, FailureClass::Transient, FailureCode::SourceChanged).await;
    assert_eq!(bench.stored(), Vec::<PathBuf>::new(), "the part was left");
    let new = bench.order("IMG_0001.jpg", 21 * MIB, &changed);
    bench.delivered(&new).await;
    bench.stored_once(&new, "the new version");
}

#[tokio::test]
async fn the_same_twice_is_one_file_and_one_name_is_two() {
    let bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 20_000);
    let first = bench.delivered(&order).await;
    bench.forget();
    assert_eq!(bench.delivered(&order).await.remote_id, first.remote_id);
    bench.stored_once(&order, "twice");
    for bytes in [20_001, 3 * MIB] {
        bench.forget();
        let other = Order { job_id: "other".into(), ..bench.file("IMG_0001.jpg", bytes) };
        let delivered = bench.delivered(&other).await;
        assert!(delivered.remote_id.ends_with(&format!("IMG_0001%20({}).jpg", &other.sha256[..8])), "{}", delivered.remote_id);
        bench.forget();
        assert_eq!(bench.delivered(&other).await.remote_id, delivered.remote_id);
    }
    assert_eq!(bench.stored().len(), 3);
    assert_eq!(fs::read(bench.root().join("2023/11/IMG_0001.jpg")).unwrap(), content(20_000));
}

#[tokio::test]
async fn a_drive_that_is_not_there_is_waited_for_and_nothing_is_made_in_its_place() {
    for bytes in [20_000, 2 * MIB] {
        let bench = Bench::new();
        let order = bench.file("IMG_0001.jpg", bytes);
        // Where a drive was mounted there is an empty folder now.
        fs::remove_dir(bench.root().join(MARK)).unwrap();
        let failure = bench.failed(&order, FailureClass::Transient, FailureCode::ConnectionLost).await;
        assert!(failure.message.contains("Photos") && failure.message.contains("Connect its drive"), "{}", failure.message);
        assert_eq!(fs::read_dir(bench.root()).unwrap().count(), 0);
        assert!(bench.transfer.test(Connector::Folder, &bench.account).await.is_err());
        assert_eq!(fs::read_dir(bench.root()).unwrap().count(), 0);
        // Or nothing.
        fs::remove_dir(bench.root()).unwrap();
        bench.failed(&order, FailureClass::Transient, FailureCode::ConnectionLost).await;
        assert!(!bench.root().exists());
        fs::create_dir_all(bench.root().join(MARK)).unwrap();
        bench.delivered(&order).await;
        bench.stored_once(&order, "the drive is back");
    }
}

#[tokio::test]
async fn a_drive_unplugged_midway_goes_on_where_it_was() {
    let bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    assert!(cut_at(&bench, &order, 3).await);
    let away = bench.drive.path().join("away");
    fs::rename(bench.root(), &away).unwrap();
    fs::create_dir(bench.root()).unwrap();
    bench.failed(&order, FailureClass::Transient, FailureCode::ConnectionLost).await;
    assert_eq!(fs::read_dir(bench.root()).unwrap().count(), 0);
    fs::remove_dir(bench.root()).unwrap();
    fs::rename(&away, bench.root()).unwrap();
    let sent = bench.transfer.bytes_sent();
    bench.delivered(&order).await;
    bench.stored_once(&order, "plugged in again");
    assert!(bench.transfer.bytes_sent() - sent <= 13 * MIB);
}

#[tokio::test]
async fn what_is_too_large_for_the_drive_is_said_before_a_byte() {
    let bench = Bench::new();
    let stat = rustix::fs::statvfs(bench.drive.path()).unwrap();
    let bytes = stat.f_bavail * stat.f_frsize + (64 << 30);
    let path = bench.photos.path().join("film.mov");
    if let Err(error) = fs::File::create(&path).and_then(|file| file.set_len(bytes)) {
        println!("SKIPPED: no sparse file of {bytes} bytes: {error}");
        return;
    }
    let failure = bench.failed(&bench.order("film.mov", bytes, b"?"), FailureClass::NeedsUser, FailureCode::QuotaExceeded).await;
    assert!(failure.message.contains("no room left"), "{}", failure.message);
    assert_eq!((bench.stored(), bench.transfer.bytes_sent()), (Vec::new(), 0));
}

/// A file system of its own in the place of the chosen folder. None, and loudly, where nobody may mount one.
struct Mounted(PathBuf);

impl Mounted {
    fn over(bench: &Bench, options: &str) -> Option<Self> {
        let root = bench.root();
        let made = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&root).output();
        if !made.is_ok_and(|made| made.status.success()) {
            println!("SKIPPED: no file system can be mounted here");
            return None;
        }
        let mounted = Self(root);
        fs::create_dir(mounted.0.join(MARK)).unwrap();
        Some(mounted)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_drive_that_fills_up_midway_is_said_and_goes_on_with_room() {
    let bench = Bench::new();
    let Some(mounted) = Mounted::over(&bench, "size=24m") else { return };
    let order = bench.file("IMG_0001.jpg", 20 * MIB);
    assert!(cut_at(&bench, &order, 2).await);
    fs::write(mounted.0.join("other"), content(10 * MIB)).unwrap();
    let failure = bench.failed(&order, FailureClass::NeedsUser, FailureCode::QuotaExceeded).await;
    assert!(failure.message.contains("no room left"), "{}", failure.message);
    fs::remove_file(mounted.0.join("other")).unwrap();
    let sent = bench.transfer.bytes_sent();
    bench.delivered(&order).await;
    bench.stored_once(&order, "with room again");
    assert!(bench.transfer.bytes_sent() - sent < 12 * MIB);
}

#[tokio::test]
async fn a_drive_that_is_read_only_is_said() {
    let bench = Bench::new();
    let Some(mounted) = Mounted::over(&bench, "size=24m") else { return };
    let remount = |options: &str| Command::new("mount").args(["-o", options]).arg(&mounted.0).status().unwrap().success();
    assert!(remount("remount,ro"));
    assert_eq!(bench.transfer.probe(Connector::Folder, &bench.account).await.unwrap_err().code, FailureCode::DestinationNotAllowed);
    for bytes in [20_000, 2 * MIB] {
        let order = bench.file("IMG_0001.jpg", bytes);
        let failure = bench.failed(&order, FailureClass::NeedsUser, FailureCode::DestinationNotAllowed).await;
        assert!(failure.message.contains("read-only"), "{}", failure.message);
    }
    assert!(remount("remount,rw"));
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.delivered(&order).await;
    bench.stored_once(&order, "writable again");
}

#[tokio::test]
async fn a_drive_pulled_from_its_place_leaves_nothing_there() {
    let bench = Bench::new();
    fs::remove_dir(bench.root().join(MARK)).unwrap();
    let Some(mounted) = Mounted::over(&bench, "size=24m") else { return };
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.delivered(&order).await;
    drop(mounted);
    bench.forget();
    bench.failed(&order, FailureClass::Transient, FailureCode::ConnectionLost).await;
    assert_eq!(fs::read_dir(bench.root()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_to_is_said() {
    if rustix::process::geteuid().is_root() {
        println!("SKIPPED: root may write everywhere");
        return;
    }
    let bench = Bench::new();
    fs::set_permissions(bench.root(), fs::Permissions::from_mode(0o555)).unwrap();
    for bytes in [20_000, 2 * MIB] {
        let order = bench.file("IMG_0001.jpg", bytes);
        let failure = bench.failed(&order, FailureClass::NeedsUser, FailureCode::DestinationNotAllowed).await;
        assert!(failure.message.contains("permissions"), "{}", failure.message);
    }
    fs::set_permissions(bench.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.delivered(&order).await;
    bench.stored_once(&order, "permitted");
}

#[tokio::test]
async fn no_link_leads_out_of_the_folder() {
    let bench = Bench::new();
    let (elsewhere, month) = (bench.drive.path().join("elsewhere"), bench.root().join("2023/11"));
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("IMG_0001.jpg"), "mine").unwrap();
    symlink(&elsewhere, bench.root().join("2023")).unwrap();
    for bytes in [20_000, 2 * MIB] {
        let order = bench.file("IMG_0001.jpg", bytes);
        bench.failed(&order, FailureClass::NeedsUser, FailureCode::DestinationNotAllowed).await;
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    }
    fs::remove_file(bench.root().join("2023")).unwrap();
    fs::create_dir_all(&month).unwrap();
    symlink(elsewhere.join("IMG_0001.jpg"), month.join("IMG_0001.jpg")).unwrap();
    let order = bench.file("IMG_0001.jpg", 20_000);
    let delivered = bench.delivered(&order).await;
    assert!(delivered.remote_id.contains(&order.sha256[..8]), "{}", delivered.remote_id);
    assert_eq!(fs::read(elsewhere.join("IMG_0001.jpg")).unwrap(), b"mine");
    assert!(month.join("IMG_0001.jpg").is_symlink());
}

#[tokio::test]
async fn a_stop_is_obeyed_and_the_part_is_kept() {
    let bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 21 * MIB);
    let cancel = CancellationToken::new();
    bench.transfer.set_bandwidth(Some(MIB));
    let delivery = bench.transfer.deliver(Connector::Folder, &bench.account, &order, &bench.memory, &bench.memory, &cancel);
    let stop = async {
        while bench.transfer.bytes_sent() < 300_000 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (outcome, ()) = tokio::join!(delivery, stop);
    assert_eq!(outcome, Outcome::Stopped);
    assert!(bench.transfer.bytes_sent() < 2 * MIB, "the cap was not kept");
    bench.transfer.set_bandwidth(None);
    bench.delivered(&order).await;
    bench.stored_once(&order, "after the stop");
}

#[tokio::test]
async fn the_test_of_a_folder_leaves_nothing() {
    for read_back in [false, true] {
        let mut bench = Bench::new();
        bench.account.config.read_back = read_back;
        bench.account.config.folder = Some("a/b".to_owned());
        fs::create_dir(bench.root().join("a")).unwrap();
        fs::write(bench.root().join("a/mine"), "mine").unwrap();
        let tested = bench.transfer.test(Connector::Folder, &bench.account).await.unwrap();
        assert_eq!(tested.capabilities.evidence, if read_back { Evidence::ReadBack } else { Evidence::Sized });
        assert_eq!(bench.stored(), [bench.root().join("a/mine")]);
        assert_eq!(fs::read_dir(bench.root().join("a")).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn what_is_no_folder_is_said() {
    let mut bench = Bench::new();
    let order = bench.file("IMG_0001.jpg", 20_000);
    bench.account.url = "https://photos.example/".parse().unwrap();
    bench.failed(&order, FailureClass::NeedsUser, FailureCode::DestinationNotAllowed).await;
    bench.account.url = Url::from_file_path(bench.photos.path().join("IMG_0001.jpg")).unwrap();
    bench.failed(&order, FailureClass::NeedsUser, FailureCode::DestinationNotAllowed).await;
}
