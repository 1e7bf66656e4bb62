//! `./dev bench [idle|small|large|cuts|silence|plan]`: what the product costs, as tables. Asserts nothing; the tests do.
//! `./dev bench upload`: the same beside its peers.
#![allow(clippy::print_stdout, reason = "a table is for reading")]

mod cost;
mod plan;
mod upload;

use std::time::{Duration, Instant};

use afterglow_tests::{
    process::until,
    proxy::Proxy,
    stage::{Receiver, Stage, photo},
};
use anyhow::{Result, bail};

use cost::Cost;

/// How long the idle service is watched.
const IDLE: Duration = Duration::from_secs(60);
const MB: usize = 1_000_000;

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        Some((word, rest)) if word == "upload" => return upload::run(rest).await,
        Some((word, rest)) if word == upload::bare::WORD => return upload::bare::run(rest).await,
        Some(_) | None => {}
    }
    let all = ["plan", "idle", "small", "large", "cuts", "silence"];
    let words: Vec<&str> = if words.is_empty() { all.to_vec() } else { words.iter().map(String::as_str).collect() };
    for word in words {
        match word {
            "idle" => idle().await?,
            "small" => deliver("10,000 files of 20 kB", 10_000, 20_000).await?,
            "large" => deliver("3 files of 300 MB", 3, 300 * MB).await?,
            "cuts" => cuts().await?,
            "silence" => silence().await?,
            "plan" => plan::print().await?,
            other => bail!("{other}: say upload, {}", all.join(", ")),
        }
    }
    Ok(())
}

fn row(what: &str, figure: impl std::fmt::Display) {
    println!("  {what:<44} {figure:>14}");
}

/// A service with `n` photos of `len` bytes in its library, and a receiver; nothing is to be delivered yet.
async fn library(n: usize, len: usize) -> Result<(Stage, Receiver)> {
    let stage = Stage::new().await?;
    for seed in 0..n {
        photo(&stage.photos().join(format!("{seed}.jpg")), seed as u64 + 1, len)?;
    }
    let receiver = stage.receiver("archive").await?;
    Ok((stage, receiver))
}

async fn idle() -> Result<()> {
    let (mut stage, archive) = library(100, 20_000).await?;
    let destination = stage.destination("Archive", &archive.url).await?;
    stage.library().await?;
    stage.rule(&destination).await?;
    stage.delivered().await?;
    let pid = stage.service()?.pid();
    // What follows the last delivery has ended by then: the service gives its memory back after 10 s without work.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = Cost::of(pid)?;
    tokio::time::sleep(IDLE).await;
    let after = Cost::of(pid)?;
    println!("idle: 100 photos, all delivered, no window, {} s", IDLE.as_secs());
    row("resident memory, MB", format!("{:.1}", after.resident as f64 / 1e6));
    row("of it not shared with files, MB", format!("{:.1}", after.anonymous as f64 / 1e6));
    row("context switches of all threads", after.switches - before.switches);
    row("CPU, s", format!("{:.2}", (after.cpu - before.cpu).as_secs_f64()));
    Ok(())
}

async fn deliver(title: &str, n: usize, len: usize) -> Result<()> {
    let (mut stage, archive) = library(n, len).await?;
    let pid = stage.service()?.pid();
    let begun = Instant::now();
    stage.library().await?;
    stage.until_status("the end of the scan", |status| status.scan.is_none() && !status.looking).await?;
    let indexed = begun.elapsed();
    let destination = stage.destination("Archive", &archive.url).await?;
    let before = Cost::of(pid)?;
    let begun = Instant::now();
    stage.rule(&destination).await?;
    until("every delivery", async || Ok((stage.status().await?.jobs.succeeded == n as u64).then_some(()))).await?;
    let took = begun.elapsed();
    let after = Cost::of(pid)?;
    println!("{title}: indexed, then queued and delivered on loopback");
    row("indexing, s", format!("{:.1}", indexed.as_secs_f64()));
    row("delivering, s", format!("{:.1}", took.as_secs_f64()));
    row("files/s", format!("{:.0}", n as f64 / took.as_secs_f64()));
    row("MB/s", format!("{:.0}", (n * len) as f64 / 1e6 / took.as_secs_f64()));
    row("CPU of the service, s", format!("{:.1}", (after.cpu - before.cpu).as_secs_f64()));
    row("peak resident memory, MB", format!("{:.1}", after.peak as f64 / 1e6));
    row("files stored", archive.files()?.len());
    Ok(())
}

async fn cuts() -> Result<()> {
    println!("bytes sent again, of a file of 300 MB");
    for (what, bandwidth) in [("at 60 MB/s", Some(60_000_000)), ("as fast as it goes", None)] {
        row(&format!("after kill -9, {what}"), sent_again(bandwidth, true).await?);
        row(&format!("after ten cuts, {what}"), sent_again(bandwidth, false).await?);
    }
    Ok(())
}

async fn silence() -> Result<()> {
    let len = 300 * MB as u64;
    let stage = Stage::new().await?;
    let archive = stage.receiver("archive").await?;
    let line = Proxy::start(&archive.url).await?;
    stage.destination("Archive", &line.over(&archive.url)?).await?;
    photo(&stage.path("film.mp4"), 1, 300 * MB)?;
    let before = line.up();
    line.silence_at(before + len / 3);
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await?;
    until("the silence", async || Ok(line.is_silent().then_some(()))).await?;
    let (silent_at, begun) = (line.up(), Instant::now());
    until("bytes on another connection", async || Ok((line.up() > silent_at).then_some(()))).await?;
    let took = begun.elapsed();
    stage.delivered().await?;
    println!("a line that goes silent in a file of 300 MB");
    row("until bytes flow again, s", format!("{:.1}", took.as_secs_f64()));
    row("bytes sent again", (line.up() - before).saturating_sub(len));
    Ok(())
}

async fn sent_again(bandwidth: Option<u64>, kill: bool) -> Result<u64> {
    let len = 300 * MB as u64;
    let mut stage = Stage::new().await?;
    let archive = stage.receiver("archive").await?;
    let line = Proxy::start(&archive.url).await?;
    stage.destination("Archive", &line.over(&archive.url)?).await?;
    photo(&stage.path("film.mp4"), 1, 300 * MB)?;
    stage.settings(|settings| settings.bandwidth_bytes_per_s = bandwidth).await?;
    let before = line.up();
    if !kill {
        line.cut_at((1..=10).map(|cut| before + cut * len / 11).collect());
    }
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await?;
    if kill {
        until("half of the file", async || Ok((line.up() - before > len / 2).then_some(()))).await?;
        stage.service()?.kill()?;
        stage.serve().await?;
    }
    stage.delivered().await?;
    Ok((line.up() - before).saturating_sub(len))
}
