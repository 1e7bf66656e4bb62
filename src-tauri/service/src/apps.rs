//! Other programs: pairing, access, and everything they may ask for. What is outside a grant looks as if it did not exist.

pub(crate) mod requests;

use afterglow_model::{
    AccessAnswer, App, AppEvent, AppId, AppKind, Asset, AssetCollection, AssetId, AssetResource, Assets, Authorization,
    AuthorizationStatus, ChangeToken, CollectionId, CollectionKind, Connector, CreateJob, Destination, Event, JobId, JobState,
    PairRequest, Paired, PersistentChanges, Priority, RequestAuthorization, ResourceId, RetryJob, SetAccess, SmartAlbum, UploadJob,
    is_invisible,
};
use afterglow_queue::{First, JobRequest, NewApp, NewBatch, NewDestination, NewJob};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    assets, clock,
    core::{Core, parse_url},
    engine::{Command, withdrawn},
    error::{Answer, Refusal},
    host,
    opaque::OpaqueIds,
    prompts::{self, NotAsked},
};

/// Longest name of an app, in characters: what a prompt can show.
const NAME_CHARS_MAX: usize = 60;
/// URL bases of an app: what a person can read in a prompt.
const BASES_MAX: usize = 8;
/// Jobs of an app that have not ended and been acknowledged. PhotoKit has such a limit too, without publishing it.
pub(crate) const JOB_LIMIT: u64 = 10_000;
/// Assets that a walk through a grant looks at in one go.
const PAGE: u64 = 500;

/// A paired program that has shown its key.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) app: App,
    id_key: [u8; 16],
}

/// Bytes that nobody can guess, 244 bits of them random: two version-4 UUIDs (RFC 9562, section 5.4).
fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    for half in bytes.chunks_exact_mut(16) {
        half.copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    }
    bytes
}

// ---- who ----

/// Introduces a program: the person is asked, and the call waits for the answer.
pub(crate) async fn pair(core: &Core, request: PairRequest, pid: Option<i32>) -> Answer<Paired> {
    let name = request.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(is_invisible) {
        return Err(Refusal::bad("bad_name", format!("A program needs a plain name of at most {NAME_CHARS_MAX} characters.")));
    }
    let url_bases = checked_bases(&request.url_bases)?;
    let executable = pid.and_then(host::executable);
    let key = HEXLOWER.encode(&Sha256::digest(random()));
    let mut id_key = [0; 16];
    id_key.copy_from_slice(&random()[..16]);
    let new = NewApp {
        name: name.clone(),
        kind: AppKind::External,
        executable: executable.clone(),
        url_bases: url_bases.clone(),
        destination_id: None,
        status: AuthorizationStatus::NotDetermined,
        key_hash: Some(key_hash(&key)),
        id_key,
    };
    let app = core.queue.add_app(new, clock::wall()).await?;
    core.tell(Event::AppsChanged);
    let status = ask(core, &app, url_bases).await?;
    if status == AuthorizationStatus::Denied {
        return Err(Refusal::denied(format!("The person did not let {name} in.")));
    }
    Ok(Paired { app_id: app.id, key, status })
}

/// The program that has this key.
pub(crate) async fn caller(core: &Core, key: &str) -> Answer<Caller> {
    match core.queue.app_by_key_hash(&key_hash(key)).await? {
        Some((app, id_key)) => Ok(Caller { app, id_key }),
        None => Err(Refusal {
            status: axum::http::StatusCode::UNAUTHORIZED,
            error: afterglow_model::ApiError::new("request", "not_paired", "This key is not known. Pair first."),
        }),
    }
}

/// Asks again if the person was not asked, or if there are new places to send to.
pub(crate) async fn request_authorization(core: &Core, caller: &Caller, request: RequestAuthorization) -> Answer<Authorization> {
    let mut bases = caller.app.url_bases.clone();
    let new: Vec<String> = checked_bases(&request.url_bases)?.into_iter().filter(|base| !bases.contains(base)).collect();
    let determined = caller.app.status != AuthorizationStatus::NotDetermined;
    if new.is_empty() && determined || caller.app.status == AuthorizationStatus::Denied {
        return Ok(Authorization { status: caller.app.status, url_bases: bases });
    }
    bases.extend(new);
    if bases.len() > BASES_MAX {
        return Err(Refusal::bad("too_many_bases", format!("An app can have {BASES_MAX} places to send to.")));
    }
    let status = ask(core, &caller.app, bases.clone()).await?;
    Ok(Authorization {
        status,
        url_bases: if status == AuthorizationStatus::Denied { caller.app.url_bases.clone() } else { bases },
    })
}

