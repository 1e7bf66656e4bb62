//! The commands that talk to the service.

mod addresses;
mod apps;
mod certificate;
mod cleartext;
mod destinations;
mod jobs;
mod library;
mod rules;
mod sign_in;
mod space;
mod status;
pub(crate) mod wait;

use std::{io::Read, path::PathBuf};

use afterglow_client::{home_from_env, owner::Owner};
use anyhow::Context;

use crate::{
    Exit,
    args::{Command, Socket},
    output,
};

/// What every command has at hand.
struct Call {
    owner: Owner,
    json: bool,
}

/// Runs a command. Those that need a service start it, but for those that only ask or end it.
pub(crate) async fn run(home: Option<PathBuf>, json: bool, command: Command) -> anyhow::Result<Exit> {
    let home = home_from_env(home)?;
    let owner = match &command {
        Command::Status | Command::Why { .. } | Command::Wait { .. } | Command::Quit => Owner::connect(&home).await?,
        _ => Owner::connect_or_start(&home).await?,
    };
    let call = Call { owner, json };
    match command {
        Command::Status => status::status(&call).await,
        Command::Why { job } => status::why(&call, job).await,
        Command::Rules(command) => rules::run(&call, command).await,
        Command::History { limit } => rules::history(&call, limit).await,
        Command::Pause { time } => status::pause(&call, time).await,
        Command::Resume => status::resume(&call).await,
        Command::Now { job, network } => status::now(&call, job, network).await,
        Command::Open { pane } => status::open(&call, pane).await,
        Command::Quit => status::quit(&call).await,
        Command::Wait { timeout } => wait::run(&call.owner, timeout, call.json).await,
        Command::Library(command) => library::run(&call, command).await,
        Command::Album(command) => library::albums(&call, command).await,
        Command::Destination(command) => destinations::run(&call, command).await,
        Command::Rule(command) => destinations::rules(&call, command).await,
        Command::Add { files, to } => jobs::add(&call, files, to).await,
        Command::Jobs { state, limit } => jobs::list(&call, state, limit).await,
        Command::Retry { jobs } => jobs::retry(&call, jobs).await,
        Command::Cancel { jobs } => jobs::cancel(&call, jobs).await,
        Command::FreeUpSpace(args) => space::run(&call, args).await,
        Command::App(command) => apps::run(&call, command).await,
        // Those have no service to talk to; `main` runs them.
        Command::Serve(_)
        | Command::Receive(_)
        | Command::Demo(_)
        | Command::Completions { .. }
        | Command::Decode { .. }
        | Command::Openapi { .. } => Ok(Exit::Done),
    }
}

/// Prints an OpenAPI document.
pub(crate) fn openapi(socket: Socket) -> anyhow::Result<Exit> {
    let document = match socket {
        Socket::Owner => afterglow_service::owner_openapi(),
        Socket::Apps => afterglow_service::apps_openapi(),
    };
    output::json(&document)?;
    Ok(Exit::Done)
}

/// A secret from the standard input, without the line's end.
fn read_token() -> anyhow::Result<String> {
    let mut token = String::new();
    // A token is short; a wrong file on the input is not read to its end.
    std::io::stdin().take(64 * 1024).read_to_string(&mut token).context("the token could not be read from the standard input")?;
    let token = token.trim().to_owned();
    anyhow::ensure!(!token.is_empty(), "the standard input holds no token");
    Ok(token)
}
