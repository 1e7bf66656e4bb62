//! What is said and asked about a certificate that nobody vouches for.

use std::io::{IsTerminal, Write};

use afterglow_client::{ClientError, model::shown_fingerprint};

use super::cleartext;

/// The certificate of a refusal, if somebody at the terminal says to trust exactly it; else the refusal, and how to.
pub(super) fn trusted(error: ClientError) -> anyhow::Result<String> {
    let Some(sha256) = shown(&error) else { return Err(cleartext::how_to_allow(error)) };
    let shown = shown_fingerprint(&sha256);
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let how = format!("{error}\nIf you know it to be your server's, repeat this with: --trust-certificate {shown}");
        return Err(anyhow::Error::msg(how));
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "The server shows a certificate nobody vouches for: {shown}\nTrust exactly this one? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(sha256) } else { Err(error.into()) }
}

/// A refusal with what to do about a certificate, if it is about one.
pub(super) fn how_to_trust(error: ClientError, name: &str) -> anyhow::Error {
    match shown(&error) {
        Some(sha256) => {
            let shown = shown_fingerprint(&sha256);
            anyhow::Error::msg(format!("{error}\nIf you know it to be your server's: afterglow destination trust '{name}' {shown}"))
        }
        None => cleartext::how_to_allow(error),
    }
}

fn shown(error: &ClientError) -> Option<String> {
    match error {
        ClientError::Refused(refused) => refused.certificate.clone(),
        ClientError::NotRunning(_)
        | ClientError::Start(_)
        | ClientError::NoHome
        | ClientError::Broken(_)
        | ClientError::File { .. } => None,
    }
}
