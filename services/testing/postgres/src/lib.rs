//! A real Postgres for tests and measurements: one server a process, from the distribution's package, in a directory of its
//! own, and a database for whoever asks. It ends with the process, however that ends. Deliberately no client.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use brokers::{Reaper, provision};
use nix::unistd::{User, geteuid};

/// Names a server to use, `postgres://user:password@host:port`, whose user may make databases, instead of starting one.
pub const SERVER_VARIABLE: &str = "HOOKLINE_TEST_POSTGRES";
/// Where distributions put what isn't in `PATH`, by version.
const VERSIONS: &str = "/usr/lib/postgresql";
const USER: &str = "hookline";
/// Postgres doesn't run as root; its package makes this user.
const SYSTEM_USER: &str = "postgres";
const STARTED_WITHIN: Duration = Duration::from_secs(60);

/// A running server.
struct Server {
    programs: PathBuf,
    /// Without a database.
    url: String,
    child: Option<(Child, Reaper)>,
    _data: Option<tempfile::TempDir>,
}

static SHARED: Mutex<Option<Server>> = Mutex::new(None);

/// The URL of a new, empty database, on a server that everything in this process shares. Blocks while that starts.
///
/// # Errors
/// When Postgres isn't on the machine and can't be installed, or doesn't start.
pub fn database() -> anyhow::Result<String> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Server::obtain()?);
    }
    let server = shared.as_ref().context("it was started just now")?;
    let name = format!("hookline_{}", uuid::Uuid::new_v4().simple());
    run(Command::new(server.programs.join("psql")).args([
        server.url.as_str(),
        "-qc",
        &format!("CREATE DATABASE {name}"),
    ]))?;
    let base = server.url.strip_suffix("/postgres").unwrap_or(&server.url);
    Ok(format!("{base}/{name}"))
}

/// Sees to it that Postgres is on the machine, without starting it.
///
/// # Errors
/// When it isn't and can't be installed.
pub fn ensure() -> anyhow::Result<()> {
    programs().map(drop)
}

impl Server {
    fn obtain() -> anyhow::Result<Self> {
        let programs = programs()?;
        if let Ok(url) = std::env::var(SERVER_VARIABLE) {
            return Ok(Self {
                programs,
                url: format!("{}/postgres", url.trim_end_matches('/')),
                child: None,
                _data: None,
            });
        }
        let data = tempfile::Builder::new().prefix("hookline-postgres-").tempdir()?;
        std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o700))?;
        if geteuid().is_root() {
            let user = User::from_name(SYSTEM_USER)?.context("there is no system user postgres")?;
            chown(data.path(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
        }
        let cluster = data.path().join("cluster");
        run(as_postgres(&programs.join("initdb"))
            .args([
                "--no-sync",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--username",
                USER,
                "-D",
            ])
            .arg(&cluster))?;
        let port = free_port()?;
        let child = as_postgres(&programs.join("postgres"))
            .arg("-D")
            .arg(&cluster)
            .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", "unix_socket_directories=", "-c", "max_connections=200"])
            // What a test leaves need not outlast a power failure.
            .args([
                "-c",
                "fsync=off",
                "-c",
                "shared_buffers=256MB",
                "-c",
                "max_wal_size=4GB",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start postgres")?;
        let reaper = Reaper::start(&[OsStr::new("rm").into(), OsStr::new("-rf").into(), data.path().into()])?;
        reaper.watch(child.id().cast_signed())?;
        let server = Self {
            url: format!("postgres://{USER}@127.0.0.1:{port}/postgres"),
            programs,
            child: Some((child, reaper)),
            _data: Some(data),
        };
        server.await_ready(port)?;
        Ok(server)
    }

    fn await_ready(&self, port: u16) -> anyhow::Result<()> {
        let deadline = Instant::now() + STARTED_WITHIN;
        let port = port.to_string();
        while Instant::now() < deadline {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            if asked.status().context("cannot run pg_isready")?.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("postgres does not answer within {STARTED_WITHIN:?}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The newest installed version's programs; installed first where that is possible.
fn programs() -> anyhow::Result<PathBuf> {
    if let Some(found) = installed() {
        return Ok(found);
    }
    provision::install(
        "Postgres, which tests of the delivery history run on",
        &[&["postgresql"]],
    )?;
    installed().context("still missing: Postgres (the program initdb)")
}

fn installed() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    let number = |bin: &PathBuf| {
        let version = bin.parent()?.file_name()?.to_str()?;
        version.parse::<u32>().ok()
    };
    versions.sort_by_key(number);
    let in_path = || Some(provision::find_program("initdb")?.parent()?.to_owned());
    versions.pop().or_else(in_path)
}

fn as_postgres(program: &Path) -> Command {
    if !geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", SYSTEM_USER, "--regid", SYSTEM_USER, "--clear-groups", "--"]);
    command.arg(program).current_dir("/");
    command
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.with_context(|| format!("cannot run {shown}"))?;
    ensure!(
        output.status.success(),
        "{shown} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
