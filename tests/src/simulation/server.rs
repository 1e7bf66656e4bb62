//! Model servers: they keep the protocol's promises, and fail in every way in which a server may. The way to one is [`super::line`].

use std::collections::{BTreeMap, VecDeque};

use afterglow_model::{Evidence, Failure, FailureClass, FailureCode, JobId};
use afterglow_transfer::{Proof, Setback};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Dice, Scenario};

/// After so long everything that was under way has heard that a server does not answer.
const SILENCE_HEARD_MS: u64 = 60_000;

/// For so long requests to a server that does not answer are counted: each attempt is a few, one soon after the other.
pub(crate) const IN_VAIN_MS: u64 = 10 * 60_000;

/// How a server behaves. Of a thousand requests so many go wrong.
#[derive(Debug, Clone)]
pub(crate) struct Manners {
    /// Milliseconds for an answer, at most.
    pub(crate) latency_ms: u64,
    /// Bytes per second that its line carries.
    pub(crate) bytes_per_s: u64,
    /// Requests whose connection breaks.
    pub(crate) cuts: u64,
    /// Requests that are obeyed, and whose answer is lost.
    pub(crate) lost_answers: u64,
    /// Requests that find their session gone.
    pub(crate) lost_sessions: u64,
    /// Requests that are asked to wait.
    pub(crate) throttled: u64,
    /// Appends of which a byte is stored wrong.
    pub(crate) corrupted: u64,
    /// Requests that end in an error of the server's.
    pub(crate) errors: u64,
    /// Seconds after which a session is forgotten.
    pub(crate) max_age_s: Option<u64>,
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
            max_age_s: dice.of(&[None, Some(2 * 3600), Some(20 * 3600), Some(60 * 3600)]),
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
            max_age_s: None,
        }
    }
}

/// An upload under way.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) key: String,
    /// Whose it is.
    pub(crate) job: JobId,
    /// When the server forgets it.
    pub(crate) expires_ms: Option<u64>,
    pub(crate) content: Vec<u8>,
    pub(crate) complete: bool,
    /// A byte was stored wrong.
    pub(crate) damaged: bool,
}

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) number: usize,
    seed: u64,
    pub(crate) manners: Manners,
    pub(crate) evidence: Evidence,
    /// It does not answer at all.
    pub(crate) down: bool,
    /// When it was first asked nevertheless.
    silent_since: Option<u64>,
    /// When it was asked lately.
    asked_in_vain: VecDeque<u64>,
    /// It does not accept the credential.
    pub(crate) locked_out: bool,
    /// Nothing may be asked of it from the first to the second; what was under way gets a moment to hear of it.
    pub(crate) quiet_ms: (u64, u64),
    pub(crate) sessions: BTreeMap<String, Session>,
    next_session: u64,
    /// Completed objects: the SHA-256 of each, by its key.
    pub(crate) objects: BTreeMap<String, String>,
    /// Requests of each job.
    requests: BTreeMap<u64, u64>,
}

impl Server {
    pub(crate) fn new(seed: u64, number: usize, scenario: Scenario) -> Self {
        let mut dice = Dice::new(seed, 100 + number as u64);
        let evidence = dice.of(&[Evidence::Hashed, Evidence::Hashed, Evidence::Sized]);
        let manners = match scenario {
            Scenario::Week => Manners::of(&mut dice),
            Scenario::Flapping | Scenario::Poisoned => {
                Manners { bytes_per_s: dice.of(&[12_000, 40_000, 4_000_000]), ..Manners::calm() }
            }
        };
        Self {
            number,
            seed,
            manners,
            evidence,
            down: false,
            silent_since: None,
            asked_in_vain: VecDeque::new(),
            locked_out: false,
            quiet_ms: (0, 0),
            sessions: BTreeMap::new(),
            next_session: 0,
            objects: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// From now on it does nothing wrong.
    pub(crate) fn calm_down(&mut self) {
        self.manners = Manners::calm();
        (self.down, self.locked_out, self.quiet_ms) = (false, false, (0, 0));
    }

    /// It stops to answer, or answers again.
    pub(crate) fn goes(&mut self, down: bool) {
        (self.down, self.silent_since) = (down, self.silent_since.filter(|_| down));
    }

    /// There is a reason to ask it again.
    pub(crate) fn may_be_back(&mut self) {
        self.silent_since = None;
    }

    /// It is asked although it does not answer. Gives how often that was lately, once its silence was heard by all that was under
    /// way.
    pub(crate) fn is_asked(&mut self, now_ms: u64) -> usize {
        if !self.down {
            return 0;
        }
        if now_ms < *self.silent_since.get_or_insert(now_ms) + SILENCE_HEARD_MS {
            self.asked_in_vain.clear();
            return 0;
        }
        self.asked_in_vain.push_back(now_ms);
        self.asked_in_vain.retain(|at| now_ms - at < IN_VAIN_MS);
        self.asked_in_vain.len()
    }

    /// What chance has in store for the next request of a job, whatever becomes of others.
    pub(crate) fn chance(&mut self, job: u64) -> Dice {
        let nth = self.requests.entry(job).or_default();
        *nth += 1;
        Dice::named(self.seed, &[200 + self.number as u64, job, *nth])
    }

    /// Whether an object of this content is there.
    pub(crate) fn holds(&self, sha256: &str) -> bool {
        self.objects.values().any(|held| held == sha256)
    }

    /// The session for a key: the one that is open, or a new one.
    pub(crate) fn session_for(&mut self, key: &str, job: &JobId, now_ms: u64) -> (String, u64) {
        let open = self.sessions.iter().find(|(_, session)| session.key == key && !session.complete);
        if let Some((url, session)) = open {
            return (url.clone(), session.content.len() as u64);
        }
        self.next_session += 1;
        let url = format!("http://server/{}", self.next_session);
        let (key, job, content) = (key.to_owned(), job.clone(), Vec::new());
        let expires_ms = self.manners.max_age_s.map(|s| now_ms + s * 1000);
        self.sessions.insert(url.clone(), Session { key, job, expires_ms, content, complete: false, damaged: false });
        (url, 0)
    }

    /// Forgets sessions that are too old; gives them.
    pub(crate) fn forget(&mut self, now_ms: u64) -> Vec<Session> {
        let is_old = |session: &Session| session.expires_ms.is_some_and(|at| at <= now_ms);
        self.sessions.extract_if(.., |_, session| is_old(session)).map(|(_, session)| session).collect()
    }

    /// Completes an object: the same key makes the same object. Gives what is held under it, and how often.
    pub(crate) fn complete(&mut self, key: &str, content: &[u8]) -> (String, usize) {
        let sha256 = hex(&Sha256::digest(content));
        let held = self.objects.entry(key.to_owned()).or_insert(sha256).clone();
        let copies = self.objects.values().filter(|other| **other == held).count();
        (held, copies)
    }

    pub(crate) fn proof(&self, key: &str, sha256: &str, byte_count: u64) -> Proof {
        let digest = (self.evidence >= Evidence::Hashed).then(|| bytes_of(sha256));
        Proof { remote_id: format!("object-{key}"), digest, byte_count: Some(byte_count) }
    }
}

/// A failure as a connector would report it.
pub(crate) fn failed(class: FailureClass, code: FailureCode) -> Failure {
    Failure { class, code, message: format!("{code:?}"), retry_after_ms: None, certificate: None }
}

pub(crate) fn parsed(url: &str) -> Result<Url, Setback> {
    Url::parse(url).map_err(|_| Setback::Failed(failed(FailureClass::Permanent, FailureCode::Internal)))
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
