//! Apache Kafka's jars, fetched once with Maven into a cache outside the work tree. Only complete sets are ever seen
//! there: a fetch goes to a directory beside it, which is renamed when it is done.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::{java, provision};

const KAFKA_VERSION: &str = "4.3.1";

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>hookline</groupId>
  <artifactId>kafka-jars</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>KAFKA_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>KAFKA_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.3</version>
    </dependency>
  </dependencies>
</project>
"#;

/// The directory with the jars, fetched first when it isn't there.
pub(crate) fn ensure() -> anyhow::Result<PathBuf> {
    let cache = cache_dir()?;
    let jars = cache.join(format!("kafka-{KAFKA_VERSION}"));
    if jars.is_dir() {
        return Ok(jars);
    }
    std::fs::create_dir_all(&cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // The file stays: removing it would let two fetchers hold a lock each.
    let lock = File::create(cache.join("fetch.lock"))?;
    lock.lock().context("cannot lock the cache of jars")?;
    if !jars.is_dir() {
        fetch(&cache, &jars)?;
    }
    Ok(jars)
}

/// `$XDG_CACHE_HOME/hookline`, else `~/.cache/hookline`.
fn cache_dir() -> anyhow::Result<PathBuf> {
    if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").filter(|value| Path::new(value).is_absolute()) {
        return Ok(Path::new(&cache).join("hookline"));
    }
    let home = std::env::home_dir().context("set HOME or XDG_CACHE_HOME: Kafka's jars are cached there")?;
    Ok(home.join(".cache/hookline"))
}

/// Java with it when that is missing too, so that one command mends both.
fn ensure_maven() -> anyhow::Result<()> {
    const MAVEN: &[&str] = &["maven"];
    match (java::find(), provision::find_program("mvn")) {
        (Some(_), Some(_)) => Ok(()),
        (Some(_), None) => provision::install("Maven, which fetches Apache Kafka", &[MAVEN]),
        (None, Some(_)) => java::ensure().map(drop),
        (None, None) => {
            let what = "Java 17 or newer and Maven, which Apache Kafka runs on and is fetched with";
            provision::install(what, &[java::PACKAGES, MAVEN])
        }
    }
}

fn fetch(cache: &Path, jars: &Path) -> anyhow::Result<()> {
    ensure_maven()?;
    eprintln!(
        "kafka: fetching Apache Kafka {KAFKA_VERSION} with Maven into {}",
        jars.display()
    );
    let work = tempfile::Builder::new().prefix("fetch-").tempdir_in(cache)?;
    std::fs::write(work.path().join("pom.xml"), POM.replace("KAFKA_VERSION", KAFKA_VERSION))?;
    let fetched = work.path().join("jars");
    let mut output_argument = std::ffi::OsString::from("-DoutputDirectory=");
    output_argument.push(&fetched);
    let mut maven = Command::new("mvn")
        .args([
            "-q",
            "-B",
            "-Dstyle.color=never",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ])
        .arg(output_argument)
        .current_dir(work.path())
        .stdin(Stdio::null())
        .stdout(Stdio::from(std::io::stderr()))
        .spawn()
        .context("cannot run mvn")?;
    let status = maven.wait()?;
    ensure!(
        status.success(),
        "mvn could not fetch Apache Kafka {KAFKA_VERSION} ({status}): see its output above"
    );
    let kafka_jar = fetched.join(format!("kafka_2.13-{KAFKA_VERSION}.jar"));
    ensure!(
        kafka_jar.is_file(),
        "mvn succeeded, but {} is missing",
        kafka_jar.display()
    );
    std::fs::rename(&fetched, jars).with_context(|| format!("cannot move the jars to {}", jars.display()))
}
