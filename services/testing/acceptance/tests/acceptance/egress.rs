//! Addresses that the egress policy forbids, tried in every way that a whole process can be made to go there. How the
//! policy judges addresses and names is the crate `egress`'s own tests' business.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options};
use tokio::net::TcpListener;

/// Counts the connections that come to an address that is forbidden here.
async fn forbidden_place() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.2:0")
        .await
        .expect("all of 127.0.0.0/8 is this machine");
    let address = listener.local_addr().expect("it is bound");
    let came = Arc::new(AtomicUsize::new(0));
    let counted = came.clone();
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, came)
}

#[tokio::test]
async fn invariant_4_no_request_leaves_for_a_forbidden_address() {
    let options = Options::new("egress")
        .set("egress.allow_networks", "127.0.0.1/32")
        .set("delivery.retry_schedule_sec", "[1]");
    let stage = Stage::set(options).await.expect("an installation");
    let (address, came) = forbidden_place().await;
    let forbidden = format!("http://{address}/");
    let variables = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, forbidden.as_str()));
    let roles = ["fanout", "dispatcher", "scheduler"];
    let mut rest = stage
        .installation
        .start_process("rest", &roles, &variables)
        .expect("it starts");
    rest.ready().await.expect("ready");

    let allowed = stage.door("allowed", |_| ()).await.expect("an endpoint");
    let redirecting = stage.door("redirecting", |_| ()).await.expect("an endpoint");
    redirecting.hook.behave(Behaviour::always(Answer::redirect(&forbidden)));
    // Past the checks of the command line, as if the policy had been stricter since.
    let literal = stage
        .direct
        .endpoint(&stage.tenant, &forbidden, &["*"], |_| ())
        .await
        .expect("an endpoint");

    let ids = stage.publish(1).await.expect("published");
    stage
        .arrive(&ids, &[&allowed])
        .await
        .expect("what is allowed arrives, past the proxy variables");
    for endpoint in [&redirecting.id, &literal.id] {
        stage
            .fate(&ids[0], endpoint, Outcome::Dead)
            .await
            .expect("it can't be delivered");
    }
    assert_eq!(redirecting.hook.tally().requests, 1, "redirects are final");
    assert_eq!(came.load(Ordering::SeqCst), 0, "something went to a forbidden address");
    stage.strike(vec![rest]).await.expect("ends in order");
}
