//! Model servers: they keep the protocol's promises, and fail in every way in which a server may.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{Capabilities, Evidence, Failure, FailureClass, FailureCode, JobId, Timestamp};
use afterglow_transfer::{Begun, Content, Destination, Held, Limits, Payload, Proof, Setback};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Dice, Plant, World, lock, truth::CUT_BYTES};

/// Until a wish to be left alone is heard by all that is under way.
const HEARD_MS: u64 = 2_000;

/// How a server behaves. Of a thousand requests so many go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// Milliseconds for an answer, at most.
    latency_ms: u64,
    /// Bytes per second that its line carries.
    bytes_per_s: u64,
    /// Requests whose connection breaks.
    cuts: u64,
    /// Requests that are obeyed, and whose answer is lost.
    lost_answers: u64,
    /// Requests that find their session gone.
    lost_sessions: u64,
    /// Requests that are asked to wait.
    throttled: u64,
    /// Appends of which a byte is stored wrong.
    corrupted: u64,
    /// Requests that end in an error of the server's.
    errors: u64,
}

impl Manners {
    fn of(dice: &mut Dice) -> Self {
        let mut rate = |often: &[u64]| dice.of(often);
        Self {
            latency_ms: rate(&[20, 200, 2_000]),
            bytes_per_s: rate(&[4_000, 40_000, 4_000_000]),
            cuts: rate(&[0, 20, 150]),
            lost_answers: rate(&[0, 20, 100]),
            lost_sessions: rate(&[0, 5, 40]),
            throttled: rate(&[0, 0, 30]),
            corrupted: rate(&[0, 0, 5]),
            errors: rate(&[0, 10, 100]),
        }
    }

    /// A server and a line without any fault.
    fn calm() -> Self {
        Self {
            latency_ms: 20,
            bytes_per_s: 4_000_000,
            cuts: 0,
            lost_answers: 0,
            lost_sessions: 0,
            throttled: 0,
            corrupted: 0,
            errors: 0,
        }
    }
}

/// An upload under way.
#[derive(Debug, Default)]
struct Session {
    key: String,
    content: Vec<u8>,
    complete: bool,
}

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) number: usize,
    dice: Dice,
    manners: Manners,
    pub(crate) evidence: Evidence,
    /// It does not answer at all.
    pub(crate) down: bool,
    /// It does not accept the credential.
    pub(crate) locked_out: bool,
    /// Nothing may be asked of it from the first to the second; what was under way gets a moment to hear of it.
    quiet_ms: (u64, u64),
    sessions: BTreeMap<String, Session>,
    next_session: u64,
    /// Completed objects: the SHA-256 of each, by its key.
    objects: BTreeMap<String, String>,
}

impl Server {
    pub(crate) fn new(seed: u64, number: usize) -> Self {
        let mut dice = Dice::new(seed, 100 + number as u64);
        let evidence = dice.of(&[Evidence::Hashed, Evidence::Hashed, Evidence::Sized]);
        let manners = Manners::of(&mut dice);
        Self {
            number,
            dice,
            manners,
            evidence,
            down: false,
            locked_out: false,
            quiet_ms: (0, 0),
            sessions: BTreeMap::new(),
            next_session: 0,
            objects: BTreeMap::new(),
        }
    }

    /// From now on it does nothing wrong.
    pub(crate) fn calm_down(&mut self) {
        self.manners = Manners::calm();
        (self.down, self.locked_out, self.quiet_ms) = (false, false, (0, 0));
    }

    /// Whether an object of this content is there.
    pub(crate) fn holds(&self, sha256: &str) -> bool {
        self.objects.values().any(|held| held == sha256)
    }

    /// Completes an object: the same key makes the same object.
    fn complete(&mut self, key: &str, content: &[u8]) -> (String, usize) {
        let sha256 = hex(&Sha256::digest(content));
        let held = self.objects.entry(key.to_owned()).or_insert(sha256).clone();
        let copies = self.objects.values().filter(|other| **other == held).count();
        (held, copies)
    }

    fn proof(&self, key: &str, sha256: &str, byte_count: u64) -> Proof {
        let digest = (self.evidence >= Evidence::Hashed).then(|| bytes_of(sha256));
        Proof { remote_id: format!("object-{key}"), digest, byte_count: Some(byte_count) }
    }
}

/// The way of one delivery to a server: it holds the turn whenever it does not wait for an answer.
pub(crate) struct Line {
    pub(crate) world: Arc<World>,
    pub(crate) server: Arc<Mutex<Server>>,
    pub(crate) job: JobId,
    pub(crate) number: usize,
    pub(crate) poison: bool,
    /// The person asked for it now, or lifted its rules.
    pub(crate) is_wanted_now: bool,
    pub(crate) cancel: CancellationToken,
    pub(crate) turn: Mutex<Option<OwnedMutexGuard<()>>>,
}

