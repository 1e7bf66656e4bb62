//! TLS, with a certificate that is made once.

use std::path::Path;
use std::time::Duration;

use afterglow_receiver::{Listen, ReceiverError, ReceiverOptions, start};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::*;

fn by_tls(options: &mut ReceiverOptions) {
    options.listen = Listen::Tls(([127, 0, 0, 1], 0).into());
}

async fn certificate(dir: &Path) -> Result<String, ReceiverError> {
    let mut options = options(dir);
    by_tls(&mut options);
    let receiver = start(options).await?;
    let certificate = receiver.certificate().unwrap().to_owned();
    receiver.shutdown().await;
    Ok(certificate)
}

#[tokio::test]
async fn photos_come_by_tls() {
    let house = House::with(by_tls).await;
    assert!(house.receiver.url().starts_with("https://"));
    let photo = content(3_000_000, 1);
    assert_eq!(house.whole("a.jpg", &photo).send().await.unwrap().status(), 201);
    let upload = house.careful("b.jpg", &photo[1..]).await;
    assert_eq!(house.append(&upload, 0, "?1", &photo[1..]).send().await.unwrap().status(), 201);
    assert_eq!(house.files(), [("2026/03/a.jpg".to_owned(), photo.clone()), ("2026/03/b.jpg".to_owned(), photo[1..].to_vec())]);
}

#[tokio::test]
async fn the_certificate_is_made_once_for_each_folder_and_its_key_is_the_owners_alone() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = certificate(one.path()).await.unwrap();
    assert_eq!(certificate(one.path()).await.unwrap(), made);
    assert_ne!(certificate(other.path()).await.unwrap(), made);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let file = std::fs::metadata(one.path().join(".afterglow/certificate.pem")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_certificate_that_is_broken_is_named_and_never_replaced() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    certificate(dir.path()).await.unwrap();
    certificate(other.path()).await.unwrap();
    let file = dir.path().join(".afterglow/certificate.pem");
    let whole = std::fs::read_to_string(&file).unwrap();
    let others = std::fs::read_to_string(other.path().join(".afterglow/certificate.pem")).unwrap();
    let end = "-----END CERTIFICATE-----";
    let (own, _) = whole.split_once(end).unwrap();
    let (_, key_of_another) = others.split_once(end).unwrap();
    for broken in [
        String::new(),
        whole[..whole.len() / 3].to_owned(),
        own.to_owned() + end,
        whole[..whole.len() - 40].to_owned(),
        whole.replace('M', "A"),
        format!("{own}{end}{key_of_another}"),
    ] {
        std::fs::write(&file, &broken).unwrap();
        let refused = certificate(dir.path()).await.unwrap_err().to_string();
        assert!(refused.contains("certificate.pem") && refused.contains("restore the file"), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
    }
    std::fs::write(&file, &whole).unwrap();
    certificate(dir.path()).await.unwrap();
}

#[tokio::test]
async fn who_speaks_unencrypted_is_told_so_and_nothing_is_taken() {
    let house = House::with(by_tls).await;
    let mut stream = house.connect().await;
    let answer = exchange(
        &mut stream,
        &format!("POST /files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ANNA}\r\nUpload-Complete: ?1\r\nContent-Length: 5\r\n\r\nhello"),
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 426") && answer.contains("https"), "{answer}");
    let mut stream = house.connect().await;
    // No words at all; the end of the connection is the answer.
    stream.write_all(&[22, 3, 1, 0, 5, 9, 9, 9, 9, 9]).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!((house.files(), house.staged()), (vec![], vec![]));
}

#[tokio::test]
async fn who_is_silent_while_keys_are_agreed_on_is_left_and_holds_nobody_up() {
    let house = House::with(|options| {
        by_tls(options);
        options.silence_max = Duration::from_secs(2);
    })
    .await;
    let mut silent = Vec::new();
    for said in [&[][..], &[22, 3, 1]] {
        let mut stream = house.connect().await;
        stream.write_all(said).await.unwrap();
        silent.push(stream);
    }
    assert_eq!(house.whole("a.jpg", b"photo").send().await.unwrap().status(), 201);
    for mut stream in silent {
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap(), 0);
    }
}
