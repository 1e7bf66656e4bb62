//! `afterglow receive`.

use afterglow_model::shown_fingerprint;
use afterglow_nearby::{Announcement, announce};
use afterglow_receiver::{Listen, PairingEnd, Receiver, ReceiverOptions, SenderToken};
use anyhow::Context;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::{Exit, args::ReceiveArgs, log, output, serve::end_on_signal};

/// Receives until told to end by a signal.
pub(crate) async fn run(args: ReceiveArgs) -> anyhow::Result<Exit> {
    log::start(LevelFilter::WARN, std::io::stderr);
    let quit = CancellationToken::new();
    end_on_signal(&quit)?;

    std::fs::create_dir_all(&args.dir).with_context(|| format!("{}", args.dir.display()))?;
    let (sender, made) = match args.token {
        Some(token) => (SenderToken { name: SenderToken::FOLDER_OWNER.to_owned(), token }, false),
        None => (SenderToken::of_folder(&args.dir).context("the token of this folder")?, true),
    };
    let token = sender.token.clone();
    let listen = if args.cleartext { Listen::Tcp(args.listen) } else { Listen::Tls(args.listen) };
    let options = ReceiverOptions {
        max_size: args.max_size,
        bucket: args.bucket,
        ..ReceiverOptions::new(args.dir.clone(), listen, vec![sender])
    };
    let receiver = afterglow_receiver::start(options).await?;
    let url = receiver.url();
    if let Some(path) = &args.url_file {
        std::fs::write(path, &url).with_context(|| format!("{}", path.display()))?;
    }
    output::line(format!("Receiving into {}", args.dir.display()));
    output::line(format!("Senders use {url}"));
    if made {
        output::line(format!("with the token {token}"));
    }
    output::line(receiver.certificate().map_or_else(
        || "unencrypted: photos and the token pass openly".to_owned(),
        |sha256| format!("and trust the certificate {}", shown_fingerprint(sha256)),
    ));
    match &args.announce {
        None => quit.cancelled().await,
        Some(name) => {
            let announced = announced(name, &receiver);
            tokio::select! {
                () = quit.cancelled() => {}
                () = show_codes(&receiver) => {}
            }
            drop(announced);
        }
    }
    receiver.shutdown().await;
    Ok(Exit::Done)
}

/// Says in the local network that it is here. Without that, it can be paired with by its URL.
fn announced(name: &str, receiver: &Receiver) -> Option<Announcement> {
    let announced = match receiver.address() {
        Listen::Tls(address) => announce(name, receiver.id(), *address, true),
        Listen::Tcp(address) => announce(name, receiver.id(), *address, false),
        #[cfg(unix)]
        Listen::Unix(_) => return None,
    };
    announced.inspect_err(|error| output::line(format!("It is not announced: {error}"))).ok()
}

/// Shows a code, what becomes of it, and on the person's word another one.
async fn show_codes(receiver: &Receiver) {
    let mut wishes = wishes();
    loop {
        output::line(format!("Code for one computer, valid for ten minutes: {}", receiver.offer_pairing()));
        output::line(match receiver.pairing_ended().await {
            PairingEnd::Paired => "A computer is paired: it may send from now on. Press Enter to pair another one.",
            PairingEnd::TriesUsedUp => "There were five wrong codes, so this one is valid no more. Press Enter for a new one.",
            PairingEnd::Lapsed => "The code is valid no more. Press Enter for a new one.",
        });
        // Without a person there is no further code.
        if wishes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Lines on the standard input, read on a thread that the program's end does not wait for.
fn wishes() -> mpsc::Receiver<()> {
    let (wish, wishes) = mpsc::channel(1);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lines().map_while(Result::ok);
        lines.map_while(|_| wish.blocking_send(()).ok()).for_each(drop);
    });
    wishes
}