/// What becomes of a request on its way.
enum Fate {
    Fine,
    /// It never arrives, or in part.
    Cut,
    /// It is obeyed; the answer is lost.
    NoAnswer,
}

impl Line {
    /// Lets the others act for a while. Stops if somebody asks for that.
    async fn pass(&self, time: Duration) -> Result<(), Setback> {
        drop(lock(&self.turn).take());
        let stopped = tokio::select! {
            biased;
            () = self.obeyed() => true,
            () = tokio::time::sleep(time) => false,
        };
        let turn = self.world.turn().await;
        *lock(&self.turn) = Some(turn);
        if stopped { Err(Setback::Stopped) } else { Ok(()) }
    }

    async fn obeyed(&self) {
        if self.world.options.plant == Some(Plant::StopsAreIgnored) {
            std::future::pending::<()>().await;
        }
        self.cancel.cancelled().await;
    }

    /// A request goes out and comes in. What can go wrong before the server looks at it does so here.
    async fn arrive(&self, name: &str) -> Result<Fate, Setback> {
        let (fate, latency, refused) = {
            let mut server = lock(&self.server);
            let manners = server.manners.clone();
            let latency = 1 + server.dice.under(manners.latency_ms);
            let fate = if server.dice.permille(manners.cuts) {
                Fate::Cut
            } else if server.dice.permille(manners.lost_answers) {
                Fate::NoAnswer
            } else {
                Fate::Fine
            };
            let now = self.world.now().boot_ms;
            let (quiet_from, quiet_until) = server.quiet_ms;
            if now > quiet_from + HEARD_MS && now < quiet_until {
                let early = quiet_until - now;
                lock(&self.world.truth).broken(format!(
                    "RetryAfter: job {} asked server {} {early} ms before the time that the server named",
                    self.number, server.number
                ));
            }
            let refused = if server.down {
                Some(Setback::Doubt(failed(FailureClass::Transient, FailureCode::ConnectionLost)))
            } else if server.locked_out {
                Some(Setback::Failed(failed(FailureClass::NeedsUser, FailureCode::AuthenticationRequired)))
            } else if server.dice.permille(manners.throttled) {
                let wait = 60_000 * (1 + server.dice.under(60));
                let throttled = failed(FailureClass::Transient, FailureCode::Throttled);
                Some(Setback::Failed(Failure { retry_after_ms: Some(wait), ..throttled }))
            } else if server.dice.permille(manners.errors) {
                Some(Setback::Doubt(failed(FailureClass::Transient, FailureCode::ServerError)))
            } else if self.poison {
                Some(Setback::Failed(failed(FailureClass::Permanent, FailureCode::ServerRejected)))
            } else {
                None
            };
            (fate, Duration::from_millis(latency), refused)
        };
        self.pass(latency).await?;
        let told = match (&refused, &fate) {
            (Some(_), _) => "refused",
            (None, Fate::Fine) => "arrives",
            (None, Fate::Cut) => "is cut",
            (None, Fate::NoAnswer) => "arrives, its answer does not",
        };
        self.world.trace(format!("job {} {name} {told}", self.number));
        match refused {
            Some(setback) => {
                if let Setback::Failed(Failure { retry_after_ms: Some(wait), .. }) = &setback {
                    let (now, mut server) = (self.world.now().boot_ms, lock(&self.server));
                    let (from, until) = server.quiet_ms;
                    // A wish that is repeated while it is being heard is the same wish, for longer.
                    server.quiet_ms = (if now < until { from } else { now }, until.max(now + wait));
                }
                Err(setback)
            }
            None => Ok(fate),
        }
    }

    /// Whether it is planted that digests are not compared.
    fn believes(&self) -> bool {
        self.world.options.plant == Some(Plant::DigestsAreBelieved)
    }

    /// The answer comes, or not.
    fn answer<T>(fate: &Fate, answer: T) -> Result<T, Setback> {
        match fate {
            Fate::Fine => Ok(answer),
            Fate::Cut | Fate::NoAnswer => Err(Setback::Doubt(failed(FailureClass::Transient, FailureCode::ConnectionLost))),
        }
    }

