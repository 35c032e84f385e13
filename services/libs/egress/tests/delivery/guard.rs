//! Where requests may go: a table of URLs, each judged and then really tried, and names whose addresses change.

use crate::dns::{Script, Server, always, in_turn};
use crate::receiver::{Receiver, Then, response};
use crate::{TIMEOUT, client, local, post_to};
use egress::{Client, Failure, Options, Policy};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

const TABLE: &str = include_str!("urls.tsv");

fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('\t').expect("two columns"))
}

fn zone() -> impl Iterator<Item = (&'static str, Script)> {
    rows().filter_map(|(name, addresses)| {
        let addresses: Vec<_> = addresses.split_whitespace().collect();
        Some((name.strip_prefix('@')?, always(&addresses)))
    })
}

fn client_of(policy: Policy, dns: &Server) -> Client {
    let options = Options {
        policy,
        lookup: dns.lookup(),
        ..Options::default()
    };
    Client::new(options).expect("the client can be set up")
}

/// What a request to a URL came to, in the table's words.
async fn tried(client: &Client, url: &str) -> String {
    match post_to(client, url, TIMEOUT).await.outcome {
        Err(Failure::Denied(denied)) => denied.kind().to_owned(),
        Err(Failure::Resolve(_)) => "unresolved".to_owned(),
        other => format!("{other:?}"),
    }
}

/// On every address of this machine.
async fn everywhere() -> Receiver {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let answer = response("200 OK", "", b"");
    if tokio::net::TcpListener::bind(both).await.is_ok() {
        return Receiver::start_at(both, answer, Then::KeepAlive).await;
    }
    Receiver::start_at((Ipv4Addr::UNSPECIFIED, 0).into(), answer, Then::KeepAlive).await
}

#[tokio::test]
async fn every_url_of_the_table_is_judged_and_tried_invariant_4() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let (receiver, dns) = (everywhere().await, Server::start(zone()).await);
    let port = receiver.address.port().to_string();
    let (policy, mut refused, mut count) = (Policy::default(), BTreeMap::<_, usize>::new(), 0);
    let client = client_of(policy.clone(), &dns);
    for (url, verdict) in rows().filter(|(url, _)| !url.starts_with('@')) {
        let url = url.replace("{port}", &port);
        count += 1;
        match (policy.check_url(&url), verdict) {
            // What is allowed isn't tried: it may be anybody's.
            (Ok(_), "allowed") => continue,
            (Ok(_), "name" | "unresolved") => {}
            (Err(denied), kind) => assert_eq!(denied.kind(), kind, "{url}: {denied}"),
            (Ok(_), kind) => panic!("{url} passes and should be refused by {kind}"),
        }
        assert_eq!(tried(&client, &url).await, verdict, "{url}");
        *refused.entry(verdict).or_default() += 1;
    }
    assert!(count >= 100, "{count}");
    assert_eq!(receiver.connections(), 0, "a forbidden address was connected to");
    let rendered = recorder.handle().render();
    for (kind, count) in refused.into_iter().filter(|(kind, _)| *kind != "unresolved") {
        let line = format!("hookline_egress_denied_total{{kind=\"{kind}\"}} {count}\n");
        assert!(rendered.contains(&line), "{line} in {rendered}");
    }
}

#[tokio::test]
async fn the_table_s_receiver_and_names_are_reached_when_they_are_allowed() {
    let (receiver, dns) = (everywhere().await, Server::start(zone()).await);
    let client = client_of(local(), &dns);
    for host in ["127.0.0.1", "0x7f.1", "loopback.test", "127.0.0.1.loopback.test"] {
        let url = format!("http://{host}:{}/", receiver.address.port());
        let answer = post_to(&client, &url, TIMEOUT).await.outcome.expect(host);
        assert_eq!(answer.status.as_u16(), 200);
    }
    assert_eq!(receiver.requests().len(), 4);
}

/// An allowed receiver on 127.0.0.2 and a forbidden one on 127.0.0.3, on the same port.
async fn two_receivers() -> (Receiver, Receiver, Policy) {
    let answer = response("200 OK", "connection: close\r\n", b"");
    for _ in 0..100 {
        let allowed = Receiver::start_at((Ipv4Addr::new(127, 0, 0, 2), 0).into(), answer.clone(), Then::Close).await;
        let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), allowed.address.port()));
        if std::net::TcpListener::bind(other).is_ok() {
            let forbidden = Receiver::start_at(other, answer, Then::Close).await;
            let mut policy = local();
            policy.allow_networks = vec!["127.0.0.2/32".parse().expect("a network")];
            return (allowed, forbidden, policy);
        }
    }
    panic!("no port is free on both addresses");
}

