//! The serving side of draft-ietf-httpbis-resumable-upload-11, with the places where a fault may strike.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use std::io;
use tokio::net::TcpStream;

use super::{Fault, Object, Received, Shared, Step, Upload};
use crate::http::{Connection, Head};

/// How an exchange left the connection.
enum After {
    Open,
    Closing,
    Reset,
}

/// An answer before it is written.
struct Answer {
    status: &'static str,
    fields: Vec<String>,
    body: String,
}

impl Answer {
    fn new(status: &'static str) -> Self {
        Self { status, fields: Vec::new(), body: String::new() }
    }

    fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.fields.push(format!("{name}: {value}"));
        self
    }

    fn problem(status: &'static str, kind: &str) -> Self {
        let mut answer = Self::new(status).with("Content-Type", "application/problem+json");
        answer.body = format!("{{\"type\":\"https://iana.org/assignments/http-problem-types#{kind}\"}}");
        answer
    }
}

/// How the content of a request came in.
enum Taken {
    All,
    /// The fault struck.
    Cut,
    Answered(String),
    /// A newer request for the same upload came.
    Overtaken,
}

pub(super) async fn converse(stream: TcpStream, shared: &Shared) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(head)) = connection.head().await {
        match exchange(&mut connection, shared, &head).await {
            Ok(After::Open) => {}
            Ok(After::Closing) => {
                let _ = connection.end().await;
                return;
            }
            Ok(After::Reset) => {
                let _ = connection.reset();
                return;
            }
            Err(_) => return,
        }
    }
}

async fn exchange(connection: &mut Connection, shared: &Shared, head: &Head) -> io::Result<After> {
    let step = step_of(head);
    shared.state().requests.push(Received { step, path: head.path.clone(), headers: head.headers.clone() });
    let Some(step) = step else {
        return refuse(connection, Answer::new("405 Method Not Allowed")).await;
    };
    let fault = shared.fault(step);
    match &fault {
        Some(Fault::CutBefore) => return Ok(After::Reset),
        Some(Fault::Answer(text)) => {
            connection.raw(text).await?;
            return Ok(After::Closing);
        }
        Some(Fault::LoseAllBut(bytes)) => lose(shared, &head.path, *bytes),
        Some(Fault::ForgetSession) => drop(shared.state().uploads.remove(&head.path)),
        Some(_) | None => {}
    }
    if let Some(refusal) = refusal(shared, step, head) {
        return refuse(connection, refusal).await;
    }
    let answer = match step {
        Step::Whole if repeated(shared, head.header("idempotency-key")).is_some() => {
            drain(connection, shared, head).await?;
            repeated(shared, head.header("idempotency-key")).unwrap_or_else(|| Answer::new("404 Not Found"))
        }
        Step::Probe => probe(shared),
        Step::Create => create(shared, head),
        Step::Ask => ask(shared, head, &fault),
        Step::Cancel => cancel(shared, head),
        Step::Whole | Step::Append | Step::Complete => {
            let (path, writer) = match open(shared, step, head) {
                Ok(open) => open,
                Err(refusal) => return refuse(connection, refusal).await,
            };
            match take(connection, shared, head, &path, writer, &fault).await? {
                Taken::All if step == Step::Append => appended(shared, &path),
                Taken::All => complete(shared, step, &path, &fault),
                Taken::Cut | Taken::Overtaken => {
                    forget_if_whole(shared, step, &path);
                    return Ok(After::Reset);
                }
                Taken::Answered(text) => {
                    forget_if_whole(shared, step, &path);
                    connection.raw(&text).await?;
                    return Ok(After::Closing);
                }
            }
        }
    };
    if matches!(fault, Some(Fault::CutAfter)) {
        return Ok(After::Reset);
    }
    connection.answer(answer.status, &answer.fields, &answer.body).await?;
    Ok(After::Open)
}

async fn refuse(connection: &mut Connection, answer: Answer) -> io::Result<After> {
    connection.answer(answer.status, &answer.fields, &answer.body).await?;
    Ok(After::Closing)
}

fn step_of(head: &Head) -> Option<Step> {
    match (head.method.as_str(), head.header("upload-complete")) {
        ("OPTIONS", None) => Some(Step::Probe),
        ("POST", Some("?0")) => Some(Step::Create),
        ("POST", Some("?1")) => Some(Step::Whole),
        ("HEAD", None) => Some(Step::Ask),
        ("PATCH", Some("?0")) => Some(Step::Append),
        ("PATCH", Some("?1")) => Some(Step::Complete),
        ("DELETE", None) => Some(Step::Cancel),
        _ => None,
    }
}