async fn ask(core: &Core, app: &App, bases: Vec<String>) -> Answer<AuthorizationStatus> {
    let question = prompts::prompt(app.id.clone(), app.name.clone(), app.executable.clone(), bases.clone(), clock::wall());
    let asked = core.prompts.ask(question).map_err(|refused| match refused {
        NotAsked::AlreadyAsking => Refusal::bad("operation_interrupted", "The person is being asked already. Wait for the answer."),
        NotAsked::TooMany => Refusal::bad("limit_exceeded", "Too many programs are asking. Try again later."),
    })?;
    // If the program goes away while the person thinks, its question goes too.
    let _gone = Forget(&core.prompts);
    let answer = tokio::select! {
        answer = asked => answer.ok(),
        () = core.quit.cancelled() => None,
    };
    let answer = answer.ok_or_else(|| Refusal::bad("user_cancelled", "The question was taken back before the person answered."))?;
    if answer != AccessAnswer::Deny {
        core.queue.set_url_bases(&app.id, bases).await?;
    }
    Ok(set_access(core, &app.id, SetAccess { answer }).await?.status)
}

struct Forget<'a>(&'a prompts::Prompts);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.forget_gone();
    }
}

/// Refuses a selection that names what is not in the library.
pub(crate) async fn check_selection(core: &Core, request: &SetAccess) -> Answer<()> {
    let AccessAnswer::Selected { asset_ids } = &request.answer else { return Ok(()) };
    let known = core.library.contains(&SmartAlbum::AllPhotos.id(), asset_ids).await?;
    match asset_ids.iter().zip(known).find(|(_, is_known)| !is_known) {
        Some((unknown, _)) => Err(Refusal::not_found("photo", unknown)),
        None => Ok(()),
    }
}

/// The person's answer, or change of mind. Transfers that it forbids end at once.
pub(crate) async fn set_access(core: &Core, app: &AppId, request: SetAccess) -> Answer<App> {
    let now = clock::wall();
    let (status, selection, said) = match &request.answer {
        AccessAnswer::Full => (AuthorizationStatus::Authorized, None, "You allowed the full library.".to_owned()),
        AccessAnswer::Selected { asset_ids } => (
            AuthorizationStatus::Limited,
            Some(asset_ids.as_slice()),
            format!("You allowed {}.", afterglow_model::count(asset_ids.len() as u64, "selected item", "selected items")),
        ),
        AccessAnswer::Deny => (AuthorizationStatus::Denied, None, "You allowed nothing.".to_owned()),
    };
    let app = core.queue.set_access(app, status, selection, now).await?;
    // What runs ends first; writing down what each of a million jobs waits for may take a while.
    core.command(Command::Reload).await;
    core.queue.log_app(&app.id, &said, now).await?;
    if status == AuthorizationStatus::Denied {
        core.queue.hold_app(&app.id, withdrawn()).await?;
    } else {
        core.queue.release_app(&app.id).await?;
    }
    core.command(Command::Jobs).await;
    core.tell(Event::AppsChanged);
    // Nobody may be listening.
    let _ = core.app_events.send((app.id.clone(), AppEvent::AuthorizationChanged));
    Ok(app)
}

// ---- what it may see ----

impl Caller {
    fn ids(&self) -> OpaqueIds {
        OpaqueIds::new(&self.id_key)
    }

    fn asset_inward(&self, id: &AssetId) -> Answer<AssetId> {
        self.ids().inward(id.as_str()).map(AssetId).ok_or_else(|| Refusal::not_found("asset", id))
    }

    /// Ids are one block; what is not (a collection made by name) goes out as it is.
    fn outward(&self, id: &str) -> String {
        self.ids().outward(id).unwrap_or_else(|| id.to_owned())
    }

    fn sees_all(&self) -> bool {
        self.app.status == AuthorizationStatus::Authorized
    }

    fn sees_any(&self) -> bool {
        matches!(self.app.status, AuthorizationStatus::Authorized | AuthorizationStatus::Limited)
    }

    fn asset(&self, asset: Asset) -> Asset {
        Asset { id: AssetId(self.outward(asset.id.as_str())), ..asset }
    }

