//! Log lines on stderr: text on a terminal, else JSON; and the same to a collector, when there is one. What may be in a
//! line (never a secret) is up to who writes it.

use crate::otlp::logs::Records;
use std::io::IsTerminal;
use std::str::FromStr;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

/// `log.format`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Text when stderr is a terminal, else JSON.
    #[default]
    Auto,
    Text,
    Json,
}

impl FromStr for Format {
    type Err = InvalidLogging;

    fn from_str(text: &str) -> Result<Self, InvalidLogging> {
        match text {
            "auto" => Ok(Self::Auto),
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(InvalidLogging::Format),
        }
    }
}

/// Why logging can't begin.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLogging {
    #[error("the log format must be `text` or `json`")]
    Format,
    #[error(
        "the log level must be `error`, `warn`, `info`, `debug` or `trace`, or directives like `info,dispatcher=debug`, not `{0}`"
    )]
    Level(String),
    #[error("logging was set up already in this process")]
    Twice,
}

/// Begins logging for the whole process. `level` is `log.level`: a level, or directives per crate.
///
/// # Errors
/// [`InvalidLogging`] for a level that can't be read, or the second time.
pub fn init(format: Format, level: &str) -> Result<(), InvalidLogging> {
    let mut filter = filter(level)?;
    // Its one line is an error for every group member that has left in order: dropping it closes it a second time.
    if let Ok(quiet) = "rdkafka::consumer::base_consumer=off".parse() {
        filter = filter.add_directive(quiet);
    }
    let is_text = match format {
        Format::Auto => std::io::stderr().is_terminal(),
        Format::Text => true,
        Format::Json => false,
    };
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if is_text {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        lines
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    };
    let begun = tracing_subscriber::registry()
        .with(lines)
        .with(Records)
        .with(filter)
        .try_init();
    begun.map_err(|_| InvalidLogging::Twice)
}

/// Every directive must end in a level: a typing error must not silence the logs. What no directive covers logs at
/// `info`.
fn filter(level: &str) -> Result<EnvFilter, InvalidLogging> {
    let refused = || InvalidLogging::Level(level.to_owned());
    let directives: Vec<&str> = level.split(',').map(str::trim).collect();
    let own_level = |directive: &&str| {
        directive
            .rsplit_once('=')
            .map_or(*directive, |(_, level)| level)
            .to_owned()
    };
    let is_level = |word: &str| !word.is_empty() && LevelFilter::from_str(word).is_ok();
    if !directives.iter().all(|directive| is_level(&own_level(directive))) {
        return Err(refused());
    }
    let has_default = directives.iter().any(|directive| !directive.contains('='));
    let all = if has_default {
        directives.join(",")
    } else {
        format!("info,{}", directives.join(","))
    };
    EnvFilter::try_new(all).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_levels_and_directives_and_refuses_the_rest() {
        for (level, expected) in [
            ("info", Some("info")),
            ("WARN", Some("warn")),
            ("off", Some("off")),
            ("dispatcher=debug", Some("dispatcher=debug,info")),
            ("warn, fanout=trace", Some("fanout=trace,warn")),
            ("infos", None),
            ("", None),
            ("fanout=loud", None),
            ("info,fanout", None),
        ] {
            assert_eq!(
                filter(level).ok().map(|filter| filter.to_string()).as_deref(),
                expected,
                "{level}"
            );
        }
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("json".parse::<Format>().ok(), Some(Format::Json));
        assert!("xml".parse::<Format>().is_err());
    }
}
