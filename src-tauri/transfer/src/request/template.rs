//! Values with holes: `{{name}}` in what an app says, filled at the moment of sending. Which names there are is in the model's `body`.

use std::str::FromStr;

use afterglow_model::{CompletingRequest, Failure, FailureClass, FailureCode, JobBody, JobResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{destination::Content, driver::base16, failure};

/// What a hole is filled with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hole {
    Filename,
    ByteCount,
    ContentType,
    CreatedAt,
    Sha256,
    Sha1,
    Key,
    AfterStatus,
    AfterHeader(String),
    AfterJson(String),
    /// Of a completing request.
    Parts,
    /// Of a part of it.
    Number,
    /// Of a part of it.
    Etag,
}

impl FromStr for Hole {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name.trim() {
            "filename" => Self::Filename,
            "byte_count" => Self::ByteCount,
            "content_type" => Self::ContentType,
            "created_at" => Self::CreatedAt,
            "sha256" => Self::Sha256,
            "sha1" => Self::Sha1,
            "key" => Self::Key,
            "after.status" => Self::AfterStatus,
            "parts" => Self::Parts,
            "number" => Self::Number,
            "etag" => Self::Etag,
            name => match (name.strip_prefix("after.header."), name.strip_prefix("after.json")) {
                (Some(field), _) if !field.is_empty() => Self::AfterHeader(field.to_ascii_lowercase()),
                (_, Some(pointer)) if pointer.is_empty() || pointer.starts_with("./") => {
                    Self::AfterJson(pointer.strip_prefix('.').unwrap_or_default().to_owned())
                }
                _ => return Err(()),
            },
        })
    }
}

/// A text between holes, or a hole.
enum Piece<'t> {
    Text(&'t str),
    Hole(Hole),
}

/// The pieces of a text, or the name of a hole that there is not.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, &str> {
    let (mut rest, mut found) = (text, Vec::new());
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        found.push(Piece::Text(before));
        found.push(Piece::Hole(name.parse().map_err(|()| name)?));
        rest = behind;
    }
    found.push(Piece::Text(rest));
    Ok(found)
}

/// What a file and the answer before it fill holes with.
pub(crate) struct Values<'a> {
    pub(crate) content: &'a Content,
    pub(crate) after: Option<&'a JobResponse>,
}

impl Values<'_> {
    /// The text with its holes filled.
    pub(crate) fn fill(&self, text: &str) -> Result<String, Failure> {
        self.fill_with(text, |_| None)
    }

    fn fill_with(&self, text: &str, known: impl Fn(&Hole) -> Option<String>) -> Result<String, Failure> {
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text).map_err(unknown)? {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Hole(hole) => match known(&hole) {
                    Some(value) => filled.push_str(&value),
                    None => filled.push_str(&self.value(&hole)?),
                },
            }
        }
        Ok(filled)
    }

    fn value(&self, hole: &Hole) -> Result<String, Failure> {
        let content = self.content;
        match hole {
            Hole::Filename => Ok(content.filename.clone()),
            Hole::ByteCount => Ok(content.byte_count.to_string()),
            Hole::ContentType => Ok(content.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())),
            Hole::CreatedAt => {
                let dated = content.created_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
                Ok(dated.map(|at| at.to_string()).unwrap_or_default())
            }
            Hole::Sha256 => Ok(base16(&content.digest)),
            Hole::Sha1 => content.sha1.map(|sha1| base16(&sha1)).ok_or_else(|| failure::internal("a file without its SHA-1")),
            Hole::Key => Ok(content.key.clone()),
            Hole::AfterStatus | Hole::AfterHeader(_) | Hole::AfterJson(_) => after(self.after, hole),
            Hole::Parts => Err(unknown("parts")),
            Hole::Number => Err(unknown("number")),
            Hole::Etag => Err(unknown("etag")),
        }
    }
}

/// A value from the answer of the job that went first.
fn after(response: Option<&JobResponse>, hole: &Hole) -> Result<String, Failure> {
    let Some(response) = response else { return Err(lacks("nothing")) };
    match hole {
        Hole::AfterHeader(name) => response.headers.get(name).cloned().ok_or_else(|| lacks(&format!("no header field {name}"))),
        Hole::AfterJson(pointer) => {
            let body: serde_json::Value = serde_json::from_str(&response.body).map_err(|_| lacks("no JSON"))?;
            match body.pointer(pointer) {
                Some(serde_json::Value::String(text)) => Ok(text.clone()),
                Some(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => Ok(value.to_string()),
                Some(_) | None => Err(lacks(&format!("no value at {pointer}"))),
            }
        }
        _ => Ok(response.status.to_string()),
    }
}

/// What a value in a URL does not say as it is.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'~').remove(b'.');

/// A URL with its holes filled from the answer before. A value is a name: none that leads to another folder is taken.
///
/// # Errors
/// The answer has not what the URL needs, or a hole is of something else.
pub fn filled_url(text: &str, response: Option<&JobResponse>) -> Result<String, Failure> {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text).map_err(unknown)? {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Hole(hole @ (Hole::AfterStatus | Hole::AfterHeader(_) | Hole::AfterJson(_))) => {
                let value = after(response, &hole)?;
                if value.contains(['/', '\\']) || value.chars().all(|c| c == '.') {
                    return Err(lacks("no name that a URL can hold"));
                }
                filled.extend(utf8_percent_encode(&value, IN_URL));
            }
            Piece::Hole(_) => return Err(unknown("in a URL, what is not of the answer before")),
        }
    }
    Ok(filled)
}

