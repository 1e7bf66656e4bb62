//! A few journeys through the real windows: the built programs, WebKitGTK, WebDriver (W3C WebDriver 2), a display of Xvfb's.
//!
//! They need a display, a session bus and `WebKitWebDriver`, so they are ignored unless asked for: `./dev test` runs them last. What
//! the screens look like in every state is tested in Chromium, on the mock backend (`../screens`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on fails.

mod stage;
mod window;

use afterglow_client::{
    AppClient,
    model::{AuthorizationStatus, PairRequest},
};
use stage::{PHOTOS, Stage, until};
use window::Window;

/// Slow enough that an upload of the stage's photos takes many seconds, so that a window can be closed in the middle of it.
const SLOW_BYTES_PER_S: u64 = 20_000;

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn photos_of_a_new_folder_appear_in_the_grid() {
    let stage = Stage::set().await;
    let window = Window::open(&stage, &[]).await;
    stage.add_folder().await;

    window
        .see(
            "every thumbnail",
            "[...document.querySelectorAll('[role=gridcell] img')].filter(i => i.naturalWidth > 0).length",
            PHOTOS,
        )
        .await;
    for pane in ["uploads", "apps", "destinations", "settings", "library"] {
        window.click(&format!("a[href='#/{pane}']")).await;
        window.see(pane, "location.hash.slice(2)", pane).await;
        window.see_text("main").await;
    }
    assert_eq!(window.violations().await, Vec::<String>::new(), "the content security policy stops what the pages do");
    window.close().await;
}

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn an_upload_goes_on_when_the_window_is_closed() {
    let stage = Stage::set().await;
    stage.add_folder().await;
    stage.limit_bandwidth(Some(SLOW_BYTES_PER_S)).await;
    let window = Window::open(&stage, &[]).await;

    window.click("[role=gridcell][aria-selected]").await;
    window.press(window::CONTROL, "a").await;
    window.click_named("button", "Upload to").await;
    window.click_named("[role=menuitem]", "Archive").await;
    until("the upload moves", async || (stage.status().await.bytes_per_s > 0).then_some(())).await;

    window.close().await;
    until("the windows' process ends with its last window", async || stage.no_windows().then_some(())).await;
    let left = stage.status().await.jobs;
    assert!(left.open() > 0, "nothing was left to upload when the window was gone: {left:?}");

    stage.limit_bandwidth(None).await;
    let status = stage.everything_is_delivered().await;
    assert_eq!(status.jobs.succeeded, PHOTOS);
    assert_eq!(stage.received(), stage.photos());
}

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn a_killed_window_costs_no_upload() {
    let stage = Stage::set().await;
    stage.add_folder().await;
    let window = Window::open(&stage, &[]).await;
    window.see_text("main").await;
    let service = stage.status().await.pid;

    window.kill(&stage).await;

    stage.upload_everything().await;
    let status = stage.everything_is_delivered().await;
    assert_eq!(status.pid, service);
    assert_eq!(stage.received(), stage.photos());
}

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn the_person_answers_an_app_in_the_prompts_window() {
    let stage = Stage::set().await;
    stage.add_folder().await;
    let home = stage.home();
    let asking = tokio::spawn(async move {
        let request = PairRequest { name: "Reel Editor".to_owned(), url_bases: vec!["https://upload.example.com/in".to_owned()] };
        AppClient::pair(&home, &request).await
    });
    until("the question waits", async || (!stage.status().await.prompts.is_empty()).then_some(())).await;

    let window = Window::open(&stage, &["--pane", "prompt"]).await;
    window.see("who asks", "document.querySelector('h1').textContent.includes('Reel Editor')", true).await;
    window.see("where it would send", "document.body.textContent.includes('upload.example.com')", true).await;
    window.click_named("button", "Allow full library").await;

    let (_, paired) = asking.await.unwrap().unwrap();
    assert_eq!(paired.status, AuthorizationStatus::Authorized);
    until("the prompt's window goes with the question", async || stage.no_windows().then_some(())).await;
}

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn a_second_start_shows_its_pane_in_the_window_that_is_there() {
    let stage = Stage::set().await;
    let window = Window::open(&stage, &[]).await;
    window.see("the library first", "location.hash", "#/library").await;

    let second = window::start_another(&stage, &["--pane", "uploads"]).await;
    assert!(second.success(), "the second start ended with {second}");
    window.see("the pane of the second start", "location.hash", "#/uploads").await;
    window.close().await;
}

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn a_service_that_died_is_said_to_be_gone_and_started_again() {
    let mut stage = Stage::set().await;
    let window = Window::open(&stage, &[]).await;
    window.see_text("main").await;
    let died = stage.status().await.pid;
    stage.kill_service().await;

    window.click_named("button", "Start it").await;
    window
        .see(
            "the library again",
            "document.querySelector('nav') !== null && !document.body.innerText.includes('not running')",
            true,
        )
        .await;
    assert_ne!(stage.status().await.pid, died);
    window.close().await;
    stage.quit().await;
}

#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn a_server_that_nobody_vouches_for_is_trusted_on_the_persons_word() {
    let stage = Stage::set().await;
    let (_receiver, address) = stage.encrypted_receiver().await;
    let window = Window::open(&stage, &["--pane", "destinations"]).await;
    window.click_named("button", "Add a destination").await;
    // Engines differ in how high a dialog becomes by itself: WebKit's once hid all but the title.
    let shown = "document.querySelector('dialog .content').clientHeight > 300";
    window.see("the places to choose from", shown, true).await;
    window.click_named("button", "Resumable HTTP").await;
    window.write("Address", &address).await;
    window.write("Token, if it wants one", stage::TOKEN).await;
    window.write("Name", "Another computer").await;
    window.click_named("button", "Test and add").await;
    window.see("whose certificate it is", "document.body.innerText.includes('Afterglow receiver')", true).await;
    assert_eq!(stage.destinations().await.len(), 1, "nothing is added before the certificate is trusted");

    window.click_named("button", "Trust exactly this certificate").await;
    window.click_named("button", "Done").await;
    let destinations = stage.destinations().await;
    assert_eq!(destinations[1].url, address);

    // At another address of it, it is the same server.
    let also = address.replace("127.0.0.1", "localhost");
    window.click("button[aria-label^='More for'][aria-label*='Another computer']").await;
    window.click_named("[role=menuitem]", "Addresses…").await;
    window.click_named("button", "The server has another address").await;
    window.write("Address 2", &also).await;
    window.click_named("button", "Test and save").await;
    until("both addresses are kept", async || (stage.destinations().await[1].config.addresses == [also.clone()]).then_some(()))
        .await;
    assert_eq!(window.violations().await, Vec::<String>::new(), "the content security policy stops what the pages do");
    window.close().await;
}

/// The picture in the README, of the real window at work.
#[tokio::test]
#[ignore = "needs a display: ./dev test"]
async fn the_window_looks_like_its_picture_in_the_readme() {
    let stage = Stage::after_the_demo().await;
    let window = Window::open_for_a_picture(&stage).await;
    window.see("a screen of photos", "document.querySelectorAll('[role=gridcell] img').length > 12", true).await;
    window
        .see("every thumbnail", "[...document.querySelectorAll('[role=gridcell] img')].every(i => i.naturalWidth > 0)", true)
        .await;
    window.see("no photo on its way", "document.querySelector('[role=gridcell] .badge:not(.delivered)') === null", true).await;

    let picture = window.photograph().await;
    window.close().await;
    assert!(picture.starts_with(b"\x89PNG"), "the picture is no PNG");
    if std::env::var_os("AFTERGLOW_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screenshot.png"), picture).unwrap();
    }
}