    /// A file as an app sees it: without where it lies.
    fn resource(&self, resource: AssetResource) -> AssetResource {
        AssetResource {
            id: ResourceId(self.outward(resource.id.as_str())),
            asset_id: AssetId(self.outward(resource.asset_id.as_str())),
            paths: Vec::new(),
            ..resource
        }
    }

    /// A job with the ids that this app knows.
    pub(crate) fn job(&self, job: UploadJob) -> UploadJob {
        UploadJob {
            asset_id: job.asset_id.map(|id| AssetId(self.outward(id.as_str()))),
            resource_id: job.resource_id.map(|id| ResourceId(self.outward(id.as_str()))),
            ..job
        }
    }
}

/// The assets of a collection that the app may see, all of them. Only for limited grants, which are as long as a selection.
async fn selected_in(core: &Core, caller: &Caller, collection: &CollectionId) -> Answer<Vec<Asset>> {
    let selection = core.queue.selection(&caller.app.id).await?;
    let inside = core.library.contains(collection, &selection).await?;
    let members: Vec<AssetId> = selection.into_iter().zip(inside).filter_map(|(id, inside)| inside.then_some(id)).collect();
    let mut assets = core.library.assets_by_id(&members).await?;
    assets.sort_by_key(|asset| std::cmp::Reverse(asset.creation_date));
    Ok(assets)
}

/// Albums that hold something the app may see.
pub(crate) async fn collections(core: &Core, caller: &Caller) -> Answer<Vec<AssetCollection>> {
    if !caller.sees_any() {
        return Ok(Vec::new());
    }
    let mut visible = Vec::new();
    for mut collection in core.library.collections().await? {
        if !caller.sees_all() {
            collection.count = selected_in(core, caller, &collection.id).await?.len() as u64;
        }
        if collection.count > 0 {
            if collection.kind == CollectionKind::Folder {
                collection.source_id = None;
            }
            visible.push(collection);
        }
    }
    Ok(visible)
}

/// A page of a collection, as far as the app may see it.
pub(crate) async fn assets(core: &Core, caller: &Caller, collection: &CollectionId, offset: u64, limit: u64) -> Answer<Assets> {
    if !caller.sees_any() {
        return Ok(Assets { assets: Vec::new(), offset, total: 0 });
    }
    let limit = limit.clamp(1, PAGE);
    let (page, total) = if caller.sees_all() {
        core.library.assets(collection, offset, limit as u32).await?
    } else {
        let all = selected_in(core, caller, collection).await?;
        let total = all.len() as u64;
        (all.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(limit as usize).collect(), total)
    };
    Ok(Assets { assets: page.into_iter().map(|asset| caller.asset(asset)).collect(), offset, total })
}

/// The files of an asset.
pub(crate) async fn resources(core: &Core, caller: &Caller, asset: &AssetId) -> Answer<Vec<AssetResource>> {
    let known = visible(core, caller, asset).await?;
    let resources = core.library.resources(&known).await?;
    if resources.is_empty() {
        return Err(Refusal::not_found("asset", asset));
    }
    Ok(resources.into_iter().map(|resource| caller.resource(resource)).collect())
}

/// The library's id of an asset that the app may see.
async fn visible(core: &Core, caller: &Caller, asset: &AssetId) -> Answer<AssetId> {
    let known = caller.asset_inward(asset)?;
    let may = core.queue.may_see(&caller.app.id, std::slice::from_ref(&known)).await?;
    if may == [true] { Ok(known) } else { Err(Refusal::not_found("asset", asset)) }
}

/// What changed within the grant.
pub(crate) async fn changes(core: &Core, caller: &Caller, since: Option<&ChangeToken>) -> Answer<PersistentChanges> {
    let changes = core.library.changes(since, PAGE as u32).await?;
    let mut within = PersistentChanges {
        inserted: vec![],
        updated: vec![],
        deleted: vec![],
        change_token: changes.change_token,
        more: changes.more,
    };
    let parts =
        [(changes.inserted, &mut within.inserted), (changes.updated, &mut within.updated), (changes.deleted, &mut within.deleted)];
    for (ids, into) in parts {
        let may = core.queue.may_see(&caller.app.id, &ids).await?;
        into.extend(ids.into_iter().zip(may).filter(|(_, may)| *may).map(|(id, _)| AssetId(caller.outward(id.as_str()))));
    }
    Ok(within)
}

// ---- what it may do ----

