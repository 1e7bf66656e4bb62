//! The way of one delivery to a model server: what goes wrong on it, and what of it is held against the truth.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{Capabilities, Evidence, Failure, FailureClass, FailureCode, JobId, Timestamp};
use afterglow_transfer::{Begun, Content, Destination, Held, Limits, Payload, Proof, Setback};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    Dice, Invariant, Plant, World, lock,
    plan::Poison,
    server::{Server, failed, hex, parsed},
    turn::Seat,
};

/// Until a wish to be left alone is heard by all that is under way.
const HEARD_MS: u64 = 2_000;
/// Requests to a server that does not answer in [ten minutes](super::server::IN_VAIN_MS): six in a minute.
const REQUESTS_IN_VAIN: usize = 60;
/// Payload is put on the line in portions of so long.
const PORTION_MS: u64 = 250;

/// See the module. It holds the turn whenever it does not wait for an answer.
pub(crate) struct Line {
    pub(crate) world: Arc<World>,
    pub(crate) server: Arc<Mutex<Server>>,
    pub(crate) job: JobId,
    pub(crate) number: u64,
    pub(crate) poison: Poison,
    pub(crate) seat: Seat,
    /// The offset that the server last told on this line.
    pub(crate) told: Mutex<Option<u64>>,
}

/// What becomes of a request on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Fine,
    /// It never arrives, or in part.
    Cut,
    /// It is obeyed; the answer is lost.
    NoAnswer,
}

/// A request at the server.
struct Request {
    fate: Fate,
    dice: Dice,
}

impl Line {
    async fn pass(&self, time: Duration) -> Result<(), Setback> {
        let deaf = self.world.has_planted(Plant::StopsAreIgnored);
        if self.seat.pass(time, deaf).await { Ok(()) } else { Err(Setback::Stopped) }
    }

    /// A request goes out and comes in. What can go wrong before the server looks at it does so here.
    async fn arrive(&self, name: &str) -> Result<Request, Setback> {
        self.seat.take().await;
        self.is_left_alone();
        self.is_spared();
        let (mut dice, manners) = {
            let mut server = lock(&self.server);
            (server.chance(self.number), server.manners.clone())
        };
        let latency = Duration::from_millis(1 + dice.under(manners.latency_ms));
        let fate = if dice.permille(manners.cuts) {
            Fate::Cut
        } else if dice.permille(manners.lost_answers) {
            Fate::NoAnswer
        } else {
            Fate::Fine
        };
        let refused = self.refusal(&mut dice);
        self.pass(latency).await?;
        self.forget_old();
        let told = match (&refused, fate) {
            (Some(_), _) => "refused",
            (None, Fate::Fine) => "arrives",
            (None, Fate::Cut) => "is cut",
            (None, Fate::NoAnswer) => "arrives, its answer does not",
        };
        self.world.trace(&format!("job {} {name} {told}", self.number));
        match refused {
            Some(setback) => {
                if let Setback::Failed(Failure { retry_after_ms: Some(wait), .. }) = &setback {
                    let (now, mut server) = (self.world.boot_ms(), lock(&self.server));
                    let (from, until) = server.quiet_ms;
                    // A wish that is repeated while it is being heard is the same wish, for longer.
                    server.quiet_ms = (if now < until { from } else { now }, until.max(now + wait));
                }
                Err(setback)
            }
            None => Ok(Request { fate, dice }),
        }
    }

    /// A server that asked to be left alone is.
    fn is_left_alone(&self) {
        let now = self.world.boot_ms();
        let (number, (from, until)) = {
            let server = lock(&self.server);
            (server.number, server.quiet_ms)
        };
        if now > from + HEARD_MS && now < until {
            let early = until - now;
            lock(&self.world.truth).broken(
                Invariant::NoHotLoop,
                format!("job {} asked server {number} {early} ms before the time that it named", self.number),
            );
        }
    }

    /// A server that does not answer is not asked again and again.
    fn is_spared(&self) {
        let now = self.world.boot_ms();
        let (number, asked) = {
            let mut server = lock(&self.server);
            (server.number, server.is_asked(now))
        };
        if asked > REQUESTS_IN_VAIN {
            let what = format!("server {number} does not answer, and is asked {asked} times in ten minutes");
            lock(&self.world.truth).broken(Invariant::NoHotLoop, what);
        }
    }

