//! How a destination is reached: by which certificate, at which of its addresses, through which proxy.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use afterglow_model::{DestinationAddresses, DestinationState, shown_fingerprint};
use afterglow_tests::{
    process::until,
    proxy::Proxy,
    stage::{Stage, photo, same},
    tls::TlsFront,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};
use url::Url;
use zbus::interface;

use crate::bus::{Bus, offer};

const MB: usize = 1_000_000;

#[tokio::test]
async fn a_self_made_certificate_is_shown_trusted_and_held_to() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let front = TlsFront::start(&archive.url).await.unwrap();
    let url = front.over(&archive.url).unwrap();
    let add = ["destination", "add", "resumable", url.as_str(), "--name", "Archive", "--token-stdin"];
    let refused = stage.cli_reading(&add, "a token").await.unwrap();
    let shown = shown_fingerprint(&front.fingerprint());
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("nobody vouches for") && refused.err.contains(&shown), "{refused:?}");

    let trusting: Vec<&str> = add.iter().copied().chain(["--trust-certificate", &shown]).collect();
    let added = stage.cli_reading(&trusting, "a token").await.unwrap();
    assert_eq!(added.code, Some(0), "{added:?}");
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();

    front.renew().unwrap();
    photo(&stage.path("two.jpg"), 2, 30_000).unwrap();
    stage.does(&["add", "two.jpg", "--to", "Archive"]).await.unwrap();
    let waited = stage.cli(&["wait", "--timeout", "60s"]).await.unwrap();
    assert_eq!(waited.code, Some(3), "{waited:?}");
    let archived = &stage.asks(&["destination", "list"]).await.unwrap()[0];
    assert_eq!(archived["state"], serde_json::to_value(DestinationState::CertificateChanged).unwrap());
    assert_eq!(archived["problem"]["certificate"]["sha256"], front.fingerprint());
    let status = stage.status().await.unwrap();
    assert!(status.sentence.contains("another certificate"), "{}", status.sentence);
    assert_eq!(archive.files().unwrap().len(), 1);

    let wrong = stage.cli(&["destination", "trust", "Archive", &"ab".repeat(32)]).await.unwrap();
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    stage.does(&["destination", "trust", "Archive", &shown_fingerprint(&front.fingerprint())]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 2);
}