/// What every request must have, and what no creation may exceed.
fn refusal(shared: &Shared, step: Step, head: &Head) -> Option<Answer> {
    let traits = &shared.traits;
    if traits.authorization.as_deref().is_some_and(|wanted| head.header("authorization") != Some(wanted)) {
        return Some(Answer::new("401 Unauthorized").with("WWW-Authenticate", "Bearer"));
    }
    if head.header("upload-draft-interop-version") != Some("8") {
        return Some(Answer::new("400 Bad Request"));
    }
    let is_creation = matches!(step, Step::Create | Step::Whole);
    let length = head.integer("upload-length");
    let told = head.integer("content-length").unwrap_or(0);
    if is_creation && (length.is_none() || (step == Step::Whole && length != Some(told))) {
        return Some(Answer::problem("400 Bad Request", "inconsistent-upload-length"));
    }
    let too_large = length.zip(traits.max_size).is_some_and(|(length, max)| length > max);
    if too_large || traits.max_append_size.is_some_and(|max| told > max) {
        return Some(Answer::new("413 Content Too Large").with("Upload-Limit", limits(shared)));
    }
    let is_append = matches!(step, Step::Append | Step::Complete);
    if is_append && head.header("content-type") != Some("application/partial-upload") {
        return Some(Answer::new("415 Unsupported Media Type").with("Accept-Patch", "application/partial-upload"));
    }
    None
}

fn limits(shared: &Shared) -> String {
    let mut limits = vec!["min-size=0".to_owned()];
    limits.extend(shared.traits.max_size.map(|size| format!("max-size={size}")));
    limits.extend(shared.traits.max_append_size.map(|size| format!("max-append-size={size}")));
    limits.join(", ")
}

fn probe(shared: &Shared) -> Answer {
    let answer =
        Answer::new("204 No Content").with("Accept-Patch", "application/partial-upload").with("Upload-Limit", limits(shared));
    if shared.traits.digests { answer.with("Want-Repr-Digest", "sha-256=10") } else { answer }
}

fn described(head: &Head) -> Upload {
    let name = head.header("content-disposition").and_then(|value| value.split("filename*=UTF-8''").nth(1));
    Upload {
        name: name.unwrap_or_default().to_owned(),
        key: head.header("idempotency-key").map(str::to_owned),
        length: head.integer("upload-length").unwrap_or(0),
        announced: head.header("repr-digest").map(str::to_owned),
        bytes: Vec::new(),
        complete: false,
        writer: 0,
    }
}

/// The object that a request with this key has made, as the answer to that request.
fn repeated(shared: &Shared, key: Option<&str>) -> Option<Answer> {
    let state = shared.state();
    let index = state.objects.iter().position(|object| key.is_some() && object.key.as_deref() == key)?;
    let bytes = state.objects[index].bytes.clone();
    drop(state);
    Some(stored(shared, "200 OK", index, &digest(&bytes)))
}

fn stored(shared: &Shared, status: &'static str, index: usize, digest: &str) -> Answer {
    let answer = Answer::new(status).with("Location", format!("/objects/{index}")).with("Upload-Complete", "?1");
    if shared.traits.digests { answer.with("Repr-Digest", digest) } else { answer }
}

fn create(shared: &Shared, head: &Head) -> Answer {
    if let Some(answer) = repeated(shared, head.header("idempotency-key")) {
        return answer;
    }
    let upload = described(head);
    let mut state = shared.state();
    let known = state.uploads.iter().find(|(_, open)| upload.key.is_some() && open.key == upload.key && !open.complete);
    let known = known.map(|(path, open)| (path.clone(), open.bytes.len()));
    let (path, offset) = known.unwrap_or_else(|| {
        state.uploads_begun += 1;
        let path = format!("/uploads/{}", state.uploads_begun);
        state.uploads.insert(path.clone(), upload);
        (path, 0)
    });
    drop(state);
    Answer::new("201 Created")
        .with("Location", path)
        .with("Upload-Complete", "?0")
        .with("Upload-Offset", offset)
        .with("Upload-Limit", limits(shared))
}

fn ask(shared: &Shared, head: &Head, fault: &Option<Fault>) -> Answer {
    let mut state = shared.state();
    let Some(upload) = state.uploads.get_mut(&head.path) else { return Answer::new("404 Not Found") };
    // Section "Concurrency": what still runs is ended, so that the offset holds.
    upload.writer += 1;
    let wrong = matches!(fault, Some(Fault::WrongDigest));
    let held = if wrong { digest(b"other bytes") } else { digest(&upload.bytes) };
    let answer = Answer::new("204 No Content")
        .with("Upload-Offset", upload.bytes.len())
        .with("Upload-Complete", if upload.complete { "?1" } else { "?0" })
        .with("Upload-Length", upload.length)
        .with("Upload-Limit", limits(shared))
        .with("Cache-Control", "no-store");
    if shared.traits.digests { answer.with("Repr-Digest", held) } else { answer }
}

fn cancel(shared: &Shared, head: &Head) -> Answer {
    let mut state = shared.state();
    if state.uploads.remove(&head.path).is_some() {
        return Answer::new("204 No Content");
    }
    let index = head.path.strip_prefix("/objects/").and_then(|index| index.parse::<usize>().ok());
    match index.filter(|index| *index < state.objects.len()) {
        Some(index) => {
            state.objects.remove(index);
            Answer::new("204 No Content")
        }
        None => Answer::new("404 Not Found"),
    }
}