    /// Sessions do not live for ever.
    fn forget_old(&self) {
        let old = {
            let mut server = lock(&self.server);
            server.forget(self.world.boot_ms()).into_iter().map(|session| (server.number, session)).collect::<Vec<_>>()
        };
        for (number, session) in old {
            let of = lock(&self.world.truth).number(&session.job);
            self.world.trace(&format!("server {number} forgets the session of job {of}"));
            if !session.complete {
                lock(&self.world.truth).excuse(&session.job, session.content.len() as u64);
            }
        }
    }

    /// What the server says of its sessions.
    fn limits(server: &Server) -> Limits {
        Limits { max_age: server.manners.max_age_s, ..Limits::default() }
    }

    fn refusal(&self, dice: &mut Dice) -> Option<Setback> {
        let server = lock(&self.server);
        let manners = &server.manners;
        let (throttled, error, minutes) = (dice.permille(manners.throttled), dice.permille(manners.errors), 1 + dice.under(60));
        if server.down {
            return Some(Setback::Doubt(failed(FailureClass::Transient, FailureCode::ConnectionLost)));
        }
        if server.locked_out {
            return Some(Setback::Failed(failed(FailureClass::NeedsUser, FailureCode::AuthenticationRequired)));
        }
        if throttled {
            let failure = failed(FailureClass::Transient, FailureCode::Throttled);
            return Some(Setback::Failed(Failure { retry_after_ms: Some(60_000 * minutes), ..failure }));
        }
        match self.poison {
            Poison::Refused => Some(Setback::Failed(failed(FailureClass::Permanent, FailureCode::ServerRejected))),
            Poison::Stubborn => Some(Setback::Failed(failed(FailureClass::Transient, FailureCode::ServerError))),
            Poison::Nothing => error.then(|| Setback::Doubt(failed(FailureClass::Transient, FailureCode::ServerError))),
        }
    }

    /// Whether it is planted that digests are not compared.
    fn believes(&self) -> bool {
        self.world.has_planted(Plant::DigestsAreBelieved)
    }

    /// Payload passes the line, as fast as it goes, into a session if there is one. Gives what arrived.
    async fn carry(&self, content: &[u8], request: &mut Request, into: Option<&Url>) -> (usize, Result<(), Setback>) {
        let arrived = match request.fate {
            Fate::Cut => usize::try_from(request.dice.under(content.len() as u64 + 1)).unwrap_or(0),
            Fate::Fine | Fate::NoAnswer => content.len(),
        };
        let portion = usize::try_from(lock(&self.server).manners.bytes_per_s * PORTION_MS / 1000).unwrap_or(1).max(1);
        let mut passed = 0;
        while passed < arrived {
            let part = portion.min(arrived - passed);
            let time_ms = 1 + PORTION_MS * part as u64 / portion as u64;
            let began = self.world.boot_ms();
            let stopped = self.pass(Duration::from_millis(time_ms)).await;
            let took = (self.world.boot_ms() - began).min(time_ms);
            let gone = if stopped.is_ok() {
                part
            } else {
                part * usize::try_from(took).unwrap_or(0) / usize::try_from(time_ms).unwrap_or(1)
            };
            *lock(&self.world.sent) += gone as u64;
            lock(&self.world.truth).payload(&self.job, gone as u64, began);
            match into {
                Some(url) => self.store(url, &content[passed..passed + gone]),
                None => lock(&self.world.truth).in_one(&self.job, gone as u64),
            }
            passed += gone;
            if stopped.is_err() {
                return (passed, stopped);
            }
        }
        (passed, Ok(()))
    }

    /// What arrives is there at once, whatever becomes of the rest.
    fn store(&self, upload_url: &Url, content: &[u8]) {
        let held = lock(&self.server).sessions.get_mut(upload_url.as_str()).map(|session| {
            session.content.extend_from_slice(content);
            session.content.len() as u64
        });
        self.holds(held.unwrap_or(0));
    }

    fn excuse(&self, bytes: u64) {
        lock(&self.world.truth).excuse(&self.job, bytes);
    }

    /// The server holds so much of the job.
    fn holds(&self, bytes: u64) {
        lock(&self.world.truth).holds(&self.job, bytes);
    }

    fn tells(&self, offset: u64) {
        *lock(&self.told) = Some(offset);
    }

    fn completed(&self, server: &mut Server, key: &str, content: &[u8]) -> String {
        let (sha256, copies) = server.complete(key, content);
        let now = self.world.boot_ms();
        lock(&self.world.truth).object(server.number, &self.job, &sha256, copies, now);
        self.holds(content.len() as u64);
        self.world.trace(&format!("server {} completes an object of job {}", server.number, self.number));
        sha256
    }

