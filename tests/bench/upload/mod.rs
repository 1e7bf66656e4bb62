//! `./dev bench upload`: our program beside what people use today, on the same servers with the same files, in one run.
//!
//! Our program runs as it ships: the service with its queue, journal, digests and proof, told by its command line. It is measured twice:
//! while it delivers what is in its queue, and with all that comes before: finding the files and taking them into the library. The peers run
//! with their best flags. The floor is a bare client ([`bare`]) that hashes and sends, and keeps nothing.

pub(crate) mod bare;
mod client;
mod faults;
mod files;
mod measure;
mod peers;
mod server;
mod sink;
mod table;

use std::time::Duration;

use afterglow_tests::proxy::Proxy;
use anyhow::{Context, Result, bail};

use self::{
    client::Client,
    files::{Files, MB},
    measure::Figures,
    server::{Kind, Server},
};

/// A round trip of 40 ms, one way.
const LONG: Duration = Duration::from_millis(20);

/// What is asked for.
struct Asked {
    kinds: Vec<Kind>,
    /// Photos, tiny photos, films, and bytes of each film.
    sizes: (usize, usize, usize, usize),
    /// Runs of each; the one in the middle counts.
    runs: usize,
    /// How long a line that went silent is watched.
    patience: Duration,
    /// Whether lines are broken at all, or long.
    lines: bool,
}

impl Asked {
    fn read(words: &[String]) -> Result<Self> {
        let mut asked =
            Self { kinds: Vec::new(), sizes: (300, 1000, 4, 64 * MB), runs: 1, patience: Duration::from_secs(45), lines: true };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value"));
            match word.as_str() {
                "--server" => asked.kinds.push(Kind::read(value()?)?),
                "--quick" => (asked.sizes, asked.lines) = ((100, 200, 4, 16 * MB), false),
                "--full" => asked.sizes = (2000, 20_000, 10, 300 * MB),
                "--runs" => asked.runs = value()?.parse::<usize>()?.max(1),
                "--patience" => asked.patience = Duration::from_secs(value()?.parse()?),
                other => bail!("{other}: say --server NAME, --quick, --full, --runs N, --patience SECONDS"),
            }
        }
        if asked.kinds.is_empty() {
            asked.kinds = Kind::ALL.to_vec();
        }
        Ok(asked)
    }
}

/// Measures and prints.
pub(crate) async fn run(words: &[String]) -> Result<()> {
    let asked = Asked::read(words)?;
    println!("uploading on loopback, plain HTTP, warm cache; processor and memory are the client's alone");
    println!("{}", measure::machine()?);
    let (photos, tiny, films, film) = asked.sizes;
    let sets = [
        Files::new(&format!("{photos} photos of 324 kB"), photos, 324_000)?,
        Files::new(&format!("{tiny} photos of 24 kB"), tiny, 24_000)?,
        Files::new(&format!("{films} films of {} MB", film / MB), films, film)?,
    ];
    let mut servers = Vec::new();
    for kind in &asked.kinds {
        match Server::start(*kind).await? {
            Some(server) => servers.push(server),
            None => println!("\nMISSING: no server for {}", kind.name()),
        }
    }
    for server in &mut servers {
        println!("\n{}", server.title());
        let clients = server.clients();
        for set in &sets {
            table::uploads(set, &all(server, None, &clients, set, asked.runs).await?);
        }
        // No server's time in it: the line's is what there is.
        if asked.lines && server.kind == Kind::Sink {
            let line = Proxy::of_length(&server.url()?, LONG).await?;
            let far = Files::new(&format!("1000 photos of 24 kB, a round trip of {} ms", 2 * LONG.as_millis()), 1000, 24_000)?;
            table::uploads(&far, &all(server, Some(&line), &clients, &far, asked.runs).await?);
        }
        for missing in server.missing() {
            println!("  MISSING: {missing} (./dev setup --servers)");
        }
    }
    if asked.lines {
        faults::print(&servers, asked.patience).await?;
    }
    println!("\n{}", measure::machine()?);
    Ok(())
}

/// What each client takes for a set, over a line or directly.
async fn all<'c>(
    server: &mut Server,
    line: Option<&Proxy>,
    clients: &'c [Client],
    set: &Files,
    runs: usize,
) -> Result<Vec<(&'c str, Figures)>> {
    let mut rows = Vec::new();
    for client in clients {
        rows.push((client.name(), measured(server, line, client, set, runs).await?));
    }
    Ok(rows)
}

/// The run in the middle of several, by processor time.
async fn measured(server: &mut Server, line: Option<&Proxy>, client: &Client, set: &Files, runs: usize) -> Result<Figures> {
    let mut figures = Vec::new();
    for _ in 0..runs {
        server.empty().await?;
        // An emptied server may be another one, elsewhere.
        let url = server.url()?;
        let url = line.map_or(Ok(url.clone()), |line| line.over(&url))?;
        let mut run = client.upload(server, &url, set).await.with_context(|| format!("{} to {}", client.name(), server.title()))?;
        run.delivered &= server.holds(&set.sizes).await?;
        figures.push(run);
    }
    figures.sort_by_key(|run| run.cpu);
    Ok(figures.swap_remove(runs / 2))
}
