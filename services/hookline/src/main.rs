//! The `hookline` binary.
mod config;
fn main() {
    let loaded = config::load(None, std::iter::empty());
    let _ = (loaded.map(|l| l.shown()), config::default_file());
}
