//! The programs and headers that the workspace's C libraries (librdkafka, zstd, OpenSSL's headers) are built with.

use std::process::{Command, Stdio};

use brokers::provision;

struct Tool {
    what: &'static str,
    packages: &'static [&'static [&'static str]],
    present: fn() -> bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        what: "a C and C++ compiler and make, which librdkafka is built with",
        packages: &[&["build-essential"]],
        present: || {
            ["cc", "c++", "make"]
                .iter()
                .all(|name| provision::find_program(name).is_some())
        },
    },
    Tool {
        what: "cmake, which some C libraries are built with",
        packages: &[&["cmake"]],
        present: || provision::find_program("cmake").is_some(),
    },
    Tool {
        what: "pkg-config, which finds OpenSSL",
        packages: &[&["pkg-config"]],
        present: || provision::find_program("pkg-config").is_some(),
    },
    Tool {
        what: "OpenSSL's headers, which librdkafka's TLS is built with",
        packages: &[&["libssl-dev"]],
        present: || {
            let mut command = Command::new("pkg-config");
            command
                .args(["--exists", "openssl"])
                .stdin(Stdio::null())
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        },
    },
];

/// Looks for all of them and installs what is missing, in one go.
pub(crate) fn ensure() -> anyhow::Result<()> {
    let missing: Vec<_> = TOOLS.iter().filter(|tool| !(tool.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what: Vec<_> = missing.iter().map(|tool| tool.what).collect();
    let packages: Vec<_> = missing.iter().flat_map(|tool| tool.packages.iter().copied()).collect();
    provision::install(&what.join("; "), &packages)
}
