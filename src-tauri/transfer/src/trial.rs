//! The test of a destination: a real upload of a small picture, to the best proof that the server gives.

use std::time::Instant;

use afterglow_model::{DestinationTest, Evidence, Failure};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    destination::{Begun, Content, Destination, Proof, Setback},
    driver::base16,
    failure,
    payload::Payload,
};

/// Uploads `Afterglow test.jpg` and says what was proved.
pub(crate) async fn run<D: Destination + ?Sized>(destination: &D) -> Result<DestinationTest, Failure> {
    let began = Instant::now();
    let mut capabilities = destination.probe().await.map_err(failure_of)?;
    let body = picture();
    let digest: [u8; 32] = Sha256::digest(&body).into();
    let content = Content {
        filename: "Afterglow test.jpg".to_owned(),
        content_type: Some("image/jpeg".to_owned()),
        byte_count: body.len() as u64,
        digest,
        sha1: Some(sha1::Sha1::digest(&body).into()),
        created_ms: None,
        companions: Default::default(),
        key: base16(&digest),
    };
    let proof = deliver(destination, &content, body).await.map_err(failure_of)?;
    capabilities.evidence = match (proof.digest, proof.byte_count) {
        (Some(held), _) if held == digest => destination.digest_grade(),
        (Some(_), _) => return Err(failure::digest_mismatch(destination.host())),
        (None, Some(held)) if held == content.byte_count => Evidence::Sized,
        (None, Some(_) | None) => Evidence::Accepted,
    };
    if destination.can_remove() {
        destination.remove(&proof.remote_id).await;
    }
    // It went well without, so that nothing depends on the answer.
    let room = destination.room().await.ok().flatten();
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    // What a destination is called, and so what is said of what works, is not known here.
    let sentence = destination.lack().unwrap_or_default();
    Ok(DestinationTest { capabilities, room, took_ms, sentence })
}

/// A picture of one grey pixel, since servers for photos take nothing else; never the same twice, so that none can answer with an earlier
/// one. What is new in it is a comment (COM, ITU-T T.81 section B.2.4.5) behind its first marker.
fn picture() -> Bytes {
    const PIXEL: &[u8] = include_bytes!("trial.jpg");
    let text = format!("A test by Afterglow. It may be deleted. {}", uuid::Uuid::new_v4());
    let (start, rest) = PIXEL.split_at(2);
    let length = u16::try_from(text.len() + 2).unwrap_or(2).to_be_bytes();
    [start, &[0xff, 0xfe], &length, text.as_bytes(), rest].concat().into()
}

/// Always by the steps that larger files take, since these are what has to work.
async fn deliver<D: Destination + ?Sized>(destination: &D, content: &Content, body: Bytes) -> Result<Proof, Setback> {
    let upload_url = match destination.begin(content).await? {
        Begun::Delivered(proof) => return Ok(proof),
        Begun::Session { upload_url, .. } => upload_url,
    };
    let upload_url = match destination.send(&upload_url, 0, Payload::Whole(body)).await {
        Ok(_) => upload_url,
        // Redirects are followed before; this is more that the session has to hold.
        Err(Setback::Moved(moved)) => moved,
        Err(setback) => return Err(setback),
    };
    let held = destination.offset(&upload_url).await?;
    if held.offset != content.byte_count {
        return Err(Setback::OffsetIs(held.offset));
    }
    if destination.can_remove() {
        return destination.finish(&upload_url, content).await;
    }
    destination.abort(&upload_url).await;
    Ok(Proof { remote_id: String::new(), digest: None, byte_count: None })
}

/// What stands against a destination, from a step that did not end well.
pub(crate) fn failure_of(setback: Setback) -> Failure {
    match setback {
        Setback::Doubt(failure)
        | Setback::TooLarge { failure, .. }
        | Setback::SessionGone(failure)
        | Setback::Spoilt(failure)
        | Setback::Verdict(failure)
        | Setback::Source(failure)
        | Setback::Failed(failure) => failure,
        Setback::Stopped => failure::internal("the test was stopped"),
        Setback::OffsetIs(_) | Setback::Moved(_) => failure::unexpected("The server", "it lost its place in the file"),
    }
}
