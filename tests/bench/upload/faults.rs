//! What trouble costs: bytes on the line beyond the file's, and time.

use std::time::{Duration, Instant};

use afterglow_tests::proxy::Proxy;
use anyhow::Result;
use futures_util::future::try_join_all;

use super::{
    client::{Client, Work},
    files::{Files, MB},
    server::{Kind, Server},
};

/// Bytes of the file that is sent over broken lines.
const LEN: usize = 240 * MB;
/// Cuts of its line, evenly.
const CUTS: u64 = 4;
/// Longest that a client is waited for after a cut or a kill.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How an upload went in trouble.
struct Outcome {
    /// Bytes on the line for each of the file, with header fields.
    sent: f64,
    /// From the trouble to the end, if it came.
    took: Option<Duration>,
    delivered: bool,
}

/// Breaks lines and kills clients: of every server at once, for time and processor are not what is measured, and silence takes long.
pub(crate) async fn print(servers: &[Server], patience: Duration) -> Result<()> {
    println!("\none file of {} MB over broken lines: bytes sent / bytes of the file, and whether it arrived", LEN / MB);
    println!(
        "    {:<10} {:<18} {:>16} {:>18} {:>18} {:>16}",
        "",
        "",
        format!("{CUTS} cuts"),
        "kill -9, restart",
        "silent line",
        "arrived after"
    );
    let real = servers.iter().filter(|server| server.kind != Kind::Sink);
    for row in try_join_all(real.map(|server| of_server(server, patience))).await?.concat() {
        println!("    {row}");
    }
    Ok(())
}

async fn of_server(server: &Server, patience: Duration) -> Result<Vec<String>> {
    let clients = server.clients();
    let recovering: Vec<_> = clients.iter().filter(|client| client.recovers()).collect();
    let mut broken = Vec::new();
    for (at, client) in recovering.iter().enumerate() {
        broken.push((cut(server, client, at).await?, killed(server, client, at).await?));
    }
    let silences = recovering.iter().enumerate().map(|(at, client)| silence(server, client, at, patience));
    let silences = try_join_all(silences).await?;
    let rows = recovering.iter().zip(broken).zip(silences);
    Ok(rows
        .map(|((client, (cut, killed)), silence)| {
            let took =
                silence.took.map_or(format!("not in {} s", patience.as_secs()), |time| format!("{:.1} s", time.as_secs_f64()));
            format!(
                "{:<10} {:<18} {:>16} {:>18} {:>18} {took:>16}",
                server.kind.name(),
                client.name(),
                cut.words(),
                killed.words(),
                silence.words()
            )
        })
        .collect())
}

impl Outcome {
    fn words(&self) -> String {
        format!("{:.3} {}", self.sent, if self.delivered { "yes" } else { "NO" })
    }
}

/// A file for a client and a trouble, of a size that no other has, and a line to the server.
struct Trial {
    files: Files,
    line: Proxy,
}

impl Trial {
    async fn new(server: &Server, trouble: usize, client: usize) -> Result<Self> {
        let number = trouble * 100 + client;
        let files = Files::one(&format!("film{number}.mov"), LEN + number)?;
        Ok(Self { files, line: Proxy::start(&server.url()?).await? })
    }

    /// Begins to upload.
    async fn begin<'a>(&'a self, server: &Server, client: &'a Client) -> Result<Option<Work<'a>>> {
        Work::begin(client, server, &self.line.over(&server.url()?)?, &self.files).await
    }

    async fn outcome(&self, server: &Server, took: Option<Duration>) -> Result<Outcome> {
        let delivered = server.holds(&self.files.sizes).await?;
        Ok(Outcome { sent: self.line.up() as f64 / self.files.bytes() as f64, took: took.filter(|_| delivered), delivered })
    }
}

async fn cut(server: &Server, client: &Client, at: usize) -> Result<Outcome> {
    let trial = Trial::new(server, 0, at).await?;
    trial.line.cut_at((1..=CUTS).map(|cut| cut * LEN as u64 / (CUTS + 1)).collect());
    if let Some(mut work) = trial.begin(server, client).await? {
        work.end(PATIENCE).await;
    }
    trial.outcome(server, None).await
}

async fn killed(server: &Server, client: &Client, at: usize) -> Result<Outcome> {
    let trial = Trial::new(server, 1, at).await?;
    if let Some(mut work) = trial.begin(server, client).await? {
        seen(PATIENCE, || trial.line.up() > LEN as u64 / 2).await;
        work.kill_and_restart().await?;
        work.end(PATIENCE).await;
    }
    trial.outcome(server, None).await
}

/// Whether and when it arrives, if after a third of the file the connections of that moment go silent.
async fn silence(server: &Server, client: &Client, at: usize, patience: Duration) -> Result<Outcome> {
    let trial = Trial::new(server, 2, at).await?;
    trial.line.silence_at(LEN as u64 / 3);
    let Some(mut work) = trial.begin(server, client).await? else { return trial.outcome(server, None).await };
    seen(PATIENCE, || trial.line.is_silent()).await;
    let begun = Instant::now();
    work.end(patience).await;
    trial.outcome(server, Some(begun.elapsed())).await
}

async fn seen(patience: Duration, is_so: impl Fn() -> bool) -> bool {
    let look = async {
        while !is_so() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::time::timeout(patience, look).await.is_ok()
}
