//! Addresses that the egress policy forbids, tried in every way that a whole process can be made to go there. How the
//! policy judges addresses and names is the crate `egress`'s own tests' business.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use acceptance::Stage;
use harness::logbook::Outcome;
use harness::{Answer, Behaviour, Options, Process, Trap, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, lookup_host};

#[tokio::test]
async fn invariant_4_no_request_leaves_for_a_forbidden_address() {
    let options = Options::new("egress")
        .set("egress.allow_networks", "127.0.0.1/32")
        .set("delivery.retry_schedule_sec", "[1]");
    let stage = Stage::set(options).await.expect("an installation");
    let trap = Trap::set(Ipv4Addr::new(127, 0, 0, 2)).await.expect("a trap");
    let forbidden = trap.url();
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
    assert_eq!(trap.connections(), 0, "something went to a forbidden address");
    stage.strike(vec![rest]).await.expect("ends in order");
}

/// A forward proxy for plain HTTP.
struct Proxy {
    url: String,
    /// First line of each connection.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let proxy = Self {
            url: format!("http://{}", listener.local_addr()?),
            asked: Arc::default(),
        };
        let asked = proxy.asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(stream, asked.clone()));
            }
        });
        Ok(proxy)
    }
}

async fn forward(mut stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let first = text.lines().next().unwrap_or_default().to_owned();
    // POST http://127.0.0.1:1234/hook HTTP/1.1
    let place = first.split('/').nth(2).unwrap_or_default().to_owned();
    asked.lock().expect("nobody panics with it").push(first);
    let mut onward = TcpStream::connect(place).await?;
    onward.write_all(&head).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut onward).await.map(drop)
}

#[tokio::test]
async fn invariant_4_every_request_goes_through_the_proxy_and_none_to_a_forbidden_address() {
    let proxy = Proxy::start().await.expect("a port");
    let options = Options::new("proxy")
        .set("egress.allow_networks", "127.0.0.1/32")
        .set("egress.proxy", proxy.url.as_str())
        .set("delivery.retry_schedule_sec", "[1]");
    let stage = Stage::set(options).await.expect("an installation");
    let trap = Trap::set(Ipv4Addr::new(127, 0, 0, 2)).await.expect("a trap");
    let roles = ["fanout", "dispatcher", "scheduler"];
    let rest = stage.installation.serve("rest", &roles).await.expect("ready");
    let allowed = stage.door("allowed", |_| ()).await.expect("an endpoint");
    let literal = stage
        .direct
        .endpoint(&stage.tenant, &trap.url(), &["*"], |_| ())
        .await
        .expect("an endpoint");
    let ids = stage.publish(1).await.expect("published");
    stage.arrive(&ids, &[&allowed]).await.expect("it arrives");
    stage
        .fate(&ids[0], &literal.id, Outcome::Dead)
        .await
        .expect("it can't be delivered");
    let asked = proxy.asked.lock().expect("nobody panics with it").clone();
    let wanted = format!("POST {} HTTP/1.1", allowed.hook.url());
    assert_eq!(
        asked,
        [wanted],
        "the proxy is asked for what is allowed, and for nothing else"
    );
    assert_eq!(trap.connections(), 0, "something went to a forbidden address");
    stage.strike(vec![rest]).await.expect("ends in order");
}

/// How often the policy refused a name.
async fn names_refused(process: &Process) -> usize {
    let metrics = process.metrics().await.expect("it has metrics");
    let mut counts = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("hookline_egress_denied_total{kind=\"name\"} "));
    counts.next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// A name that isn't `localhost` and that this machine's own resolver knows: as a rule it has one.
async fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().to_owned();
    let found: Vec<_> = lookup_host((name.as_str(), 0)).await.ok()?.collect();
    let is_private = |address: SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback(),
    };
    found.into_iter().all(is_private).then_some(name)
}

#[tokio::test]
async fn invariant_4_names_of_forbidden_addresses_are_refused_and_counted() {
    let options = Options::new("egress-names").set("delivery.retry_schedule_sec", "[1]");
    let mut stage = Stage::set(options).await.expect("an installation");
    // On all addresses, whichever the names have.
    let trap = Trap::set(Ipv4Addr::UNSPECIFIED).await.expect("a trap");
    let mut names = vec![
        "localhost".to_owned(),
        "LOCALHOST.".to_owned(),
        "hooks.localhost".to_owned(),
    ];
    names.extend(own_name().await);
    println!("egress: names that are this machine: {names:?}");
    let url_of = |name: &str| format!("http://{name}:{}/hook", trap.port());
    let mut endpoints = Vec::new();
    for name in &names {
        let url = url_of(name);
        let made = stage.direct.endpoint(&stage.tenant, &url, &["*"], |_| ());
        endpoints.push(made.await.expect("an endpoint").id);
    }
    let allowed = stage.door("allowed", |_| ()).await.expect("an endpoint");
    let rest = stage.installation.serve("rest", &["fanout", "scheduler"]);
    let rest = rest.await.expect("ready");
    stage.installation.set("egress.allow_networks", "127.0.0.9/32");
    let mut strict = stage
        .installation
        .serve("strict", &["dispatcher"])
        .await
        .expect("ready");
    let ids = stage.publish(1).await.expect("published");
    for endpoint in endpoints.iter().chain([&allowed.id]) {
        let refused = stage.fate(&ids[0], endpoint, Outcome::Dead).await;
        refused.expect("it can't be delivered");
    }
    assert_eq!(trap.connections(), 0, "something went to a forbidden address");
    assert_eq!(allowed.hook.tally().requests, 0);
    assert!(names_refused(&strict).await >= names.len(), "each is counted");
    for name in &names[..3] {
        let create = [
            "endpoint",
            "create",
            "--direct",
            "--tenant",
            &stage.tenant,
            "--filter",
            "*",
            "--url",
            &url_of(name),
        ];
        let output = stage.installation.run(&create, &[]).await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains("localhost is not public"),
            "{name}: {said}"
        );
    }
    // The same names are connected to by who may.
    strict.kill9().await.expect("killed");
    stage
        .installation
        .set("egress.allow_networks", "[\"127.0.0.0/8\",\"::1/128\"]");
    let generous = stage
        .installation
        .serve("generous", &["dispatcher"])
        .await
        .expect("ready");
    stage.publish(1).await.expect("published");
    until("something connects", Duration::from_secs(60), async || {
        match trap.connections() {
            0 => Err("nothing came".to_owned()),
            _ => Ok(()),
        }
    })
    .await
    .expect("connected");
    stage.strike(vec![rest, generous]).await.expect("ends in order");
}
