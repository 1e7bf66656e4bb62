//! Becoming a sender by a code.

use afterglow_nearby::{Agreed, Claim, Code, Greeting, Side, Welcome};
use afterglow_receiver::PairingEnd;
use reqwest::StatusCode;

use crate::support::House;

/// Shows that it knows `code`. The token, or the status of the refusal.
async fn pair(house: &House, code: &Code) -> Result<String, StatusCode> {
    let url = house.receiver.url().replace("/files", "/pairing");
    let client = reqwest::Client::new();
    let greeted = client.post(&url).send().await.unwrap();
    if !greeted.status().is_success() {
        return Err(greeted.status());
    }
    let greeting: Greeting = greeted.json().await.unwrap();
    let side = Side::sender(code);
    let message = side.message.clone();
    let agreed = side.agree(&greeting.message).unwrap();
    let claim = Claim { message, proof: agreed.proof_of_sender() };
    let answer = client.post(format!("{url}/{}", greeting.id)).json(&claim).send().await.unwrap();
    if !answer.status().is_success() {
        return Err(answer.status());
    }
    let welcome: Welcome = answer.json().await.unwrap();
    assert!(Agreed::is(&agreed.proof_of_receiver(welcome.certificate.as_deref()), &welcome.proof));
    Ok(agreed.token())
}

async fn may_send(house: &House, token: &str) -> bool {
    let url = house.receiver.url().replace("/files", "/objects");
    reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().status() == StatusCode::OK
}

fn another(code: &Code) -> Code {
    let digits = if code.to_string().starts_with('0') { "10000000" } else { "00000000" };
    Code::read(digits).unwrap()
}

#[tokio::test]
async fn who_knows_the_code_is_a_sender_from_then_on_and_over_restarts() {
    let house = House::new().await;
    assert_eq!(pair(&house, &Code::random()).await, Err(StatusCode::GONE));
    let code = house.receiver.offer_pairing();
    let token = pair(&house, &code).await.unwrap();
    assert_eq!(house.receiver.pairing_ended().await, PairingEnd::Paired);
    assert!(may_send(&house, &token).await);
    assert_eq!(pair(&house, &code).await, Err(StatusCode::GONE));
    let id = house.receiver.id().to_owned();
    let house = house.restart().await;
    assert!(may_send(&house, &token).await && !may_send(&house, "another").await);
    assert_eq!(house.receiver.id(), id);
    // The ledger cannot give away what it does not hold.
    let ledger = std::fs::read(house.dir.path().join(".afterglow/ledger.sqlite")).unwrap();
    assert!(!ledger.windows(token.len()).any(|part| part == token.as_bytes()));
}

#[tokio::test]
async fn five_wrong_codes_are_the_end_of_the_right_one() {
    let house = House::new().await;
    let code = house.receiver.offer_pairing();
    for _ in 0..5 {
        assert_eq!(pair(&house, &another(&code)).await, Err(StatusCode::FORBIDDEN));
    }
    assert_eq!(house.receiver.pairing_ended().await, PairingEnd::TriesUsedUp);
    assert_eq!(pair(&house, &code).await, Err(StatusCode::GONE));
    let code = house.receiver.offer_pairing();
    assert!(pair(&house, &code).await.is_ok());
}

#[tokio::test]
async fn two_paired_computers_do_not_see_each_others_files() {
    let house = House::new().await;
    let one = pair(&house, &house.receiver.offer_pairing()).await.unwrap();
    let other = pair(&house, &house.receiver.offer_pairing()).await.unwrap();
    let sent = house.whole("a.jpg", b"a photo").header("Authorization", format!("Bearer {one}"));
    let mut request = sent.build().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {one}").parse().unwrap());
    assert!(reqwest::Client::new().execute(request).await.unwrap().status().is_success());
    for (token, count) in [(one, 1), (other, 0)] {
        let url = house.receiver.url().replace("/files", "/objects");
        let listed = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().text().await.unwrap();
        assert_eq!(listed.matches("a.jpg").count().min(1), count, "{listed}");
    }
}