#[tokio::test]
async fn a_large_file_goes_on_at_the_second_address_where_the_first_stopped() {
    let len = 64 * MB;
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let (home, away) = (Proxy::start(&archive.url).await.unwrap(), Proxy::start(&archive.url).await.unwrap());
    let (first, second) = (home.over(&archive.url).unwrap(), away.over(&archive.url).unwrap());
    let add = ["destination", "add", "resumable", first.as_str(), "--also", second.as_str(), "--name", "Archive", "--token-stdin"];
    let added = stage.cli_reading(&add, "a token").await.unwrap();
    assert_eq!(added.code, Some(0), "{added:?}");
    photo(&stage.path("film.mp4"), 7, len).unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(30_000_000)).await.unwrap();
    stage.does(&["add", "film.mp4", "--to", "Archive"]).await.unwrap();
    until("a third of the file on the first line", async || Ok((home.up() > len as u64 / 3).then_some(()))).await.unwrap();
    let before = home.up();
    drop(home);
    stage.settings(|settings| settings.bandwidth_bytes_per_s = None).await.unwrap();
    stage.delivered().await.unwrap();

    assert!(same(&stage.path("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
    assert!(before < len as u64, "the first address was to die in the middle");
    assert!(away.up() < len as u64 - before + 8 * MB as u64, "{} bytes over the second, {before} before", away.up());
    let jobs = stage.asks(&["jobs"]).await.unwrap();
    assert_eq!(jobs[0]["attempts"], 1, "{jobs}");
}

#[tokio::test]
async fn nothing_goes_unencrypted_without_a_word_or_beyond_the_local_network() {
    let stage = Stage::new().await.unwrap();
    let add = async |url: &str, more: &[&str]| {
        let words = ["destination", "add", "resumable", url, "--name", "NAS", "--no-test"];
        stage.cli(&words.iter().chain(more).copied().collect::<Vec<_>>()).await.unwrap()
    };
    for (url, more, why) in [
        ("http://192.168.1.5/files", &[][..], "--cleartext"),
        ("http://nas.local/files", &[], "unencrypted"),
        // Of TEST-NET-1 (RFC 5737), where nobody is.
        ("http://192.0.2.1/files", &["--cleartext"], "not in the local network"),
        ("http://192.168.1.5/files", &["--cleartext", "--also", "https://photos.example.com/files"], "does not say who it is"),
    ] {
        let refused = add(url, more).await;
        assert!(refused.code == Some(1) && refused.err.contains(why), "{url}: {refused:?}");
    }
    let added = add("http://192.168.1.5/files", &["--cleartext"]).await;
    assert_eq!(added.code, Some(0), "{added:?}");
}

#[tokio::test]
async fn another_user_signs_in() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    let said = stage.cli_reading(&["destination", "sign-in", "Archive", "--user", "anna"], "a token").await.unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    let listed = &stage.asks(&["destination", "list"]).await.unwrap()[0];
    assert_eq!(listed["config"]["user"], "anna");
}

/// The addresses of *Archive*, in their order, and the one that is used now.
async fn addresses(stage: &Stage) -> (Vec<String>, Option<String>) {
    let seen = stage.asks(&["destination", "address", "Archive", "list"]).await.unwrap();
    let seen: DestinationAddresses = serde_json::from_value(seen).unwrap();
    (seen.addresses, seen.used)
}

#[tokio::test]
async fn addresses_are_added_moved_and_removed() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    let line = Proxy::start(&archive.url).await.unwrap();
    let (first, second) = (archive.url.as_str(), line.over(&archive.url).unwrap().to_string());
    let change = async |words: &[&str]| {
        let said = stage.cli(&[&["destination", "address", "Archive"], words].concat()).await.unwrap();
        (said.code == Some(0), said.err)
    };
    assert!(change(&["add", &second]).await.0);
    assert!(line.up() > 0, "it was not tried out");
    assert_eq!(addresses(&stage).await.0, [first, &second]);
    assert!(change(&["move", &second, "1"]).await.0);
    assert_eq!(addresses(&stage).await, (vec![second.clone(), first.to_owned()], None), "none of them was used in this order");
    assert_eq!(stage.asks(&["app", "list"]).await.unwrap()[0]["url_bases"], serde_json::json!([second, first]));
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(addresses(&stage).await.1, Some(second.clone()));

    for (words, why) in [
        (&["add", first][..], "twice"),
        (&["add", "http://192.168.1.5/files"], "does not say who it is"),
        (&["remove", "https://nowhere.example"], "no address of Archive"),
    ] {
        let (went, said) = change(words).await;
        assert!(!went && said.contains(why), "{words:?}: {said}");
    }
    assert!(change(&["remove", first]).await.0);
    let (went, said) = change(&["remove", &second]).await;
    assert!(!went && said.contains("the only address"), "{said}");
    assert_eq!(addresses(&stage).await, (vec![second.clone()], Some(second)));
}

