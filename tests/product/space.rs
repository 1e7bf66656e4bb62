//! Freeing up space: what was proved to be held just now goes to the trash, on the person's word alone.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use afterglow_model::{
    AddDestination, AddedDestination, AssetId, BeginSpaceCheck, Connector, KeptReason, MoveToTrash, MovedToTrash, SpaceCheck,
    SpaceCheckState,
};
use afterglow_tests::{
    model_server::ModelServer,
    process::until,
    stage::{Receiver, Stage, photo, same},
};

use crate::assets::Gallery;

/// A home with a trash of its own, and photos delivered to a receiver called *Server*.
async fn delivered(names: &[&str]) -> (Stage, Receiver) {
    let mut stage = Stage::empty().unwrap();
    stage.environment.push(("XDG_DATA_HOME", stage.path("data").display().to_string()));
    stage.serve().await.unwrap();
    let server = stage.receiver("server").await.unwrap();
    for (seed, name) in (1..).zip(names) {
        photo(&stage.photos().join(name), seed, 30_000).unwrap();
    }
    stage.library().await.unwrap();
    let destination = stage.destination("Server", &server.url).await.unwrap();
    stage.rule(&destination).await.unwrap();
    stage.delivered().await.unwrap();
    (stage, server)
}

fn trashed(stage: &Stage) -> BTreeSet<String> {
    let entries = fs::read_dir(stage.path("data/Trash/files"));
    entries.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

async fn checked(stage: &Stage, request: BeginSpaceCheck) -> SpaceCheck {
    let owner = stage.owner().unwrap();
    let begun: SpaceCheck = owner.post("/v1/space-checks", &request).await.unwrap();
    let path = format!("/v1/space-checks/{}", begun.id);
    let ended = until("the end of the check", async || {
        let check: SpaceCheck = owner.get(&path).await?;
        anyhow::Ok(Some(check).filter(|check| check.state != SpaceCheckState::Running))
    });
    let check = ended.await.unwrap();
    assert_eq!((check.state, &check.problem), (SpaceCheckState::Done, &None));
    check
}

/// A check that names the server, since a server at an address of this computer counts no other way.
async fn checked_at(stage: &Stage, name: &str) -> SpaceCheck {
    checked(stage, BeginSpaceCheck { destination_id: Some(name.into()), ..BeginSpaceCheck::default() }).await
}

async fn to_trash(stage: &Stage, check: &SpaceCheck, asset_ids: Vec<AssetId>) -> MovedToTrash {
    stage.owner().unwrap().post(&format!("/v1/space-checks/{}/trash", check.id), &MoveToTrash { asset_ids }).await.unwrap()
}

fn all_of(check: &SpaceCheck) -> Vec<AssetId> {
    check.assets.iter().map(|asset| asset.asset_id.clone()).collect()
}

fn names_of(check: &SpaceCheck) -> BTreeSet<&str> {
    check.assets.iter().map(|asset| asset.filename.as_str()).collect()
}

fn kept(check: &SpaceCheck) -> Vec<(KeptReason, u64)> {
    check.kept.iter().map(|kept| (kept.reason, kept.assets)).collect()
}

#[tokio::test]
async fn what_the_server_holds_goes_to_the_trash_and_nothing_is_sent_or_removed_for_it() {
    let (stage, server) = delivered(&["a.jpg", "b.jpg", "c.jpg"]).await;
    let found = stage.does(&["free-up-space", "--destination", "Server"]).await.unwrap();
    assert!(found.contains("3 files (90 kB) can go to the trash. Nothing was moved."), "{found}");
    assert!(trashed(&stage).is_empty() && stage.photos().join("a.jpg").exists());

    let unasked = stage.cli(&["free-up-space", "--destination", "Server", "--move-to-trash"]).await.unwrap();
    assert_eq!(unasked.code, Some(1), "nobody is at a terminal: {unasked:?}");
    assert!(trashed(&stage).is_empty(), "not without the person's word");

    let held = server.files().unwrap();
    let copy = stage.path("copy.jpg");
    fs::copy(stage.photos().join("a.jpg"), &copy).unwrap();
    let moved = stage.does(&["free-up-space", "--destination", "Server", "--move-to-trash", "--yes"]).await.unwrap();
    assert!(moved.contains("3 files are in the trash (90 kB)."), "{moved}");
    assert_eq!(trashed(&stage), BTreeSet::from(["a.jpg", "b.jpg", "c.jpg"].map(str::to_owned)));
    assert!(same(&stage.path("data/Trash/files/a.jpg"), &copy).unwrap());
    let info = fs::read_to_string(stage.path("data/Trash/info/a.jpg.trashinfo")).unwrap();
    assert!(info.contains("DeletionDate=") && info.contains("photos/a.jpg"), "{info}");
    assert_eq!(fs::read_dir(stage.photos()).unwrap().count(), 0);

    // The library sees them go; the server keeps them, and what comes back is known by the ledger.
    let assets = async || anyhow::Ok(stage.asks(&["library", "list"]).await?[0]["assets"].as_u64());
    until("an empty library", async || Ok(assets().await?.filter(|count| *count == 0))).await.unwrap();
    fs::rename(stage.path("data/Trash/files/a.jpg"), stage.photos().join("a.jpg")).unwrap();
    until("the restored photo", async || Ok(assets().await?.filter(|count| *count == 1))).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(stage.status().await.unwrap().jobs.succeeded, 3, "no job was made for what is there");
    assert_eq!(server.files().unwrap(), held);
}

#[tokio::test]
async fn a_server_on_this_computer_counts_only_if_it_is_named_and_an_archive_never() {
    let (stage, _server) = delivered(&["a.jpg"]).await;
    let archive = stage.path("archive").display().to_string();
    stage.does(&["destination", "add", "archive", &archive, "--name", "Archive"]).await.unwrap();
    stage.does(&["rule", "add", "--album", "All Photos", "--to", "Archive"]).await.unwrap();
    stage.until_status("both deliveries", |status| status.jobs.succeeded == 2).await.unwrap();

    let check = checked(&stage, BeginSpaceCheck::default()).await;
    assert_eq!((check.assets.len(), kept(&check)), (0, vec![(KeptReason::OnThisComputer, 1)]));
    let check = checked_at(&stage, "Archive").await;
    assert_eq!((check.assets.len(), kept(&check)), (0, vec![(KeptReason::OnThisComputer, 1)]));
    assert_eq!(names_of(&checked_at(&stage, "Server").await), BTreeSet::from(["a.jpg"]));
}

#[tokio::test]
async fn what_the_server_lost_or_damaged_stays() {
    let (stage, server) = delivered(&["lost.jpg", "damaged.jpg", "held.jpg"]).await;
    let files = server.files().unwrap();
    fs::remove_file(&files["lost.jpg"]).unwrap();
    photo(&files["damaged.jpg"], 99, 30_000).unwrap();
    let check = checked_at(&stage, "Server").await;
    assert_eq!((names_of(&check), kept(&check)), (BTreeSet::from(["held.jpg"]), vec![(KeptReason::NotHeld, 2)]));

    drop(server);
    let check = checked_at(&stage, "Server").await;
    assert_eq!((check.assets.len(), kept(&check)), (0, vec![(KeptReason::Unreachable, 3)]));
    assert!(check.kept[0].sentence.contains("Server could not be asked"), "{:?}", check.kept);
}

#[tokio::test]
async fn only_what_was_checked_and_is_still_the_same_is_moved() {
    let (stage, _server) = delivered(&["changed.jpg", "swapped.jpg", "good.jpg"]).await;
    let at = |name: &str| stage.photos().join(name);
    let check = checked_at(&stage, "Server").await;
    assert_eq!(check.assets.len(), 3);
    photo(&at("changed.jpg"), 77, 30_000).unwrap();
    fs::rename(at("swapped.jpg"), stage.path("victim.jpg")).unwrap();
    symlink(stage.path("victim.jpg"), at("swapped.jpg")).unwrap();

    let asked = [vec!["unknown".into()], all_of(&check)].concat();
    let moved = to_trash(&stage, &check, asked).await;
    assert_eq!((moved.moved, moved.byte_count, moved.files.len()), (1, 30_000, 4));
    assert_eq!(trashed(&stage), BTreeSet::from(["good.jpg".to_owned()]));
    assert!(at("changed.jpg").exists() && stage.path("victim.jpg").exists() && at("swapped.jpg").is_symlink());
    let unknown = moved.files.iter().find(|file| file.asset_id.as_str() == "unknown").unwrap();
    assert!(unknown.path.is_none() && unknown.problem.is_some());

    // A proof is good for one try, and for the check that was begun last.
    let again = to_trash(&stage, &check, all_of(&check)).await;
    assert_eq!((again.moved, again.files.iter().filter(|file| file.problem.is_some()).count()), (0, 3));
    checked_at(&stage, "Server").await;
    let request = MoveToTrash { asset_ids: all_of(&check) };
    let refused = stage.owner().unwrap().post::<MovedToTrash>(&format!("/v1/space-checks/{}/trash", check.id), &request).await;
    assert!(refused.unwrap_err().to_string().contains("Check again"));
}

#[tokio::test]
async fn what_lies_in_a_folder_of_a_destination_or_may_not_be_moved_is_not_offered() {
    let (stage, _server) = delivered(&["free.jpg"]).await;
    let folder = stage.photos().join("drive");
    fs::create_dir_all(folder.join(".afterglow")).unwrap();
    photo(&folder.join("held.jpg"), 50, 30_000).unwrap();
    stage.until_status("the second delivery", |status| status.jobs.succeeded == 2).await.unwrap();
    let check = checked_at(&stage, "Server").await;
    assert_eq!((names_of(&check), kept(&check)), (BTreeSet::from(["free.jpg"]), vec![(KeptReason::DestinationFolder, 1)]));

    if rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: root may write to every folder");
        return;
    }
    let allow = |mode| fs::set_permissions(stage.photos(), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    let check = checked_at(&stage, "Server").await;
    allow(0o755);
    assert_eq!(check.assets.len(), 0);
    assert!(kept(&check).contains(&(KeptReason::ReadOnly, 1)), "{:?}", check.kept);
}

#[tokio::test]
async fn what_lies_in_the_trash_of_immich_is_not_held() {
    let mut stage = Stage::empty().unwrap();
    stage.environment.push(("XDG_DATA_HOME", stage.path("data").display().to_string()));
    stage.serve().await.unwrap();
    live_photo(&stage.photos().join("IMG_1.jpg"), 1);
    live_photo(&stage.photos().join("IMG_2.jpg"), 2);
    stage.library().await.unwrap();
    let server = ModelServer::start(Gallery::default()).await.unwrap();
    let request = AddDestination {
        connector: Connector::Immich,
        config: Default::default(),
        url: server.origin(),
        name: "Gallery".to_owned(),
        token: Some("key".to_owned()),
        sign_in: None,
        skip_test: true,
    };
    let added: AddedDestination = stage.owner().unwrap().post("/v1/destinations", &request).await.unwrap();
    stage.rule(&added.destination).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(checked_at(&stage, "Gallery").await.assets.len(), 2);

    // Of one of them the video alone lies in the trash: the whole photo stays.
    server.with(|gallery| gallery.trash("IMG_1.mov"));
    let check = checked_at(&stage, "Gallery").await;
    assert_eq!((names_of(&check), kept(&check)), (BTreeSet::from(["IMG_2.jpg"]), vec![(KeptReason::NotHeld, 1)]));
    let moved = to_trash(&stage, &check, all_of(&check)).await;
    assert_eq!(moved.moved, 2);
    assert_eq!(trashed(&stage), BTreeSet::from(["IMG_2.jpg", "IMG_2.mov"].map(str::to_owned)));
}

/// A still and its video, as one asset.
fn live_photo(still: &Path, seed: u64) {
    photo(still, seed, 3000).unwrap();
    let movie: PathBuf = still.with_extension("mov");
    photo(&movie, seed + 100, 20_000).unwrap();
    let bytes = [b"\0\0\0\x14ftypqt  \0\0\0\0qt  ".as_slice(), &fs::read(&movie).unwrap()].concat();
    fs::write(&movie, bytes).unwrap();
}