/// Hands over an upload of a file that the app may see, to a place under one of its bases.
pub(crate) async fn create_job(core: &Core, caller: &Caller, request: CreateJob) -> Answer<UploadJob> {
    let url = requests::checked_url(caller, &request.destination, &request.body)?;
    let asset = visible(core, caller, &request.asset_id).await?;
    let resource = caller
        .ids()
        .inward(request.resource_id.as_str())
        .map(ResourceId)
        .ok_or_else(|| Refusal::not_found("resource", &request.resource_id))?;
    let open = core.queue.unacknowledged(&caller.app.id).await?;
    if open >= JOB_LIMIT {
        let message =
            format!("{open} jobs of this app are open or not acknowledged; {JOB_LIMIT} can be. Acknowledge those that have ended.");
        return Err(Refusal::conflict("limit_exceeded", message));
    }
    let destination = destination_for(core, caller, &url).await?;
    let after = match &request.after {
        Some(first) => Some(own_job(core, caller, first).await?),
        None => None,
    };
    let files = core.library.upload_files(&[asset]).await?;
    let file = files
        .into_iter()
        .find(|file| file.resource_id == resource)
        .ok_or_else(|| Refusal::not_found("resource", &request.resource_id))?;
    let _unspent = core.requests.lock().await;
    let kept = requests::keep(core, caller, &request.destination, &request.body, file.byte_count).await?;
    let draft = NewJob {
        client_reference: request.client_reference,
        options: request.options,
        // As it was given: what a name in it stands for is not known yet.
        url: Some(kept.url.clone()),
        headers_handle: kept.headers_handle.clone(),
        body_handle: kept.body_handle.clone(),
        after: after.map(First::Job),
        ..assets::draft(file)
    };
    let now = clock::wall();
    let name = draft.filename.clone();
    let batch = NewBatch {
        title: name.clone(),
        app_id: caller.app.id.clone(),
        destination_id: destination.id.clone(),
        priority: Priority::App,
        rule_id: None,
    };
    let made = core.queue.create_jobs(batch, vec![draft], now).await?;
    // The same twice is the same job, with the request that it had.
    requests::forget_unnamed(core, kept.handles()).await;
    core.queue.touch_app(&caller.app.id, now).await?;
    core.command(Command::Jobs).await;
    let id = made.jobs.first().ok_or_else(|| Refusal::internal("The job was not made."))?;
    core.queue.log_app(&caller.app.id, &format!("Handed over {name} for {}.", url.host_str().unwrap_or_default()), now).await?;
    let job = core.queue.job(id).await?.ok_or_else(|| Refusal::internal("The job is gone."))?;
    Ok(caller.job(job))
}

/// Tries a job again with another request: one that was signed anew, or with fresh header fields.
pub(crate) async fn retry_with(core: &Core, caller: &Caller, id: &JobId, request: RetryJob) -> Answer<UploadJob> {
    let job = core.queue.job(id).await?.filter(|job| job.app_id == caller.app.id).ok_or_else(|| Refusal::not_found("job", id))?;
    let url = requests::checked_url(caller, &request.destination, &request.body)?;
    let origin = url.origin().ascii_serialization();
    let destination = core
        .queue
        .destination(job.destination_id.as_str())
        .await?
        .ok_or_else(|| Refusal::not_found("destination", &job.destination_id))?;
    if destination.url != origin {
        return Err(Refusal::bad("other_origin", format!("The job goes to {}. Hand over another for {origin}.", destination.url)));
    }
    let _unspent = core.requests.lock().await;
    let kept = requests::keep(core, caller, &request.destination, &request.body, job.byte_count).await?;
    let request =
        JobRequest { url: kept.url.clone(), headers_handle: kept.headers_handle.clone(), body_handle: kept.body_handle.clone() };
    let replaced = core.queue.retry_with(id, request).await?;
    let is_open = replaced.is_some();
    requests::forget_unnamed(core, kept.handles().into_iter().chain(replaced.into_iter().flatten())).await;
    if !is_open {
        return Err(Refusal::conflict("not_open", not_open(job.state)));
    }
    core.command(Command::Jobs).await;
    let job = core.queue.job(id).await?.ok_or_else(|| Refusal::not_found("job", id))?;
    Ok(caller.job(job))
}

/// Why a job cannot be tried again.
fn not_open(state: JobState) -> &'static str {
    match state {
        JobState::Succeeded => "The job was delivered.",
        JobState::Cancelled => "The job was cancelled. Hand over another.",
        JobState::Registered | JobState::Pending | JobState::Failed => "The job is under way. Wait until the attempt has ended.",
    }
}

