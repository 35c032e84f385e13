//! Python programs that tests run against Hookline, of pinned versions, in a virtual environment outside the work tree.
//! What they are run for is the tests' business. As with Kafka's jars, only complete environments are ever seen in the
//! cache: one is made beside it, and renamed when it is done.

use std::ffi::OsStr;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use brokers::provision;

const REQUIREMENTS: &str = include_str!("../requirements.txt");
/// What schemathesis needs.
const OLDEST: (u32, u32) = (3, 10);

/// The environment's Python, which is made first when it isn't there. Programs in it are modules: a moved environment's
/// scripts would name the place where it was made.
///
/// # Errors
/// When there is no Python with `venv` and it can't be installed, or pip can't fetch what is pinned.
pub fn python() -> anyhow::Result<PathBuf> {
    let cache = cache_dir()?;
    let environment = cache.join(format!("python-{:016x}", fingerprint()));
    let python = environment.join("bin/python");
    // It links to the machine's Python: when that has gone, the environment is made again.
    if python.exists() {
        return Ok(python);
    }
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // The file stays: removing it would let two makers hold a lock each.
    let lock = File::create(cache.join("python.lock"))?;
    lock.lock().context("cannot lock the cache of Python programs")?;
    if !python.exists() {
        make(&cache, &environment)?;
    }
    Ok(python)
}

/// Another environment for other requirements.
fn fingerprint() -> u64 {
    let mut hasher = DefaultHasher::new();
    REQUIREMENTS.hash(&mut hasher);
    hasher.finish()
}

/// `$XDG_CACHE_HOME/hookline`, else `~/.cache/hookline`.
fn cache_dir() -> anyhow::Result<PathBuf> {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").filter(|value| Path::new(value).is_absolute()) {
        return Ok(Path::new(&cache).join("hookline"));
    }
    let home =
        std::env::home_dir().context("set HOME or XDG_CACHE_HOME: Python programs of the tests are cached there")?;
    Ok(home.join(".cache/hookline"))
}

fn make(cache: &Path, environment: &Path) -> anyhow::Result<()> {
    let python = ensure_python()?;
    eprintln!(
        "python: fetching the tests' Python programs with pip into {}",
        environment.display()
    );
    let work = tempfile::Builder::new().prefix("python-").tempdir_in(cache)?;
    let made = work.path().join("environment");
    run(&python, [OsStr::new("-m"), OsStr::new("venv"), made.as_os_str()])?;
    let requirements = work.path().join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS)?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ];
    let arguments = pip.iter().map(OsStr::new).chain([requirements.as_os_str()]);
    run(&made.join("bin/python"), arguments)?;
    if environment.exists() {
        std::fs::remove_dir_all(environment)?;
    }
    std::fs::rename(&made, environment).with_context(|| format!("cannot move it to {}", environment.display()))
}

/// A Python that is new enough and makes environments, installed where that is possible.
fn ensure_python() -> anyhow::Result<PathBuf> {
    if let Some(python) = usable() {
        return Ok(python);
    }
    let what = format!(
        "Python {}.{} or newer with its modules venv and ensurepip, which the tests' Python programs run on",
        OLDEST.0, OLDEST.1
    );
    provision::install(&what, &[&["python3"], &["python3-venv"]])?;
    usable().with_context(|| format!("still missing: {what}"))
}

fn usable() -> Option<PathBuf> {
    let python = provision::find_program("python3")?;
    let probe = format!(
        "import sys, venv, ensurepip; sys.exit(sys.version_info < ({}, {}))",
        OLDEST.0, OLDEST.1
    );
    let mut command = Command::new(&python);
    command.args(["-c", &probe]).stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success()).then_some(python)
}

fn run(python: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> anyhow::Result<()> {
    let mut command = Command::new(python);
    command.args(arguments).stdin(Stdio::null());
    let shown = format!("{command:?}");
    // Standard output belongs to the task.
    let mut child = command
        .stdout(Stdio::from(std::io::stderr()))
        .spawn()
        .with_context(|| format!("cannot run {shown}"))?;
    let status = child.wait()?;
    ensure!(status.success(), "{shown} ended with {status}: see its output above");
    Ok(())
}
