//! The one table from what went wrong to what it means: status codes, broken lines and unreadable files, for every protocol alike.
//!
//! Each message names the host or the file, says what happened, and what the person can do, if anything.

use std::{error::Error, io};

use afterglow_model::{Failure, FailureClass, FailureCode, shown_fingerprint};
use reqwest::StatusCode;
use rustls::CertificateError;

use crate::{
    near::LeadsAway,
    source::SourceError,
    trust::{Doubt, Untrusted},
};

use FailureClass::{NeedsUser, Permanent, Transient};

/// A failure without a wish for patience.
pub(crate) fn failure(class: FailureClass, code: FailureCode, message: impl Into<String>) -> Failure {
    Failure { class, code, message: message.into(), retry_after_ms: None, certificate: None }
}

/// What a status code that is no success means. `retry_after_ms` is the server's wish.
pub(crate) fn of_status(host: &str, status: StatusCode, retry_after_ms: Option<u64>) -> Failure {
    let number = status.as_u16();
    let (class, code, message) = match number {
        401 => (NeedsUser, FailureCode::AuthenticationRequired, format!("{host} did not accept the password. Sign in again.")),
        403 => (
            NeedsUser,
            FailureCode::AuthenticationRequired,
            format!("{host} does not let this account upload. Sign in with one that may."),
        ),
        404 | 410 => {
            (NeedsUser, FailureCode::ProtocolUnsupported, format!("{host} takes no uploads at this address. Check the address."))
        }
        405 | 501 | 505 => (NeedsUser, FailureCode::ProtocolUnsupported, format!("{host} does not take resumable uploads.")),
        408 => (Transient, FailureCode::TimedOut, format!("{host} gave up waiting. It is tried again.")),
        409 => (Transient, FailureCode::OffsetMismatch, format!("{host} counts the bytes differently. It is asked again.")),
        413 => (Permanent, FailureCode::PayloadTooLarge, format!("{host} does not take files of this size.")),
        423 | 425 => (Transient, FailureCode::ServerError, format!("{host} is still busy with this file. It is tried again.")),
        426 => (NeedsUser, FailureCode::DestinationNotAllowed, format!("{host} takes nothing unencrypted. Use its https address.")),
        429 => (Transient, FailureCode::Throttled, format!("{host} asks for patience. It is tried again.")),
        503 if retry_after_ms.is_some() => {
            (Transient, FailureCode::Throttled, format!("{host} is busy and asks for patience. It is tried again."))
        }
        507 => (NeedsUser, FailureCode::QuotaExceeded, format!("{host} has no room left. Make room there, then retry.")),
        511 => (Transient, FailureCode::CaptivePortal, portal(host)),
        500..=599 => (Transient, FailureCode::ServerError, format!("{host} has a fault (status {number}). It is tried again.")),
        400..=499 => (Permanent, FailureCode::ServerRejected, format!("{host} refused this file (status {number}).")),
        _ => return unexpected(host, &format!("status {number}")),
    };
    Failure { class, code, message, retry_after_ms, certificate: None }
}

/// What a request without an answer means.
pub(crate) fn of_transport(host: &str, error: &reqwest::Error) -> Failure {
    if let Some(away) = cause::<LeadsAway>(error) {
        let message = format!("Nothing was sent to {host} unencrypted: {away} now. It is tried again.");
        return failure(Transient, FailureCode::ConnectionLost, message);
    }
    if let Some(error) = cause::<rustls::Error>(error) {
        return of_tls(host, error);
    }
    if error.is_timeout() {
        return timed_out(host);
    }
    let message = if error.is_connect() {
        format!("{host} cannot be reached. It is tried again.")
    } else {
        format!("The connection to {host} broke. It is tried again.")
    };
    failure(Transient, FailureCode::ConnectionLost, message)
}

/// No byte moved and no answer came for as long as a line may be silent.
pub(crate) fn timed_out(host: &str) -> Failure {
    failure(Transient, FailureCode::TimedOut, format!("{host} does not answer. It is tried again."))
}

/// An answer that the protocol does not know.
pub(crate) fn unexpected(host: &str, what: &str) -> Failure {
    failure(
        Transient,
        FailureCode::UnexpectedAnswer,
        format!("{host} answered in a way that makes no sense ({what}). It is tried again."),
    )
}

