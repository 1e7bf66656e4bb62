//! What is said and asked about a certificate that nobody vouches for.

use std::io::{IsTerminal, Write};

use afterglow_client::{
    ClientError,
    model::{Certificate, Timestamp, shown_fingerprint},
};

use super::cleartext;

/// The fingerprint of a refusal's certificate, if somebody at the terminal says to trust exactly it; else the refusal, and how to.
pub(super) fn trusted(error: ClientError) -> anyhow::Result<String> {
    let Some(certificate) = untrusted(&error) else { return Err(cleartext::how_to_allow(error)) };
    let (shown, said) = (shown_fingerprint(&certificate.sha256), said(certificate, jiff::Timestamp::now()));
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let how = format!("{error}\n{said}If you know it to be your server's, repeat this with: --trust-certificate {shown}");
        return Err(anyhow::Error::msg(how));
    }
    let mut terminal = std::io::stderr();
    write!(terminal, "The server shows a certificate nobody vouches for: {shown}\n{said}Trust exactly this one? [y/N] ")?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if answer.trim().eq_ignore_ascii_case("y") { Ok(certificate.sha256.clone()) } else { Err(error.into()) }
}

/// A refusal with what to do about a certificate, if it is about one.
pub(super) fn how_to_trust(error: ClientError, name: &str) -> anyhow::Error {
    match untrusted(&error) {
        Some(certificate) => {
            let (shown, said) = (shown_fingerprint(&certificate.sha256), said(certificate, jiff::Timestamp::now()));
            let how = format!("{error}\n{said}If you know it to be your server's: afterglow destination trust '{name}' {shown}");
            anyhow::Error::msg(how)
        }
        None => cleartext::how_to_allow(error),
    }
}

/// What a certificate says of itself, in lines.
fn said(certificate: &Certificate, now: jiff::Timestamp) -> String {
    let Certificate { sha256: _, subject, issuer, valid_from, valid_until } = certificate;
    let names = [("It was made for", subject), ("by", issuer)].map(|(what, name)| Some(format!("{what} {}", name.as_ref()?)));
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let dates = valid_from.zip(*valid_until).map(|(from, until)| {
        let (from, until) = (instant(from), instant(until));
        let dates = format!("It is valid from {} until {}", from.strftime("%F"), until.strftime("%F"));
        match (from <= now, now <= until) {
            (true, true) => dates,
            (_, false) => format!("{dates}: it has expired"),
            (false, true) => format!("{dates}: it is not valid yet"),
        }
    });
    let lines = [Some(names).filter(|names| !names.is_empty()), dates];
    lines.into_iter().flatten().map(|line| line + ".\n").collect()
}

/// An instant, or the end of what a calendar here has if it is beyond.
fn instant(Timestamp(ms): Timestamp) -> jiff::Timestamp {
    let end = if ms < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(ms).unwrap_or(end)
}

fn untrusted(error: &ClientError) -> Option<&Certificate> {
    match error {
        ClientError::Refused(refused) => refused.certificate.as_deref(),
        ClientError::NotRunning(_)
        | ClientError::Start(_)
        | ClientError::NoHome
        | ClientError::Broken(_)
        | ClientError::File { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_said_in_two_lines_and_that_it_is_out_of_date() {
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let stamp = |text: &str| Some(Timestamp(at(text).as_millisecond()));
        let mut certificate = Certificate {
            sha256: "ab".repeat(32),
            subject: Some("nas".to_owned()),
            issuer: Some("Ada".to_owned()),
            valid_from: stamp("2024-03-01T00:00:00Z"),
            valid_until: stamp("2026-03-01T00:00:00Z"),
        };
        let line = "It was made for nas, by Ada.\nIt is valid from 2024-03-01 until 2026-03-01";
        for (now, end) in [
            ("2025-01-01T00:00:00Z", ".\n"),
            ("2026-03-02T00:00:00Z", ": it has expired.\n"),
            ("2024-02-28T00:00:00Z", ": it is not valid yet.\n"),
        ] {
            assert_eq!(said(&certificate, at(now)), format!("{line}{end}"));
        }
        certificate.subject = None;
        certificate.issuer = None;
        certificate.valid_until = Some(Timestamp(i64::MAX));
        assert_eq!(said(&certificate, at("2025-01-01T00:00:00Z")), "It is valid from 2024-03-01 until 9999-12-30.\n");
        certificate.valid_until = None;
        assert_eq!(said(&certificate, at("2025-01-01T00:00:00Z")), "");
    }
}