    /// What must hold before a byte is appended.
    fn may_send(&self, upload_url: &Url, offset: u64) {
        let mut truth = lock(&self.world.truth);
        let known = truth.jobs.get(&self.job).and_then(|job| job.stored_session.clone());
        if known.as_deref() != Some(upload_url.as_str()) {
            truth.broken(Invariant::IntentFirst, format!("job {} sends to a session that the journal does not know", self.number));
        }
        let told = *lock(&self.told);
        if told != Some(offset) {
            truth.broken(Invariant::OffsetSound, format!("job {} sends from {offset}, and was told {told:?}", self.number));
        }
    }

    fn gone(&self) -> Setback {
        Setback::SessionGone(failed(FailureClass::Transient, FailureCode::UnexpectedAnswer))
    }
}

/// The answer comes, or not.
fn answer<T>(fate: Fate, answer: T) -> Result<T, Setback> {
    match fate {
        Fate::Fine => Ok(answer),
        Fate::Cut | Fate::NoAnswer => Err(lost()),
    }
}

fn lost() -> Setback {
    Setback::Doubt(failed(FailureClass::Transient, FailureCode::ConnectionLost))
}

#[async_trait]
impl Destination for Line {
    fn host(&self) -> &str {
        "the server"
    }

    async fn probe(&self) -> Result<Capabilities, Setback> {
        let evidence = lock(&self.server).evidence;
        Ok(Capabilities { evidence, max_size: None, max_append_size: None, resumable: true, server: None, probed_at: Timestamp(0) })
    }

    async fn whole(&self, content: &Content, body: Bytes) -> Result<Proof, Setback> {
        let mut request = self.arrive("whole").await?;
        let (arrived, ended) = self.carry(&body, &mut request, None).await;
        lock(&self.world.truth).in_one_ends(&self.job);
        if request.fate != Fate::Fine || ended.is_err() {
            self.excuse(arrived as u64);
        }
        ended?;
        if request.fate == Fate::Cut {
            return Err(lost());
        }
        let proof = {
            let mut server = lock(&self.server);
            let sha256 = self.completed(&mut server, &content.key, &body);
            server.proof(&content.key, &sha256, body.len() as u64)
        };
        answer(request.fate, proof)
    }

    async fn begin(&self, content: &Content) -> Result<Begun, Setback> {
        let request = self.arrive("begin").await?;
        if request.fate == Fate::Cut {
            return Err(lost());
        }
        let begun = {
            let mut server = lock(&self.server);
            match server.objects.get(&content.key).cloned() {
                Some(sha256) => {
                    self.holds(content.byte_count);
                    Begun::Delivered(server.proof(&content.key, &sha256, content.byte_count))
                }
                None => {
                    let (url, offset) = server.session_for(&content.key, &self.job, self.world.boot_ms());
                    self.holds(offset);
                    self.tells(offset);
                    Begun::Session { upload_url: parsed(&url)?, offset, limits: Self::limits(&server) }
                }
            }
        };
        answer(request.fate, begun)
    }

    async fn offset(&self, upload_url: &Url) -> Result<Held, Setback> {
        let mut request = self.arrive("offset").await?;
        if request.fate == Fate::Cut {
            return Err(lost());
        }
        let held = {
            let mut server = lock(&self.server);
            let rate = server.manners.lost_sessions;
            if request.dice.permille(rate)
                && let Some(lost) = server.sessions.remove(upload_url.as_str())
            {
                self.world.trace(&format!("server {} loses the session of job {}", server.number, self.number));
                self.excuse(lost.content.len() as u64);
            }
            let tells = server.evidence >= Evidence::Hashed;
            let Some(session) = server.sessions.get(upload_url.as_str()) else { return Err(self.gone()) };
            self.tells(session.content.len() as u64);
            Held {
                offset: session.content.len() as u64,
                complete: session.complete,
                digest: tells.then(|| Sha256::digest(&session.content).into()).filter(|_| !self.believes()),
                limits: Self::limits(&server),
            }
        };
        answer(request.fate, held)
    }

