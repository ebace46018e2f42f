//! Lines on stderr, as text or JSON, more or fewer of them while the server runs.

use std::str::FromStr as _;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

/// Changes the level of a running server.
#[derive(Clone, Debug)]
pub struct Level(reload::Handle<LevelFilter, Registry>);

/// Starts logging. `OXKEEPER_LOG` is the level (error, warn, info, debug, trace; info unless set),
/// `OXKEEPER_LOG_FORMAT=json` makes every line an object.
pub fn start() -> Level {
    let wished = std::env::var("OXKEEPER_LOG").ok();
    let level = wished.as_deref().map_or(Ok(LevelFilter::INFO), LevelFilter::from_str);
    let (filter, handle) = reload::Layer::new(*level.as_ref().unwrap_or(&LevelFilter::INFO));
    let json = std::env::var("OXKEEPER_LOG_FORMAT").is_ok_and(|format| format == "json");
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    let registry = tracing_subscriber::registry().with(filter);
    if json {
        registry.with(lines.json()).init();
    } else {
        registry.with(lines).init();
    }
    if let Err(error) = level {
        tracing::warn!(%error, wished, "OXKEEPER_LOG is no level; taking info");
    }
    Level(handle)
}

impl Level {
    /// SIGUSR1: one level more. SIGUSR2: back to info.
    pub fn on_signal(&self, more: bool) {
        let changed = self.0.modify(|level| *level = if more { louder(*level) } else { LevelFilter::INFO });
        match changed {
            Ok(()) => tracing::warn!(level = ?self.0.clone_current(), "log level changed"),
            Err(error) => tracing::error!(%error, "the log level cannot be changed"),
        }
    }
}

fn louder(level: LevelFilter) -> LevelFilter {
    match level {
        LevelFilter::OFF => LevelFilter::ERROR,
        LevelFilter::ERROR => LevelFilter::WARN,
        LevelFilter::WARN => LevelFilter::INFO,
        LevelFilter::INFO => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}
