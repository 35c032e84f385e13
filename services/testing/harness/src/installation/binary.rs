//! Where the built binary is.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// Names the binary; `cargo xtask` sets it.
const VARIABLE: &str = "HOOKLINE_BIN";

/// What `HOOKLINE_BIN` names, else `hookline` in the target directory of the running test or program.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os(VARIABLE).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        if !path.is_file() {
            bail!("{VARIABLE} names {}, which is no file", path.display());
        }
        return Ok(path);
    }
    let own = std::env::current_exe().context("this program's own path is unknown")?;
    // target/debug/hookline-demo, or target/debug/deps/acceptance-0123
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join("hookline"))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "no hookline beside {}: run `cargo build` first, or set {VARIABLE}",
            own.display()
        )
    })
}