    async fn send(&self, upload_url: &Url, offset: u64, payload: Payload) -> Result<Option<u64>, Setback> {
        self.seat.take().await;
        let content = read(payload).await?;
        self.may_send(upload_url, offset);
        let mut request = self.arrive("send").await?;
        let writing = (lock(&self.server).number, upload_url.to_string());
        if !lock(&self.world.truth).writing.insert(writing.clone()) {
            let what = format!("job {} sends to a session to which data goes already", self.number);
            lock(&self.world.truth).broken(Invariant::SingleWriter, what);
        }
        let refused = self.refuses(upload_url, offset);
        let into = refused.is_none().then_some(upload_url);
        let (arrived, ended) = self.carry(&content, &mut request, into).await;
        lock(&self.world.truth).writing.remove(&writing);
        if let Some(refused) = refused {
            self.excuse(arrived as u64);
            ended?;
            return answer(request.fate, ()).and(Err(refused));
        }
        let broke = ended.is_err() || request.fate == Fate::Cut;
        let lost = if broke { request.dice.under(arrived.min(4096) as u64 + 1) } else { 0 };
        let held = self.stored(upload_url, offset, lost, &mut request);
        // What was on the line when it broke is sent again, and all of what is in a session that was lost meanwhile.
        self.excuse((offset + arrived as u64).saturating_sub(*held.as_ref().unwrap_or(&offset)));
        ended?;
        let held = answer(request.fate, held?)?;
        self.tells(held);
        Ok(Some(held))
    }

    async fn finish(&self, upload_url: &Url, content: &Content) -> Result<Proof, Setback> {
        let request = self.arrive("finish").await?;
        if request.fate == Fate::Cut && self.world.has_planted(Plant::NoAnswerIsTrusted) {
            return Ok(lock(&self.server).proof(&content.key, &hex(&content.digest), content.byte_count));
        }
        if request.fate == Fate::Cut {
            return Err(lost());
        }
        let proof = {
            let mut server = lock(&self.server);
            let Some(session) = server.sessions.get_mut(upload_url.as_str()) else { return Err(self.gone()) };
            let (held, key, damaged) = (session.content.clone(), session.key.clone(), session.damaged);
            if held.len() as u64 != content.byte_count {
                return Err(Setback::OffsetIs(held.len() as u64));
            }
            session.complete = true;
            self.holds(held.len() as u64);
            if damaged && server.evidence < Evidence::Hashed {
                // Nobody can see it: a server that computes no digest proves no more than the size.
                self.world.trace(&format!("server {} stores damaged bytes of job {}", server.number, self.number));
                return answer(request.fate, Proof { remote_id: "damaged".to_owned(), digest: None, byte_count: None });
            }
            if damaged && self.believes() {
                return Ok(server.proof(&key, &hex(&content.digest), content.byte_count));
            }
            let sha256 = if damaged { hex(&Sha256::digest(&held)) } else { self.completed(&mut server, &key, &held) };
            server.proof(&key, &sha256, held.len() as u64)
        };
        answer(request.fate, proof)
    }

    async fn abort(&self, upload_url: &Url) {
        self.seat.take().await;
        let lost = lock(&self.server).sessions.remove(upload_url.as_str());
        if let Some(lost) = lost.filter(|session| !session.complete) {
            self.excuse(lost.content.len() as u64);
        }
    }
}

impl Line {
    /// Why a session does not take what is sent to it.
    fn refuses(&self, upload_url: &Url, offset: u64) -> Option<Setback> {
        let stands = {
            let server = lock(&self.server);
            let session = server.sessions.get(upload_url.as_str());
            session.map(|session| (session.content.len() as u64, session.complete))
        };
        match stands {
            None => Some(self.gone()),
            Some((stands, complete)) if complete || stands != offset => {
                self.tells(stands);
                Some(Setback::OffsetIs(stands))
            }
            Some(_) => None,
        }
    }

    /// A request that appended from `offset` is over: what a buffer held when the line broke is lost, as much as `lost`, and now and then a
    /// byte is stored wrong. Gives where the session stands.
    fn stored(&self, upload_url: &Url, offset: u64, lost: u64, request: &mut Request) -> Result<u64, Setback> {
        let mut server = lock(&self.server);
        let flip = request.dice.permille(server.manners.corrupted);
        let session = server.sessions.get_mut(upload_url.as_str()).ok_or_else(|| self.gone())?;
        let stands = (session.content.len() as u64).saturating_sub(lost).max(offset);
        session.content.truncate(usize::try_from(stands).unwrap_or(0));
        if flip && let Some(byte) = session.content.get_mut(usize::try_from(offset).unwrap_or(0)) {
            *byte ^= 1;
            session.damaged = true;
        }
        Ok(stands)
    }
}

async fn read(payload: Payload) -> Result<Vec<u8>, Setback> {
    match payload {
        Payload::Whole(bytes) => Ok(bytes.to_vec()),
        Payload::Blocks(mut blocks) => {
            let mut content = Vec::new();
            while let Some(block) = blocks.next().await {
                content.extend_from_slice(&block.map_err(|_| lost())?);
            }
            Ok(content)
        }
    }
}