/// A web page where the server should have answered.
pub(crate) fn captive_portal(host: &str) -> Failure {
    failure(Transient, FailureCode::CaptivePortal, portal(host))
}

fn portal(host: &str) -> String {
    format!("A sign-in page answered instead of {host}. Open a web page to sign in to this network.")
}

/// The server sends us elsewhere, where the credential must not go.
pub(crate) fn sent_elsewhere(host: &str, to: &str) -> Failure {
    let message = format!("{host} sends uploads on to {to}, which was not agreed to. Check the address.");
    failure(NeedsUser, FailureCode::DestinationNotAllowed, message)
}

/// Another server than the one that was tested has this address.
pub(crate) fn stranger(host: &str) -> Failure {
    let message = format!("Another server than yours answers at {host}, so no password was sent. It is tried again.");
    failure(Transient, FailureCode::UnexpectedAnswer, message)
}

/// Another server than the known one is at an address that it was to have as well.
pub(crate) fn another_server(host: &str) -> Failure {
    let message = format!("Another server than yours answers at {host}, so nothing was changed. Check the address.");
    failure(NeedsUser, FailureCode::DestinationNotAllowed, message)
}

/// Several addresses, one of them without anything that tells the server from another one.
pub(crate) fn not_told_apart(host: &str) -> Failure {
    let message = format!(
        "In another network somebody else may have the unencrypted address {host}, and this server does not say who it is. \
         Use https for each of its addresses; of Immich, an external domain in its server settings will do."
    );
    failure(NeedsUser, FailureCode::DestinationNotAllowed, message)
}

/// A URL that names no server.
pub(crate) fn no_address(url: &str) -> Failure {
    failure(NeedsUser, FailureCode::DestinationNotAllowed, format!("{url} is not the address of a server. Check the address."))
}

/// A server of something else than files.
pub(crate) fn no_webdav(host: &str) -> Failure {
    let message = format!("{host} does not speak WebDAV at this address. Check the address, or choose another protocol.");
    failure(NeedsUser, FailureCode::ProtocolUnsupported, message)
}

/// Whether the same request may work at once, so that asking the server and going on is better than waiting.
pub(crate) fn may_work_at_once(failure: &Failure) -> bool {
    failure.class == Transient && failure.retry_after_ms.is_none() && failure.code != FailureCode::Throttled
}

/// What the server holds is not what was sent.
pub(crate) fn digest_mismatch(host: &str) -> Failure {
    let message = format!("{host} holds other bytes than were sent. Remove the file there, then retry.");
    failure(NeedsUser, FailureCode::DigestMismatch, message)
}

/// Bytes were lost on the way, and the server noticed before it kept them.
pub(crate) fn damaged_on_the_way(host: &str) -> Failure {
    failure(Transient, FailureCode::DigestMismatch, format!("{host} received damaged bytes and kept none. It is tried again."))
}

/// A session that lost what it had confirmed.
pub(crate) fn lost_bytes(host: &str) -> Failure {
    failure(Transient, FailureCode::OffsetMismatch, format!("{host} lost bytes that it had confirmed. It is tried again."))
}

/// Larger than the destination takes.
pub(crate) fn too_large(host: &str, limit: u64) -> Failure {
    let limit = afterglow_model::bytes(limit);
    failure(Permanent, FailureCode::PayloadTooLarge, format!("{host} takes files of up to {limit}; this one is larger."))
}

/// What a file that cannot be read as one version means.
pub(crate) fn of_source(name: &str, error: &SourceError) -> Failure {
    let (class, code, message) = match error {
        SourceError::Broken => return internal("reading the file"),
        SourceError::RootMissing(root) => (
            Transient,
            FailureCode::SourceOffline,
            format!("The folder {} is not there. Connect its drive to go on.", root.display()),
        ),
        SourceError::Vanished => (Permanent, FailureCode::SourceVanished, format!("{name} is gone.")),
        SourceError::OutsideRoot => (
            Permanent,
            FailureCode::SourceUnreadable,
            format!("{name} is a link or lies outside of its folder, so it was not sent."),
        ),
        SourceError::NotRegular => {
            (Permanent, FailureCode::SourceUnreadable, format!("{name} is not a regular file, so it was not sent."))
        }
        SourceError::Changed => {
            (Transient, FailureCode::SourceChanged, format!("{name} changed on its way. The new version is sent instead."))
        }
        SourceError::Unreadable(reason) => (
            NeedsUser,
            FailureCode::SourceUnreadable,
            format!("{name} cannot be read ({reason}). Check its permissions and its drive, then retry."),
        ),
    };
    failure(class, code, message)
}

