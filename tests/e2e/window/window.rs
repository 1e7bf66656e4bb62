//! One real window, driven as a person drives it: look, click, press, close.

use std::{
    fs,
    net::TcpListener,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    wd::Capabilities,
};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::Instant,
};

use crate::stage::{Stage, program, until};

/// The key that goes with others, as WebDriver writes it (W3C WebDriver 2, section 17.4.2).
pub(crate) const CONTROL: char = '\u{e009}';

/// Counts what the content security policy stops from now on.
const WATCH_VIOLATIONS: &str = "window.violations = []; \
    document.addEventListener('securitypolicyviolation', e => window.violations.push(`${e.effectiveDirective} ${e.blockedURI}`));";

/// A window and what drives it. Both end with the value.
pub(crate) struct Window {
    client: Client,
    _driver: Child,
}

/// Starts the windows' program once more, undriven, and says how it ended.
pub(crate) async fn start_another(stage: &Stage, args: &[&str]) -> ExitStatus {
    Command::new(program("AFTERGLOW_DESKTOP_BIN")).args(arguments(stage, args)).status().await.unwrap()
}

fn arguments(stage: &Stage, args: &[&str]) -> Vec<String> {
    let home = stage.home().explicit.unwrap().to_string_lossy().into_owned();
    ["--home".to_owned(), home].into_iter().chain(args.iter().map(|&arg| arg.to_owned())).collect()
}

impl Window {
    /// Starts the windows' program in the stage's home and waits for its first page.
    pub(crate) async fn open(stage: &Stage, args: &[&str]) -> Self {
        Self::start(stage, args, &[]).await
    }

    /// The main window, such that it can be photographed: with the renderer that the program turns off for the sake of some graphics
    /// drivers. Without it WebKitGTK 2.50 never answers to a wish for a picture.
    pub(crate) async fn open_for_a_picture(stage: &Stage) -> Self {
        Self::start(stage, &[], &[("WEBKIT_DISABLE_DMABUF_RENDERER", "0")]).await
    }

    async fn start(stage: &Stage, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = Command::new("WebKitWebDriver")
            .arg(format!("--port={port}"))
            // Tauri's windows let themselves be driven only if told so.
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("WebKitWebDriver is needed: ./dev setup installs it");
        // No `browserName`: the driver would look for a browser of that name.
        let mut capabilities = Capabilities::new();
        let options = json!({ "binary": program("AFTERGLOW_DESKTOP_BIN"), "args": arguments(stage, args) });
        capabilities.insert("webkitgtk:browserOptions".to_owned(), options);
        let address = format!("http://127.0.0.1:{port}");
        until("the driver listens", async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()).await;
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&address).await.unwrap();
        let window = Self { client, _driver: driver };
        window.see("a page", "document.querySelector('main') !== null", true).await;
        window.run(WATCH_VIOLATIONS).await;
        window
    }

    /// Waits until the page's expression has this value.
    pub(crate) async fn see(&self, what: &str, expression: &str, value: impl Into<Value>) {
        let (value, mut last) = (value.into(), Value::Null);
        let end = Instant::now() + Duration::from_secs(60);
        while last != value {
            if Instant::now() > end {
                let page = self.run("return document.body.innerText;").await;
                panic!("waited in vain for {what}: {expression} is {last}, not {value}. The page reads {page}");
            }
            last = self.run(&format!("return {expression};")).await;
        }
    }

    /// Waits until the first match of this selector holds some text.
    pub(crate) async fn see_text(&self, selector: &str) {
        self.see(selector, &format!("document.querySelector({selector:?})?.textContent.trim().length > 0"), true).await;
    }

    /// Clicks the first match of this selector, once it is there.
    pub(crate) async fn click(&self, selector: &str) {
        self.see(selector, &format!("document.querySelector({selector:?}) !== null"), true).await;
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Clicks the match of this selector that reads `name`, once it can be clicked.
    pub(crate) async fn click_named(&self, selector: &str, name: &str) {
        let found =
            format!("[...document.querySelectorAll({selector:?})].find(e => e.textContent.trim() === {name:?} && !e.disabled)");
        self.see(name, &format!("{found} !== undefined"), true).await;
        self.run(&format!("{found}.setAttribute('data-journey', {name:?});")).await;
        let button = self.client.find(Locator::Css(&format!("[data-journey={name:?}]"))).await.unwrap();
        // A click that closes the window may end before its answer; what it did is for the journey to see.
        let _ = button.click().await;
    }

    /// Writes into the field with this label, once it is there.
    pub(crate) async fn write(&self, label: &str, text: &str) {
        let field = format!("[...document.querySelectorAll('label')].find(e => e.textContent.trim() === {label:?})?.control");
        self.see(label, &format!("{field} != null"), true).await;
        self.run(&format!("{field}.setAttribute('data-journey', {label:?});")).await;
        let field = self.client.find(Locator::Css(&format!("[data-journey={label:?}]"))).await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses a key with another held.
    pub(crate) async fn press(&self, held: char, key: &str) {
        let mut keys = KeyActions::new("keyboard".to_owned()).then(KeyAction::Down { value: held });
        for value in key.chars() {
            keys = keys.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(keys.then(KeyAction::Up { value: held })).await.unwrap();
    }

    /// What the content security policy stopped.
    pub(crate) async fn violations(&self) -> Vec<String> {
        serde_json::from_value(self.run("return window.violations;").await).unwrap()
    }

    /// The window's content as a PNG.
    pub(crate) async fn photograph(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    /// Closes the window as its own button does.
    pub(crate) async fn close(self) {
        let close = "window.__TAURI_INTERNALS__.invoke('plugin:window|close', { label: 'main' });";
        // Whether an answer comes before the end is chance; whether the window is gone is for the journey to see.
        let _ = self.client.execute(close, Vec::new()).await;
    }

    /// Kills the windows' process as the system does when memory runs out.
    pub(crate) async fn kill(self, stage: &Stage) {
        let home = stage.home().explicit.unwrap().to_string_lossy().into_owned();
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let (Ok(pid), Ok(line)) = (process.file_name().to_string_lossy().parse(), fs::read(process.path().join("cmdline")))
            else {
                continue;
            };
            let line = String::from_utf8_lossy(&line).into_owned();
            if line.contains("afterglow-desktop") && line.contains(&home) {
                kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
            }
        }
        until("the windows are gone", async || stage.no_windows().then_some(())).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }
}
