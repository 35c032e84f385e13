//! Checks of single texts. The message says what is expected and never repeats the text: it may be a secret.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::net::{IpAddr, SocketAddr};

/// Says what is expected instead.
pub type Check = fn(&str) -> Result<(), String>;

fn expect(is_right: bool, message: &str) -> Result<(), String> {
    if is_right { Ok(()) } else { Err(message.to_owned()) }
}

pub fn not_empty(text: &str) -> Result<(), String> {
    expect(!text.trim().is_empty(), "must not be empty")
}

pub fn brokers(text: &str) -> Result<(), String> {
    let is_broker = |broker: &str| {
        let host_and_port = broker.trim().rsplit_once("://").map_or(broker.trim(), |(_, rest)| rest);
        let (host, port) = host_and_port.rsplit_once(':').unwrap_or((host_and_port, "9092"));
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    expect(
        text.split(',').all(is_broker),
        "must be host:port, several separated by commas",
    )
}

pub fn prefix(text: &str) -> Result<(), String> {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    expect(
        !text.is_empty() && text.len() <= 100 && text.bytes().all(is_legal),
        "must be 1 to 100 letters, digits, `.`, `_` or `-`, as topics' names are",
    )
}

pub fn address(text: &str) -> Result<(), String> {
    expect(
        text.parse::<SocketAddr>().is_ok(),
        "must be an IP address and a port, such as 127.0.0.1:9464",
    )
}

pub fn url(text: &str) -> Result<(), String> {
    expect(url::Url::parse(text).is_ok(), "must be a URL")
}

pub fn database(text: &str) -> Result<(), String> {
    history_store::Store::is_shared(text)
        .map(drop)
        .map_err(|_| "must begin with sqlite:// or postgres://".to_owned())
}

pub fn proxy(text: &str) -> Result<(), String> {
    text.parse::<egress::Proxy>()
        .map(drop)
        .map_err(|error| error.to_string())
}

pub fn readable_file(text: &str) -> Result<(), String> {
    match std::fs::File::open(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("can't read the file: {error}")),
    }
}

pub fn encryption_key(text: &str) -> Result<(), String> {
    let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
    expect(
        bytes.len() == 32,
        "must be 32 bytes in base64; `hookline keygen` makes one",
    )
}

pub fn header_prefix(text: &str) -> Result<(), String> {
    let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    expect(
        text.len() >= 2 && text.len() <= 40 && text.ends_with('-') && text.bytes().all(is_legal),
        "must be lower case letters, digits and `-`, at most 40, and end with `-`",
    )
}

pub fn network(text: &str) -> Result<(), String> {
    let is_network = text.parse::<ipnet::IpNet>().is_ok() || text.parse::<IpAddr>().is_ok();
    expect(
        is_network,
        "must be a network such as 10.0.0.0/8 or fd00::/8, or one address",
    )
}

pub fn log_level(text: &str) -> Result<(), String> {
    let is_level = |word: &str| ["error", "warn", "info", "debug", "trace", "off"].contains(&word);
    let is_directive = |part: &str| match part.split_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(part),
    };
    expect(
        text.split(',').all(is_directive),
        "must be error, warn, info, debug or trace, or directives such as info,dispatcher=debug",
    )
}