#[tokio::test]
async fn another_server_at_an_address_is_refused_and_nothing_is_lost() {
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let stranger = stage.receiver("stranger").await.unwrap();
    let locked = stage.receiver("locked").await.unwrap().again(&stage, "another token").await.unwrap();
    stage.destination("Archive", &archive.url).await.unwrap();
    photo(&stage.path("one.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "one.jpg", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();

    let known = archive.url.as_str();
    let line = Proxy::start(&archive.url).await.unwrap();
    let nobody = line.over(&archive.url).unwrap();
    drop(line);
    for (url, why) in [(&stranger.url, "Another server"), (&locked.url, "did not accept"), (&nobody, "cannot be reached")] {
        for words in [&["change", known, url.as_str()][..], &["add", url.as_str()]] {
            let refused = stage.cli(&[&["destination", "address", "Archive"], words].concat()).await.unwrap();
            assert!(refused.code == Some(1) && refused.err.contains(why), "{words:?}: {refused:?}");
        }
    }
    assert_eq!(addresses(&stage).await.0, [known]);
    assert_eq!((stranger.files().unwrap().len(), locked.files().unwrap().len()), (0, 0));
    photo(&stage.path("two.jpg"), 2, 30_000).unwrap();
    stage.does(&["add", "two.jpg", "--to", "Archive"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_under_way_goes_on_at_an_address_that_took_the_place_of_its_own() {
    let len = 64 * MB;
    let stage = Stage::new().await.unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let (old, new) = (Proxy::start(&archive.url).await.unwrap(), Proxy::start(&archive.url).await.unwrap());
    let (first, second) = (old.over(&archive.url).unwrap(), new.over(&archive.url).unwrap());
    stage.destination("Archive", &first).await.unwrap();
    photo(&stage.photos().join("film.mp4"), 7, len).unwrap();
    stage.settings(|settings| settings.bandwidth_bytes_per_s = Some(20_000_000)).await.unwrap();
    stage.library().await.unwrap();
    stage.does(&["rule", "add", "--album", "All Photos", "--to", "Archive"]).await.unwrap();
    until("a part of the film", async || Ok((old.up() > len as u64 / 8).then_some(()))).await.unwrap();

    stage.does(&["destination", "address", "Archive", "change", first.as_str(), second.as_str()]).await.unwrap();
    let at_change = old.up();
    until("more of the film where it began", async || Ok((old.up() > at_change + 4_000_000).then_some(()))).await.unwrap();
    let before = old.up();
    drop(old);
    stage.settings(|settings| settings.bandwidth_bytes_per_s = None).await.unwrap();
    stage.delivered().await.unwrap();
    assert!(same(&stage.photos().join("film.mp4"), &archive.files().unwrap()["film.mp4"]).unwrap());
    assert!(before < len as u64, "the first address was to die in the middle");
    assert!(new.up() < len as u64 - before + 8 * MB as u64, "{} bytes over the second, {before} before", new.up());

    // What was delivered is known by the address that it has no more, too.
    let last = Proxy::start(&archive.url).await.unwrap();
    let third = last.over(&archive.url).unwrap();
    stage.does(&["destination", "address", "Archive", "change", second.as_str(), third.as_str()]).await.unwrap();
    let found = stage.asks(&["free-up-space", "--destination", "Archive"]).await.unwrap();
    assert_eq!(found["assets"].as_array().map(Vec::len), Some(1), "{found}");
}

/// A proxy of the system, which leads every tunnel that it is asked for to one place.
struct SystemProxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl SystemProxy {
    async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let heard = heard.clone();
                tokio::spawn(async move {
                    let mut client = BufReader::new(client);
                    let mut line = String::new();
                    let mut first = None;
                    while client.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                        first.get_or_insert_with(|| line.trim().to_owned());
                        line.clear();
                    }
                    heard.lock().unwrap().extend(first);
                    let mut server = TcpStream::connect(target).await.unwrap();
                    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                    // Either end may go first.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { url, asked }
    }

    /// One that speaks SOCKS 5 (RFC 1928), without a password.
    async fn socks(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("socks://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let heard = heard.clone();
                tokio::spawn(async move {
                    let methods = client.read_u16().await.unwrap() & 0xff;
                    client.read_exact(&mut vec![0; methods.into()]).await.unwrap();
                    client.write_all(&[5, 0]).await.unwrap();
                    // Version, command, reserved, and a name with its length before it.
                    assert_eq!(client.read_u32().await.unwrap(), 0x0501_0003);
                    let mut name = vec![0; client.read_u8().await.unwrap().into()];
                    client.read_exact(&mut name).await.unwrap();
                    let port = client.read_u16().await.unwrap();
                    heard.lock().unwrap().push(format!("{}:{port}", String::from_utf8(name).unwrap()));
                    let mut server = TcpStream::connect(target).await.unwrap();
                    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
                    // Either end may go first.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn the_systems_proxy_is_used_but_never_within_this_computer() {
    let mut stage = Stage::empty().unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let front = TlsFront::start(&archive.url).await.unwrap();
    let here = front.over(&archive.url).unwrap();
    let proxy = SystemProxy::start(here.socket_addrs(|| None).unwrap()[0]).await;
    stage.environment = ["http_proxy", "https_proxy", "HTTPS_PROXY"].map(|name| (name, proxy.url.clone())).to_vec();
    stage.environment.push(("no_proxy", "direct.test".to_owned()));
    stage.serve().await.unwrap();

    // Names that no name server knows: only a proxy finds the way.
    let far = |name: &str| Url::parse(&format!("https://{name}{}", archive.url.path())).unwrap();
    let add = async |url: &Url, name: &str| {
        let words = ["destination", "add", "resumable", url.as_str(), "--name", name, "--token-stdin"];
        let trust = ["--trust-certificate", &front.fingerprint()];
        stage.cli_reading(&words.iter().chain(&trust).copied().collect::<Vec<_>>(), "a token").await.unwrap()
    };
    let within = [add(&here, "TLS").await, add(&archive.url, "Plain").await];
    let own = stage.cli(&["destination", "add", "archive", "--name", "Own"]).await.unwrap();
    for added in within.iter().chain([&own]) {
        assert_eq!(added.code, Some(0), "{added:?}");
    }
    assert_eq!(proxy.asked(), Vec::<String>::new(), "through the proxy to this computer");

    let added = add(&far("photos.test"), "Far").await;
    assert_eq!(added.code, Some(0), "{added:?}");
    let asked = proxy.asked();
    assert!(!asked.is_empty() && asked.iter().all(|line| line.starts_with("CONNECT photos.test:443 ")), "{asked:?}");

    let excepted = add(&far("direct.test"), "Excepted").await;
    assert_eq!(excepted.code, Some(1), "{excepted:?}");
    assert_eq!(proxy.asked(), asked, "through the proxy in spite of no_proxy");
}

/// The desktop portal's proxy resolver.
struct ProxyResolver {
    proxy: String,
    asked: Arc<Mutex<Vec<String>>>,
}

#[interface(name = "org.freedesktop.portal.ProxyResolver")]
impl ProxyResolver {
    fn lookup(&self, uri: String) -> Vec<String> {
        self.asked.lock().unwrap().push(uri);
        vec![self.proxy.clone(), "direct://".to_owned()]
    }
}

#[tokio::test]
async fn the_proxy_that_the_desktop_is_set_to_is_asked_for_once() {
    through_the_desktops_proxy(async |target| SystemProxy::start(target).await, "CONNECT photos.test:443 HTTP/1.1").await;
    through_the_desktops_proxy(async |target| SystemProxy::socks(target).await, "photos.test:443").await;
}

async fn through_the_desktops_proxy(start: impl AsyncFnOnce(SocketAddr) -> SystemProxy, tunnel: &str) {
    let Some(session) = Bus::start().await else { return };
    let mut stage = Stage::empty().unwrap();
    let archive = stage.receiver("archive").await.unwrap();
    let front = TlsFront::start(&archive.url).await.unwrap();
    let proxy = start(front.over(&archive.url).unwrap().socket_addrs(|| None).unwrap()[0]).await;
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let portal = session.peer().await;
    let resolver = ProxyResolver { proxy: proxy.url.clone(), asked: asked.clone() };
    portal.object_server().at("/org/freedesktop/portal/desktop", resolver).await.unwrap();
    offer(&portal, "org.freedesktop.portal.Desktop").await;
    stage.session_bus = Some(session.address.clone());
    stage.serve().await.unwrap();

    let far = format!("https://photos.test{}", archive.url.path());
    let (far, fingerprint) = (far.as_str(), front.fingerprint());
    let words = ["destination", "add", "resumable", far, "--name", "Far", "--token-stdin", "--trust-certificate", &fingerprint];
    let added = stage.cli_reading(&words, "a token").await.unwrap();
    assert_eq!(added.code, Some(0), "{added:?}");
    photo(&stage.path("a.jpg"), 1, 30_000).unwrap();
    stage.does(&["add", "a.jpg", "--to", "Far"]).await.unwrap();
    stage.delivered().await.unwrap();
    assert_eq!(archive.files().unwrap().len(), 1);
    assert!(!proxy.asked().is_empty() && proxy.asked().iter().all(|line| line == tunnel), "{:?}", proxy.asked());
    // At most once more, if the network was first seen meanwhile.
    let asked = asked.lock().unwrap().clone();
    assert!((1..=2).contains(&asked.len()) && asked.iter().all(|url| url.starts_with("https://photos.test")), "{asked:?}");
}