/// The content of a completing request.
pub(super) fn parts(request: &CompletingRequest, etags: &[String], values: &Values<'_>) -> Result<String, Failure> {
    let mut all = String::new();
    for (at, etag) in etags.iter().enumerate() {
        all += &values.fill_with(&request.part, |hole| match hole {
            Hole::Number => Some((at + 1).to_string()),
            Hole::Etag => Some(etag.clone()),
            _ => None,
        })?;
    }
    values.fill_with(&request.content, |hole| (*hole == Hole::Parts).then(|| all.clone()))
}

/// Every text with holes in a body.
fn texts(body: &JobBody) -> Vec<&str> {
    match body {
        JobBody::Resumable | JobBody::Tus | JobBody::Raw { .. } => Vec::new(),
        JobBody::Multipart { fields, .. } => fields.iter().map(|field| field.value.as_str()).collect(),
        JobBody::PresignedParts { complete, .. } => {
            complete.iter().flat_map(|request| [request.part.as_str(), request.content.as_str()]).collect()
        }
    }
}

/// Whether a body says the SHA-1 of the file, by a hole or by what the answer is compared with.
pub(super) fn wants_sha1(body: &JobBody) -> bool {
    let rule = match body {
        JobBody::Raw { success, .. } | JobBody::Multipart { success, .. } | JobBody::PresignedParts { success, .. } => {
            success.digest.as_ref().is_some_and(|rule| rule.algorithm == afterglow_model::DigestAlgorithm::Sha1)
        }
        JobBody::Resumable | JobBody::Tus => false,
    };
    let is_sha1 = |piece: Piece<'_>| matches!(piece, Piece::Hole(Hole::Sha1));
    rule || texts(body).into_iter().filter_map(|text| pieces(text).ok()).flatten().any(is_sha1)
}

/// The first name in a body or URL that stands for nothing; none if every one does.
pub fn unknown_name(body: &JobBody, url: &str) -> Option<String> {
    texts(body).into_iter().chain([url]).find_map(|text| pieces(text).err().map(str::to_owned))
}

fn unknown(name: &str) -> Failure {
    failure::failure(FailureClass::Permanent, FailureCode::Internal, format!("{{{{{name}}}}} stands for nothing here."))
}

fn lacks(what: &str) -> Failure {
    let message = format!("The answer to the upload before this one has {what}, which this one needs.");
    failure::failure(FailureClass::Permanent, FailureCode::DependencyFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::session::tests::content;

    fn response() -> JobResponse {
        JobResponse {
            status: 201,
            headers: [("x-id".to_owned(), "7".to_owned())].into(),
            body: r#"{"asset":{"id":"a/../b"},"n":3}"#.to_owned(),
            truncated: false,
        }
    }

    #[test]
    fn holes_are_filled_from_the_file_and_the_answer_before() {
        let (content, response) = (content(), response());
        let values = Values { content: &content, after: Some(&response) };
        let filled =
            values.fill("{{ filename }}|{{byte_count}}|{{created_at}}|{{after.json./asset/id}}|{{after.header.X-Id}}|{").unwrap();
        assert_eq!(filled, "Grüße & \"1\".jpg|7|2023-11-14T22:13:20Z|a/../b|7|{");
        assert_eq!(values.fill("{{sha1}}").unwrap(), "09".repeat(20));
        assert_eq!(values.fill("{{after.json./nothing}}").unwrap_err().code, FailureCode::DependencyFailed);
        let alone = Values { content: &content, after: None };
        assert_eq!(alone.fill("{{after.status}}").unwrap_err().code, FailureCode::DependencyFailed);
    }

    #[test]
    fn a_value_makes_no_new_place_in_a_url() {
        let filled = |id: &str| {
            let response = JobResponse { body: serde_json::json!({ "id": id }).to_string(), ..response() };
            filled_url("https://up.example/a/{{after.json./id}}/x", Some(&response))
        };
        assert_eq!(filled("1b-2 c?").unwrap(), "https://up.example/a/1b-2%20c%3F/x");
        for wrong in ["..", "", "a/../b", "a\\b"] {
            assert!(filled(wrong).is_err(), "{wrong}");
        }
        assert!(filled_url("https://up.example/{{filename}}", None).is_err());
    }

    #[test]
    fn parts_are_named_in_order() {
        let request = CompletingRequest {
            url: "https://bucket.example/key".to_owned(),
            method: afterglow_model::RequestMethod::Post,
            content_type: "text/xml".to_owned(),
            part: "<{{number}} {{etag}}>".to_owned(),
            content: "[{{parts}}] {{key}}".to_owned(),
        };
        let content = content();
        let values = Values { content: &content, after: None };
        assert_eq!(parts(&request, &["x".to_owned(), "y".to_owned()], &values).unwrap(), "[<1 x><2 y>] abc");
    }

    #[test]
    fn a_name_that_stands_for_nothing_is_told() {
        let field = |value: &str| afterglow_model::FormField { name: "a".to_owned(), value: value.to_owned() };
        let form = |value| JobBody::Multipart {
            method: Default::default(),
            file_field: "file".to_owned(),
            fields: vec![field(value)],
            success: Default::default(),
        };
        assert_eq!(unknown_name(&form("{{nonsense}}"), ""), Some("nonsense".to_owned()));
        assert_eq!(unknown_name(&form("{{sha256}} {{after.json./id}}"), "https://x.example/{{after.status}}"), None);
        assert!(wants_sha1(&form("{{sha1}}")) && !wants_sha1(&form("{{sha256}}")));
    }
}
