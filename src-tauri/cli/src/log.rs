//! What is logged: as `AFTERGLOW_LOG` says, for instance `warn,afterglow_transfer=debug`.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Logs to `writer` from now on: warnings, `ours` of Afterglow itself, or what the environment says.
pub(crate) fn start(ours: LevelFilter, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let asked = std::env::var("AFTERGLOW_LOG").ok().and_then(|text| text.parse().ok());
    let levels = asked.unwrap_or_else(|| {
        // It warns of every file that says little of itself.
        let loud = Targets::new().with_target("nom_exif", LevelFilter::OFF);
        loud.with_default(LevelFilter::WARN).with_target("afterglow", ours)
    });
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(writer);
    tracing_subscriber::registry().with(lines).with(levels).init();
}