/// Finds or makes what the content goes into, ends whoever writes to it, and refuses what does not fit.
fn open(shared: &Shared, step: Step, head: &Head) -> Result<(String, u64), Answer> {
    if step == Step::Whole {
        let mut state = shared.state();
        state.uploads_begun += 1;
        let path = format!("/whole/{}", state.uploads_begun);
        state.uploads.insert(path.clone(), described(head));
        return Ok((path, 0));
    }
    let mut state = shared.state();
    let upload = state.uploads.get_mut(&head.path).ok_or_else(|| Answer::new("404 Not Found"))?;
    upload.writer += 1;
    if upload.complete {
        return Err(Answer::problem("400 Bad Request", "completed-upload"));
    }
    let held = upload.bytes.len() as u64;
    if head.integer("upload-offset") != Some(held) {
        return Err(Answer::problem("409 Conflict", "mismatching-upload-offset").with("Upload-Offset", held));
    }
    let end = held + head.integer("content-length").unwrap_or(0);
    if end > upload.length || (step == Step::Complete && end != upload.length) {
        return Err(Answer::problem("400 Bad Request", "inconsistent-upload-length"));
    }
    Ok((head.path.clone(), upload.writer))
}

/// Reads the content and stores it as it comes.
async fn take(
    connection: &mut Connection,
    shared: &Shared,
    head: &Head,
    path: &str,
    writer: u64,
    fault: &Option<Fault>,
) -> io::Result<Taken> {
    let mut left = head.integer("content-length").unwrap_or(0);
    let (mut until_fault, mut releases) = (u64::MAX, shared.releases.subscribe());
    if let Some(Fault::CutAfterBytes(bytes) | Fault::HoldAfterBytes(bytes) | Fault::AnswerAfterBytes(bytes, _)) = fault {
        until_fault = *bytes;
    }
    while left > 0 {
        if until_fault == 0 {
            match fault {
                Some(Fault::HoldAfterBytes(_)) => {
                    // Ends with the server at the latest.
                    let _ = releases.changed().await;
                    until_fault = u64::MAX;
                }
                Some(Fault::AnswerAfterBytes(_, text)) => return Ok(Taken::Answered(text.clone())),
                Some(_) | None => return Ok(Taken::Cut),
            }
        }
        let chunk = connection.content(left.min(until_fault)).await?;
        left -= chunk.len() as u64;
        until_fault = until_fault.saturating_sub(chunk.len() as u64);
        let stored = match shared.state().uploads.get_mut(path) {
            Some(upload) if upload.writer == writer => {
                upload.bytes.extend_from_slice(&chunk);
                true
            }
            Some(_) | None => false,
        };
        shared.payload.send_modify(|payload| *payload += chunk.len() as u64);
        if !stored {
            return Ok(Taken::Overtaken);
        }
    }
    Ok(Taken::All)
}

/// Reads content that is not wanted.
async fn drain(connection: &mut Connection, shared: &Shared, head: &Head) -> io::Result<()> {
    let mut left = head.integer("content-length").unwrap_or(0);
    while left > 0 {
        let came = connection.content(left).await?.len() as u64;
        left -= came;
        shared.payload.send_modify(|payload| *payload += came);
    }
    Ok(())
}

fn appended(shared: &Shared, path: &str) -> Answer {
    let held = shared.state().uploads.get(path).map_or(0, |upload| upload.bytes.len());
    Answer::new("204 No Content").with("Upload-Complete", "?0").with("Upload-Offset", held)
}

fn complete(shared: &Shared, step: Step, path: &str, fault: &Option<Fault>) -> Answer {
    let mut state = shared.state();
    let Some(upload) = state.uploads.get_mut(path) else { return Answer::new("404 Not Found") };
    let held = digest(&upload.bytes);
    if shared.traits.digests && upload.announced.as_ref().is_some_and(|announced| *announced != held) {
        state.uploads.remove(path);
        return Answer::problem("400 Bad Request", "digest-mismatching-values").with("Upload-Complete", "?1");
    }
    upload.complete = true;
    let object = Object { name: upload.name.clone(), bytes: upload.bytes.clone(), key: upload.key.clone() };
    if step == Step::Whole {
        state.uploads.remove(path);
    }
    state.objects.push(object);
    let index = state.objects.len() - 1;
    drop(state);
    let stated = if matches!(fault, Some(Fault::WrongDigest)) { digest(b"other bytes") } else { held };
    stored(shared, "201 Created", index, &stated)
}

/// A file in one request leaves nothing behind when it is cut.
fn forget_if_whole(shared: &Shared, step: Step, path: &str) {
    if step == Step::Whole {
        shared.state().uploads.remove(path);
    }
}

fn lose(shared: &Shared, path: &str, keep: u64) {
    if let Some(upload) = shared.state().uploads.get_mut(path) {
        upload.bytes.truncate(usize::try_from(keep).unwrap_or(usize::MAX));
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}
