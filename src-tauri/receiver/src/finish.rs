//! From a whole staged file to an object.
//!
//! The order makes a crash harmless: the bytes are durable in staging → the ledger records the object and where it will stand
//! (one commit, shared) → the file is moved there. A start finds objects whose file is still in staging and moves them then. So
//! an answered upload is never lost, nothing half-written is visible, and the same content twice is one object, even at the same
//! moment.

use crate::digest::Digest;
use crate::fields;
use crate::ledger::objects::{self, NewObject, Object};
use crate::ledger::uploads::{self, Description, Outcome};
use crate::name;
use crate::problem::Problem;
use crate::server::Server;
use crate::staging::Staged;
use crate::store::Placement;

/// What the ledger said to a new object.
enum Recorded {
    New(Object),
    Existing(Object),
    /// The key stands for other content.
    KeyTaken,
}

/// Makes `staged` an object of `sender`. Returns it with `true`, or the object of the same content that was there, with `false`.
///
/// `upload` is the upload resource that it came through, whose outcome is recorded, too.
pub(crate) async fn complete(
    server: &Server,
    sender: &str,
    about: &Description,
    staged: Staged,
    upload: Option<&str>,
) -> Result<(Object, bool), Problem> {
    let digest = staged.digest();
    if about.announced.is_some_and(|announced| announced != digest) {
        discard(server, staged, upload, digest).await?;
        return Err(mismatch(&digest));
    }
    let modified_ms = about.modified_ms;
    let (staged, sealed) = server.blocking(staged, move |staged| staged.seal(modified_ms)).await?;
    sealed.map_err(|error| Problem::from_io("a file could not be made durable", error))?;
    forget_lost(server, sender, &digest).await?;
    match record(server, sender, about, &staged, upload).await? {
        Recorded::New(object) => {
            let placed = place(server, object).await?;
            let object =
                placed.ok_or_else(|| Problem::internal("a file vanished", "it was neither in staging nor in its folder"))?;
            Ok((object, true))
        }
        Recorded::Existing(object) => {
            server.blocking(staged, |staged| staged.remove()).await?;
            let object = place(server, object)
                .await?
                .ok_or_else(|| Problem::internal("a file vanished", "removed while it was sent again"))?;
            Ok((object, false))
        }
        Recorded::KeyTaken => {
            server.blocking(staged, |staged| staged.remove()).await?;
            Err(key_taken().with(fields::UPLOAD_COMPLETE, fields::TRUE))
        }
    }
}

/// The verdict on an upload whose bytes are not those announced. `Upload-Complete: ?1` tells the sender not to resume it
/// (draft-ietf-httpbis-resumable-upload-11, section "Upload Append").
pub(crate) fn mismatch(received: &Digest) -> Problem {
    Problem::mismatching_digest("digest", &received.field()).with(fields::UPLOAD_COMPLETE, fields::TRUE)
}

/// The refusal of a key that stands for other content.
pub(crate) fn key_taken() -> Problem {
    Problem::new(
        axum::http::StatusCode::UNPROCESSABLE_ENTITY,
        "This Idempotency-Key was used for another file. Use a new key for this one.",
    )
}

/// The sender's object of that content, if it is really there.
pub(crate) async fn stored(server: &Server, sender: &str, digest: &Digest) -> Result<Option<Object>, Problem> {
    let (owner, wanted) = (sender.to_owned(), *digest);
    match server.ledger.read(move |connection| objects::by_digest(connection, &owner, &wanted)).await? {
        Some(object) => place(server, object).await,
        None => Ok(None),
    }
}

/// Sees to it that the object's file stands in its folder. `None`: it was lost, and the object is forgotten.
pub(crate) async fn place(server: &Server, mut object: Object) -> Result<Option<Object>, Problem> {
    let _turn = server.placing(object.id).await;
    let failed = |error| Problem::from_io("a file could not be put into its folder", error);
    let staged = server.staged_path(&object.staged);
    // Numbers a name may get when files of other hands stand in its way; ever different, so this ends.
    let mut attempt = 2;
    while !object.placed {
        match server.store.place(&staged, &object.path).await.map_err(failed)? {
            Placement::Placed => object.placed = true,
            Placement::Missing => break,
            Placement::Occupied
                if server.store.holds_content(&object.path, object.length, &object.digest).await.map_err(failed)? =>
            {
                // Ours after all: placed before a crash could be noted, or put there by the person.
                server.blocking(Staged::new(staged.clone()), |staged| staged.remove()).await?;
                object.placed = true;
            }
            Placement::Occupied => {
                let moved = object.clone();
                server.ledger.write(move |transaction| objects::move_aside(transaction, &moved, attempt)).await?;
                attempt += 1;
                match reread(server, &object).await? {
                    Some(fresh) => object = fresh,
                    None => return Ok(None),
                }
            }
        }
        if object.placed {
            let id = object.id;
            server.ledger.note(move |transaction| objects::set_placed(transaction, id)).await;
            return Ok(Some(object));
        }
    }
    let Some(object) = reread(server, &object).await? else { return Ok(None) };
    if server.store.holds(&object.path, object.length).await.map_err(failed)? {
        return Ok(Some(object));
    }
    tracing::warn!(path = object.path, "a stored file is gone from its folder; it can be sent again");
    server.ledger.write(move |transaction| objects::forget(transaction, &object)).await?;
    Ok(None)
}

async fn reread(server: &Server, object: &Object) -> Result<Option<Object>, Problem> {
    let id = object.id;
    Ok(server.ledger.read(move |connection| objects::by_id(connection, id)).await?)
}

/// A file that the person has removed from the folder must not count as stored.
async fn forget_lost(server: &Server, sender: &str, digest: &Digest) -> Result<(), Problem> {
    stored(server, sender, digest).await.map(|_| ())
}

async fn record(
    server: &Server,
    sender: &str,
    about: &Description,
    staged: &Staged,
    upload: Option<&str>,
) -> Result<Recorded, Problem> {
    let now_ms = server.now_ms();
    let new = NewObject {
        sender: sender.to_owned(),
        folder: name::folder(about.modified_ms.unwrap_or(now_ms)),
        name: about.name.clone(),
        digest: staged.digest(),
        length: staged.length(),
        media_type: about.media_type.clone(),
        created_ms: now_ms,
        staged: staged.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let (key, upload) = (about.key.clone(), upload.map(str::to_owned));
    let recorded = server.ledger.write(move |transaction| {
        if let Some(key) = &key {
            if objects::key(transaction, &new.sender, key)?.is_some_and(|digest| digest != new.digest) {
                return Ok(Recorded::KeyTaken);
            }
            objects::set_key(transaction, &new.sender, key, &new.digest, new.created_ms)?;
        }
        let (object, is_new) = objects::insert(transaction, &new)?;
        if let Some(upload) = upload {
            uploads::finish(transaction, &upload, Outcome::Stored(new.digest), new.length)?;
        }
        Ok(if is_new { Recorded::New(object) } else { Recorded::Existing(object) })
    });
    Ok(recorded.await?)
}

async fn discard(server: &Server, staged: Staged, upload: Option<&str>, received: Digest) -> Result<(), Problem> {
    let length = staged.length();
    if let Some(id) = upload.map(str::to_owned) {
        let outcome = Outcome::Mismatched(received);
        server.ledger.write(move |transaction| uploads::finish(transaction, &id, outcome, length)).await?;
    }
    server.blocking(staged, |staged| staged.remove()).await?;
    Ok(())
}
