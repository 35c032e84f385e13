//! Why no broker answers, as far as connections show: Kafka's client says the same of a name that nobody knows, a port where
//! nothing listens, and a listener that wants TLS.

use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(5);

/// What is wrong with each of `host:port,…`; None when some of them accept connections, so that the trouble lies further on.
pub async fn why_not(brokers: &str) -> Option<String> {
    let mut reasons = Vec::new();
    for broker in brokers.split(',').map(str::trim).filter(|broker| !broker.is_empty()) {
        reasons.push(format!("{broker} {}", refusal(broker).await?));
    }
    (!reasons.is_empty()).then(|| reasons.join(", "))
}

/// None when it accepts a connection.
async fn refusal(broker: &str) -> Option<String> {
    // The protocol may stand before it.
    let address = broker.rsplit("://").next().unwrap_or(broker);
    let addresses = match timeout(PATIENCE, lookup_host(address)).await {
        Ok(Ok(addresses)) => addresses.collect::<Vec<_>>(),
        Ok(Err(error)) => return Some(format!("can't be looked up ({error})")),
        Err(_) => return Some(format!("can't be looked up within {} s", PATIENCE.as_secs())),
    };
    match timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("can't be connected to ({error})")),
        Err(_) => Some(format!("accepts no connection within {} s", PATIENCE.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_where_nothing_listens_and_a_name_without_a_port_are_told_from_what_listens() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let there = listener.local_addr().expect("its address").to_string();
        assert_eq!(why_not(&there).await, None);
        assert_eq!(why_not(&format!("127.0.0.1:1,{there}")).await, None, "one is enough");
        let found = why_not("127.0.0.1:1, localhost").await.expect("neither is there");
        assert!(found.starts_with("127.0.0.1:1 can't be connected to ("), "{found}");
        assert!(found.contains("localhost can't be looked up ("), "{found}");
        assert_eq!(why_not("").await, None);
    }
}