/// The folder that is sent to is not there, or a drive's place is empty.
pub(crate) fn folder_away(folder: &str) -> Failure {
    failure(Transient, FailureCode::ConnectionLost, format!("The folder {folder} is not there. Connect its drive to go on."))
}

/// What an error of the folder that is sent to means.
pub(crate) fn of_folder(folder: &str, error: &io::Error) -> Failure {
    let (class, code, message) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (NeedsUser, FailureCode::QuotaExceeded, format!("{folder} has no room left. Make room there, then retry."))
        }
        io::ErrorKind::ReadOnlyFilesystem => (
            NeedsUser,
            FailureCode::DestinationNotAllowed,
            format!("The drive of {folder} is read-only, so nothing can be put there. Make it writable, then retry."),
        ),
        io::ErrorKind::PermissionDenied => (
            NeedsUser,
            FailureCode::DestinationNotAllowed,
            format!("Afterglow may not write to {folder}. Change the folder's permissions, then retry."),
        ),
        io::ErrorKind::NotADirectory => (
            NeedsUser,
            FailureCode::DestinationNotAllowed,
            format!("{folder} holds a link or a file where a folder should be. Move it away, then retry."),
        ),
        io::ErrorKind::FileTooLarge => {
            (Permanent, FailureCode::PayloadTooLarge, format!("The drive of {folder} does not take files of this size."))
        }
        io::ErrorKind::NotFound => return folder_away(folder),
        _ => (
            Transient,
            FailureCode::ConnectionLost,
            format!("{folder} cannot be written to now ({error}). Check its drive; it is tried again."),
        ),
    };
    failure(class, code, message)
}

/// A fault of ours, or of the queue that we report to.
pub(crate) fn internal(what: &str) -> Failure {
    failure(Transient, FailureCode::Internal, format!("Something went wrong inside Afterglow: {what}. It is tried again."))
}

/// The first cause of a kind. An `io::Error` is not the cause of what it was made of, but stands for it; it may stand for another.
fn cause<T: Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let within = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        next = match within {
            Some(within) => Some(within),
            None => error.source(),
        };
    }
    None
}

/// What a failed handshake means. That a certificate nobody vouches for is transient is for the networks that show one until somebody has
/// signed in; one that takes the place of a trusted one is for the person.
fn of_tls(host: &str, error: &rustls::Error) -> Failure {
    let untrusted = match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(error)) => error.0.downcast_ref::<Untrusted>(),
        _ => None,
    };
    let Some(Untrusted { certificate, doubt }) = untrusted else {
        let message = format!("{host} could not prove that it is {host}, so nothing was sent. It is tried again.");
        return failure(Transient, FailureCode::TlsFailed, message);
    };
    let shown = shown_fingerprint(&certificate.sha256);
    let (class, code, message) = match doubt {
        Doubt::Changed => (
            NeedsUser,
            FailureCode::CertificateChanged,
            format!(
                "{host} shows another certificate than the one you trust, so nothing was sent. Trust it if it is yours: {shown}."
            ),
        ),
        Doubt::Dated => (
            Transient,
            FailureCode::TlsFailed,
            format!(
                "{host} shows a certificate that is not valid at this date, so nothing was sent. Check this computer's date: {shown}."
            ),
        ),
        Doubt::OtherName => (
            Transient,
            FailureCode::TlsFailed,
            format!("{host} shows a certificate that was made for another name, so nothing was sent. Check the address: {shown}."),
        ),
        Doubt::Unvouched => (
            Transient,
            FailureCode::TlsFailed,
            format!(
                "{host} shows a certificate that nobody vouches for, so nothing was sent. Trust it if it is your server's, or sign in to this \
                 network: {shown}."
            ),
        ),
    };
    Failure { certificate: Some(certificate.clone()), ..failure(class, code, message) }
}