#[tokio::test]
async fn a_name_that_is_bound_to_another_address_is_judged_at_each_connection_invariant_4() {
    let (allowed, forbidden, policy) = two_receivers().await;
    let (good, bad) = (&["127.0.0.2"][..], &["127.0.0.3"][..]);
    let script = in_turn(&[good, bad, good, &["::ffff:127.0.0.3"], bad, good]);
    let dns = Server::start([("rebinding.test", script)]).await;
    let client = client_of(policy, &dns);
    let url = format!("http://rebinding.test:{}/", allowed.address.port());
    let destination = client.destination(&url);
    assert!(destination.url().is_ok(), "a name is judged when it is connected to");
    for (turn, expected) in [true, false, true, false, false, true].into_iter().enumerate() {
        let attempt = post_to(&client, &url, TIMEOUT).await;
        match attempt.outcome {
            Ok(answer) => assert!(expected && answer.status.as_u16() == 200, "turn {turn}"),
            Err(Failure::Denied(denied)) => {
                assert!(!expected && denied.kind() == "name", "turn {turn}");
                assert!(!denied.reason.contains("127."), "{denied}");
            }
            Err(failure) => panic!("turn {turn}: {failure}"),
        }
        // One look-up a connection: what was judged is what is connected to.
        assert_eq!(dns.asked(), turn + 1);
    }
    assert_eq!((allowed.connections(), forbidden.connections()), (3, 0));
}

#[tokio::test]
async fn a_name_with_one_forbidden_address_is_refused_as_a_whole_invariant_4() {
    let (allowed, forbidden, policy) = two_receivers().await;
    let mixed = in_turn(&[
        &["127.0.0.2", "127.0.0.3"],
        &["127.0.0.3", "127.0.0.2"],
        &["127.0.0.2", "::1"],
        &["127.0.0.2", "169.254.169.254"],
        &["127.0.0.2", "8.8.8.8", "127.0.0.3"],
    ]);
    let dns = Server::start([("mixed.test", mixed)]).await;
    let client = client_of(policy, &dns);
    for _ in 0..5 {
        let url = format!("http://mixed.test:{}/", allowed.address.port());
        assert_eq!(tried(&client, &url).await, "name");
    }
    assert_eq!((allowed.connections(), forbidden.connections()), (0, 0));
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_address_goes_nowhere_invariant_4() {
    let (_, forbidden, mut policy) = two_receivers().await;
    policy.allow_networks = vec!["127.0.0.1/32".parse().expect("a network")];
    let location = format!("location: http://{}/\r\n", forbidden.address);
    let redirecting = Receiver::start(response("307 Temporary Redirect", &location, b""), Then::KeepAlive).await;
    let attempt = post_to(&client(policy), &format!("http://{}/", redirecting.address), TIMEOUT).await;
    assert_eq!(attempt.outcome.expect("it is answered").status.as_u16(), 307);
    assert_eq!(forbidden.connections(), 0);
}

#[tokio::test]
async fn a_name_whose_look_up_is_never_answered_is_a_timeout_and_asked_for_once() {
    let dns = Server::start([("silent.test", vec![None])]).await;
    let options = Options {
        policy: local(),
        lookup: dns.lookup(),
        connect_timeout: std::time::Duration::from_millis(300),
        ..Options::default()
    };
    let client = Client::new(options).expect("the client can be set up");
    let many = (0..50).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { post_to(&client, "http://silent.test/", TIMEOUT).await })
    });
    for attempt in many.collect::<Vec<_>>() {
        let attempt = attempt.await.expect("it ends");
        assert!(attempt.duration < TIMEOUT / 2, "{:?}", attempt.duration);
        let failure = attempt.outcome.expect_err("no address");
        assert_eq!(failure, Failure::Timeout("connecting took too long".to_owned()));
    }
    assert_eq!(dns.asked(), 1, "one look-up for all who wait");
}

#[tokio::test]
async fn another_client_s_verdict_is_not_taken_invariant_4() {
    let receiver = Receiver::start(response("200 OK", "", b""), Then::KeepAlive).await;
    let url = format!("http://{}/", receiver.address);
    let (generous, strict) = (client(local()), client(Policy::default()));
    let mut request = crate::request(&strict, &url, TIMEOUT);
    request.destination = generous.destination(&url);
    let failure = strict.post(request).await.outcome.expect_err("it is forbidden here");
    assert!(matches!(&failure, Failure::Denied(denied) if denied.kind() == "scheme"));
    assert_eq!(receiver.connections(), 0);
}