    /// Payload passes the line, as fast as it goes. Gives what arrived.
    async fn carry(&self, content: &[u8], fate: &Fate) -> Result<(usize, Result<(), Setback>), Setback> {
        let (arrived, step) = {
            let mut server = lock(&self.server);
            let arrived = match fate {
                Fate::Cut => usize::try_from(server.dice.under(content.len() as u64 + 1)).unwrap_or(0),
                Fate::Fine | Fate::NoAnswer => content.len(),
            };
            (arrived, usize::try_from(server.manners.bytes_per_s).unwrap_or(usize::MAX))
        };
        let mut passed = 0;
        while passed < arrived {
            let part = step.min(arrived - passed);
            let time = Duration::from_millis(1 + 1000 * part as u64 / step as u64);
            let stopped = self.pass(time).await;
            passed += part;
            let now = self.world.now().boot_ms;
            lock(&self.world.truth).payload(&self.job, part as u64, 0, now, self.is_wanted_now);
            if stopped.is_err() {
                return Ok((passed, stopped));
            }
        }
        Ok((passed, Ok(())))
    }

    /// Of this much sent again nobody is surprised.
    fn excuse(&self, bytes: u64) {
        let now = self.world.now().boot_ms;
        lock(&self.world.truth).payload(&self.job, 0, bytes, now, true);
    }

    fn completed(&self, server: &mut Server, key: &str, content: &[u8]) -> String {
        let (sha256, copies) = server.complete(key, content);
        lock(&self.world.truth).object(server.number, &sha256, copies);
        self.world.trace(format!("server {} completes an object of job {}", server.number, self.number));
        sha256
    }
}

