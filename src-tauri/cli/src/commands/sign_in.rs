//! Signing in in the browser: says which page is to be opened, opens it, and waits for the answer.

use std::time::Duration;

use afterglow_client::model::{BeginSignIn, Connector, DestinationConfig, DestinationId, SignIn, SignInId, SignInState};
use indicatif::ProgressBar;

use super::{Call, read_token};
use crate::{args::BrowserArgs, output};

/// How often it is asked whether the person has answered.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Where to.
pub(super) struct To<'a> {
    pub(super) connector: Connector,
    pub(super) url: &'a str,
    pub(super) config: &'a DestinationConfig,
    /// One that is signed in to again.
    pub(super) destination: Option<&'a DestinationId>,
}

/// Signs in. What it gives stays in the service; the id stands for it. Ctrl-C cancels.
pub(super) async fn run(call: &Call, browser: &BrowserArgs, to: To<'_>) -> anyhow::Result<SignInId> {
    let request = BeginSignIn {
        connector: to.connector,
        url: to.url.to_owned(),
        config: to.config.clone(),
        client_secret: browser.client_secret_stdin.then(read_token).transpose()?,
        destination_id: to.destination.cloned(),
    };
    let SignIn { id, open_url } = call.owner.post("/v1/sign-ins", &request).await?;
    let path = format!("/v1/sign-ins/{id}");
    say(call, &format!("Sign in in your browser: {open_url}"));
    if !browser.no_browser
        && let Err(error) = open::that_detached(&open_url)
    {
        say(call, &format!("No browser could be opened ({error}). Open the page yourself."));
    }
    let ended = tokio::select! {
        ended = wait(call, &path) => ended,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("the sign-in was cancelled; nothing was added")),
    };
    match ended {
        Ok(user) => {
            say(call, &user.map_or_else(|| "Signed in.".to_owned(), |user| format!("Signed in as {user}.")));
            Ok(id)
        }
        Err(error) => {
            // It may have ended by itself.
            let _ = call.owner.delete(&path).await;
            Err(error)
        }
    }
}

/// Waits for the answer: the account's name, if the server tells.
async fn wait(call: &Call, path: &str) -> anyhow::Result<Option<String>> {
    let waiting = (!call.json && output::is_terminal()).then(ProgressBar::new_spinner);
    if let Some(waiting) = &waiting {
        waiting.set_message("Waiting for your browser. Ctrl-C cancels.");
        waiting.enable_steady_tick(Duration::from_millis(120));
    }
    let ended = loop {
        match call.owner.get(path).await? {
            SignInState::Waiting => tokio::time::sleep(ASK_EVERY).await,
            SignInState::Done { user } => break Ok(user),
            SignInState::Failed { message } => break Err(anyhow::anyhow!(message)),
        }
    };
    if let Some(waiting) = waiting {
        waiting.finish_and_clear();
    }
    ended
}

/// What is said on the way; the standard output of `--json` is the answer's alone.
fn say(call: &Call, text: &str) {
    if call.json { output::aside(text) } else { output::line(text) }
}
