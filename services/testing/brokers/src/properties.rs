//! The properties files of the nodes. Small on purpose: few internal partitions, so that two cores start quickly, and a
//! short broker session, since a killed broker may only register again when its old session is over. Tests leave many
//! thousand partitions behind, so a node's heap is for them: no JMX, which nobody asks and which has eleven names for each
//! partition, and little for the log cleaner, which takes 128 MiB unasked.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// One node's id and ports on 127.0.0.1, and its directory id (only used when there are several nodes).
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) node_id: u8,
    pub(crate) client_port: u16,
    pub(crate) controller_port: u16,
    pub(crate) directory_id: String,
}

/// 16 random bytes in unpadded URL-safe base64, as Kafka writes ids. Never with a leading dash, which its command
/// line would take for an option.
pub(crate) fn random_id() -> String {
    loop {
        let id = URL_SAFE_NO_PAD.encode(uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// The properties of node `own`; `extra` comes last and so wins.
pub(crate) fn render(own: &Address, all: &[Address], log_dir: &Path, extra: &[(String, String)]) -> String {
    let quorum: Vec<_> = all
        .iter()
        .map(|node| format!("127.0.0.1:{}", node.controller_port))
        .collect();
    let (replicas, min_isr) = if all.len() == 1 { (1, 1) } else { (3, 2) };
    let mut text = format!(
        "process.roles=broker,controller
node.id={id}
listeners=PLAINTEXT://127.0.0.1:{client},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{client}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.bootstrap.servers={quorum}
log.dirs={log_dir}
default.replication.factor={replicas}
min.insync.replicas={min_isr}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={min_isr}
transaction.state.log.num.partitions=8
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={min_isr}
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
metrics.jmx.exclude=.*
log.cleaner.dedupe.buffer.size=16777216
",
        id = own.node_id,
        client = own.client_port,
        controller = own.controller_port,
        quorum = quorum.join(","),
        log_dir = log_dir.display(),
    );
    for (key, value) in extra {
        text.push_str(&format!("{key}={value}\n"));
    }
    text
}

/// The arguments of `StorageTool format` that say who the first controllers are.
pub(crate) fn format_arguments(all: &[Address]) -> Vec<String> {
    if all.len() == 1 {
        return vec!["--standalone".to_owned()];
    }
    let controllers: Vec<_> = all
        .iter()
        .map(|node| {
            format!(
                "{}@127.0.0.1:{}:{}",
                node.node_id, node.controller_port, node.directory_id
            )
        })
        .collect();
    vec!["--initial-controllers".to_owned(), controllers.join(",")]
}

/// log4j's configuration: warnings and errors to standard output, which goes to a file of the node's.
pub(crate) const LOG4J: &str = "\
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1}: %m%n
";

#[cfg(test)]
mod tests {
    //! What a single node and three nodes differ in.
    use super::*;

    fn address(node_id: u8) -> Address {
        let port = 20_000 + u16::from(node_id);
        Address {
            node_id,
            client_port: port,
            controller_port: port + 100,
            directory_id: format!("dir{node_id}"),
        }
    }

    #[test]
    fn a_single_node_replicates_nothing() {
        let text = render(&address(1), &[address(1)], Path::new("/tmp/x"), &[]);
        assert!(text.contains("transaction.state.log.min.isr=1\n"), "{text}");
        assert_eq!(format_arguments(&[address(1)]), ["--standalone"]);
    }

    #[test]
    fn three_nodes_know_each_other() {
        let all = [address(1), address(2), address(3)];
        let text = render(&all[1], &all, Path::new("/tmp/x"), &[]);
        assert!(
            text.contains("bootstrap.servers=127.0.0.1:20101,127.0.0.1:20102,127.0.0.1:20103\n"),
            "{text}"
        );
        assert!(text.contains("offsets.topic.replication.factor=3\n"), "{text}");
        assert!(format_arguments(&all)[1].starts_with("1@127.0.0.1:20101:dir1,2@"));
    }

    #[test]
    fn extra_properties_come_last() {
        let extra = [("log.retention.bytes".to_owned(), "1000".to_owned())];
        assert!(render(&address(1), &[address(1)], Path::new("/t"), &extra).ends_with("log.retention.bytes=1000\n"));
    }

    #[test]
    fn an_id_is_22_characters_without_leading_dash() {
        for _ in 0..500 {
            let id = random_id();
            assert!(id.len() == 22 && !id.starts_with('-'), "{id}");
        }
    }
}