#[async_trait]
impl Destination for Line {
    fn host(&self) -> &str {
        "the server"
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        let evidence = lock(&self.server).evidence;
        Ok(Capabilities { evidence, max_size: None, max_append_size: None, resumable: true, probed_at: Timestamp(0) })
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        let fate = self.arrive("whole").await?;
        let (arrived, ended) = self.carry(&body, &fate).await?;
        if !matches!((&fate, &ended), (Fate::Fine, Ok(()))) {
            self.excuse(arrived as u64);
        }
        ended?;
        if arrived < body.len() || matches!(fate, Fate::Cut) {
            return Self::answer(&Fate::Cut, ()).and(Err(Setback::Stopped));
        }
        let proof = {
            let mut server = lock(&self.server);
            let sha256 = self.completed(&mut server, &content.key, &body);
            server.proof(&content.key, &sha256, body.len() as u64)
        };
        Self::answer(&fate, proof)
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let fate = self.arrive("begin").await?;
        if matches!(fate, Fate::Cut) {
            return Self::answer(&fate, ()).and(Err(Setback::Stopped));
        }
        let begun = {
            let mut server = lock(&self.server);
            match server.objects.get(&content.key).cloned() {
                Some(sha256) => Begun::Delivered(server.proof(&content.key, &sha256, content.byte_count)),
                None => {
                    let known = server.sessions.iter().find(|(_, session)| session.key == content.key && !session.complete);
                    let (url, offset) = match known {
                        Some((url, session)) => (url.clone(), session.content.len() as u64),
                        None => {
                            server.next_session += 1;
                            let url = format!("http://server/{}", server.next_session);
                            server.sessions.insert(url.clone(), Session { key: content.key.clone(), ..Session::default() });
                            (url, 0)
                        }
                    };
                    Begun::Session { upload_url: parsed(&url)?, offset, limits: Limits::default() }
                }
            }
        };
        Self::answer(&fate, begun)
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let fate = self.arrive("offset").await?;
        let held = {
            let mut server = lock(&self.server);
            let rate = server.manners.lost_sessions;
            if server.dice.permille(rate)
                && let Some(lost) = server.sessions.remove(upload_url.as_str())
            {
                self.world.trace(format!("server {} loses the session of job {}", server.number, self.number));
                drop(server);
                self.excuse(lost.content.len() as u64);
                server = lock(&self.server);
            }
            let tells = server.evidence >= Evidence::Hashed;
            let Some(session) = server.sessions.get(upload_url.as_str()) else {
                return Err(Setback::SessionGone(failed(FailureClass::Transient, FailureCode::UnexpectedAnswer)));
            };
            Held {
                offset: session.content.len() as u64,
                complete: session.complete,
                digest: tells.then(|| Sha256::digest(&session.content).into()).filter(|_| !self.believes()),
                limits: Limits::default(),
            }
        };
        Self::answer(&fate, held)
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        let content = read(payload).await?;
        let known = lock(&self.world.truth).jobs.get(&self.job).and_then(|job| job.stored_session.clone());
        if known.as_deref() != Some(upload_url.as_str()) {
            lock(&self.world.truth)
                .broken(format!("IntentFirst: job {} sends to a session that the journal does not know", self.number));
        }
        let fate = self.arrive("send").await?;
        let (arrived, ended) = self.carry(&content, &fate).await?;
        let answer = {
            let mut server = lock(&self.server);
            let wrong = server.manners.corrupted;
            let flip = server.dice.permille(wrong);
            // What was on the line when it broke may be lost, as much as a buffer holds.
            let broke = ended.is_err() || matches!(fate, Fate::Cut);
            let kept = if broke {
                arrived - usize::try_from(server.dice.under(arrived.min(4096) as u64 + 1)).unwrap_or(0)
            } else {
                arrived
            };
            match server.sessions.get_mut(upload_url.as_str()) {
                None => Err(Setback::SessionGone(failed(FailureClass::Transient, FailureCode::UnexpectedAnswer))),
                Some(session) if session.complete => Err(Setback::OffsetIs(session.content.len() as u64)),
                Some(session) if session.content.len() as u64 != offset => Err(Setback::OffsetIs(session.content.len() as u64)),
                Some(session) => {
                    let mut stored = content[..kept].to_vec();
                    if flip && let Some(byte) = stored.first_mut() {
                        *byte ^= 1;
                    }
                    session.content.extend_from_slice(&stored);
                    Ok(session.content.len() as u64)
                }
            }
        };
        match &answer {
            // All of what is in a damaged session is sent again.
            Ok(held) => self.excuse((offset + arrived as u64).saturating_sub(*held).min(CUT_BYTES)),
            Err(_) => self.excuse(arrived as u64),
        }
        ended?;
        Self::answer(&fate, answer?).map(Some)
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let fate = self.arrive("finish").await?;
        if matches!(fate, Fate::Cut) && self.world.options.plant == Some(Plant::NoAnswerIsTrusted) {
            return Ok(lock(&self.server).proof(&content.key, &hex(&content.digest), content.byte_count));
        }
        if matches!(fate, Fate::Cut) {
            return Self::answer(&fate, ()).and(Err(Setback::Stopped));
        }
        let proof = {
            let mut server = lock(&self.server);
            let Some(session) = server.sessions.get_mut(upload_url.as_str()) else {
                return Err(Setback::SessionGone(failed(FailureClass::Transient, FailureCode::UnexpectedAnswer)));
            };
            let (held, key) = (session.content.clone(), session.key.clone());
            if held.len() as u64 != content.byte_count {
                return Err(Setback::OffsetIs(held.len() as u64));
            }
            session.complete = true;
            let damaged = hex(&Sha256::digest(&held)) != hex(&content.digest);
            if damaged && server.evidence < Evidence::Hashed {
                // Nobody can see it: a server that computes no digest proves no more than the size.
                self.world.trace(format!("server {} stores damaged bytes of job {}", server.number, self.number));
                return Self::answer(&fate, Proof { remote_id: "damaged".to_owned(), digest: None, byte_count: None });
            }
            if damaged && self.believes() {
                return Ok(server.proof(&key, &hex(&content.digest), content.byte_count));
            }
            let sha256 = if damaged { hex(&Sha256::digest(&held)) } else { self.completed(&mut server, &key, &held) };
            server.proof(&key, &sha256, held.len() as u64)
        };
        Self::answer(&fate, proof)
    }

    async fn abort(&self, upload_url: &Url) {
        let lost = lock(&self.server).sessions.remove(upload_url.as_str());
        if let Some(lost) = lost.filter(|session| !session.complete) {
            self.excuse(lost.content.len() as u64);
        }
    }
}

async fn read(payload: Payload) -> Result<Vec<u8>, Setback> {
    match payload {
        Payload::Whole(bytes) => Ok(bytes.to_vec()),
        Payload::Blocks(mut blocks) => {
            let mut content = Vec::new();
            while let Some(block) = blocks.next().await {
                let block = block.map_err(|_| Setback::Doubt(failed(FailureClass::Transient, FailureCode::ConnectionLost)))?;
                content.extend_from_slice(&block);
            }
            Ok(content)
        }
    }
}

fn parsed(url: &str) -> Result<Url, Setback> {
    Url::parse(url).map_err(|_| Setback::Failed(failed(FailureClass::Permanent, FailureCode::Internal)))
}

/// A failure as a connector would report it.
pub(crate) fn failed(class: FailureClass, code: FailureCode) -> Failure {
    Failure { class, code, message: format!("{code:?}"), retry_after_ms: None }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(sha256: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&sha256[2 * at..2 * at + 2], 16).unwrap_or(0);
    }
    bytes
}