/// The destination that stands for an origin that this app sends to.
async fn destination_for(core: &Core, caller: &Caller, url: &Url) -> Answer<Destination> {
    let origin = url.origin().ascii_serialization();
    // One caller at a time: of two first jobs at once, the second finds what the first has made.
    let _others_wait = core.app_destinations.lock().await;
    let all = core.queue.destinations().await?;
    if let Some(known) = all.iter().find(|other| other.app_id == caller.app.id && other.url == origin) {
        return Ok(known.clone());
    }
    let host = url.host_str().unwrap_or_default();
    let name = format!("{} → {host}{}", caller.app.name, url.port().map(|port| format!(":{port}")).unwrap_or_default());
    // A program that was paired anew is another app, whose uploads are told apart from those of before.
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    let name = std::iter::once(name.clone()).chain(numbered).find(|name| all.iter().all(|other| other.name != *name));
    let new = NewDestination {
        name: name.unwrap_or_default(),
        connector: Connector::Resumable,
        config: Default::default(),
        url: origin,
        capabilities: None,
        has_credential: false,
        app_id: Some(caller.app.id.clone()),
    };
    let destination = core.queue.add_destination(new, clock::wall()).await?;
    core.command(Command::Reload).await;
    core.tell(Event::DestinationsChanged);
    Ok(destination)
}

/// The job of this app that another one is to come after.
async fn own_job(core: &Core, caller: &Caller, id: &JobId) -> Answer<JobId> {
    let known = core.queue.job(id).await?.filter(|job| job.app_id == caller.app.id);
    known.map(|job| job.id).ok_or_else(|| Refusal::not_found("job", id))
}

// ---- where it may send ----

/// Bases in one spelling, or what is wrong with one.
fn checked_bases(bases: &[String]) -> Answer<Vec<String>> {
    if bases.len() > BASES_MAX {
        return Err(Refusal::bad("too_many_bases", format!("An app can have {BASES_MAX} places to send to.")));
    }
    bases
        .iter()
        .map(|base| {
            let url = parse_url(base)?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(Refusal::bad("bad_url", format!("{base}: a base has no query and no fragment.")));
            }
            if url.scheme() == "http" && !host::is_local(base) {
                return Err(Refusal::bad("cleartext", format!("{base}: photos go over https, except to this computer.")));
            }
            Ok(url.to_string())
        })
        .collect()
}

/// A URL under one of the bases: the same origin, and the base's path up to a `/`.
pub(crate) fn allowed_url(text: &str, bases: &[String]) -> Answer<Url> {
    let url = parse_url(text)?;
    let under = |base: &String| {
        let Ok(base) = Url::parse(base) else { return false };
        let path = base.path().trim_end_matches('/');
        let rest = url.path().strip_prefix(path);
        base.origin() == url.origin() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // Encoded dots and slashes mean different things to different servers; a path with them is under nothing for sure.
    let plain = !["%2e", "%2f", "%5c"].iter().any(|code| url.path().to_ascii_lowercase().contains(code));
    if plain && bases.iter().any(under) {
        return Ok(url);
    }
    Err(Refusal {
        status: axum::http::StatusCode::FORBIDDEN,
        error: afterglow_model::ApiError::new(
            "transfer",
            "destination_not_allowed",
            format!("{text} is not under what the person allowed: {}.", bases.join(", ")),
        ),
    })
}

fn key_hash(key: &str) -> [u8; 32] {
    Sha256::digest(key.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_only_under_a_base() {
        let bases = vec!["https://up.example.com/in".to_owned(), "http://127.0.0.1:9000/".to_owned()];
        for good in ["https://up.example.com/in", "https://up.example.com/in/a", "http://127.0.0.1:9000/files"] {
            assert!(allowed_url(good, &bases).is_ok(), "{good}");
        }
        let bad = [
            "https://up.example.com/inside",
            "https://up.example.com/in/../out",
            "https://up.example.com/in/%2e%2e/out",
            "https://up.example.com:444/in",
            "http://up.example.com/in",
            "https://evil.example.com/in",
            "https://up.example.com@evil.example.com/in",
            "file:///etc/passwd",
        ];
        for bad in bad {
            assert!(allowed_url(bad, &bases).is_err(), "{bad}");
        }
    }

    #[test]
    fn cleartext_stays_on_this_computer() {
        assert!(checked_bases(&["http://up.example.com/".to_owned()]).is_err());
        assert!(checked_bases(&["http://127.0.0.1:1234/".to_owned()]).is_ok());
    }
}
