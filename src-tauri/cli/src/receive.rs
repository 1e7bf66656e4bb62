//! `afterglow receive`.

use afterglow_receiver::{Listen, ReceiverOptions, SenderToken};
use anyhow::Context;
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
    let options = ReceiverOptions {
        max_size: args.max_size,
        bucket: args.bucket,
        ..ReceiverOptions::new(args.dir.clone(), Listen::Tcp(args.listen), vec![sender])
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
    quit.cancelled().await;
    receiver.shutdown().await;
    Ok(Exit::Done)
}
