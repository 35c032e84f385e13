//! What networks open and what they don't. Which URLs are refused at all is the table's, `tests/delivery/urls.tsv`.

use super::*;

fn policy(networks: &[&str], allow_http: bool) -> Policy {
    let allow_networks = networks
        .iter()
        .map(|network| network.parse().expect("a network"))
        .collect();
    Policy {
        allow_networks,
        allow_http,
    }
}

fn allows(networks: &[&str], address: &str) -> bool {
    policy(networks, false).allows(address.parse().expect("an address"))
}

#[test]
fn allowed_networks_are_let_through_and_no_others() {
    let local = policy(&["127.0.0.0/8", "fd00::/8"], true);
    for url in [
        "http://127.0.0.1:8080/",
        "http://[::ffff:127.0.0.1]/",
        "https://[fd00::1]/",
        "http://localhost:8080/",
        "http://localhost.:8080/",
        "http://app.localhost/",
    ] {
        local.check_url(url).expect(url);
    }
    for url in ["http://10.0.0.1/", "http://[::1]/", "http://[fe80::1]/"] {
        assert_eq!(local.check_url(url).expect_err(url).kind(), "address");
    }
}

#[test]
fn metadata_is_let_through_by_its_own_address_alone_invariant_4() {
    for (address, own) in [
        ("169.254.169.254", "169.254.169.254/32"),
        ("::ffff:169.254.169.254", "169.254.169.254/32"),
        ("168.63.129.16", "168.63.129.16/32"),
        ("100.100.100.200", "100.100.100.200/32"),
        ("192.0.0.192", "192.0.0.192/32"),
        ("fd00:ec2::254", "fd00:ec2::254/128"),
        ("fd20:ce::254", "fd20:ce::254/128"),
    ] {
        let wide = [
            "0.0.0.0/0",
            "::/0",
            "169.254.0.0/16",
            "169.254.169.254/31",
            "100.64.0.0/10",
            "fd00::/8",
        ];
        assert!(!allows(&wide, address), "{address}");
        assert!(allows(&[own], address), "{address}");
    }
    assert!(allows(&["169.254.0.0/16"], "169.254.7.7"));
    assert!(allows(&["0.0.0.0/0"], "10.0.0.1") && !allows(&["0.0.0.0/0"], "::1"));
}

#[test]
fn a_carrier_needs_its_own_network_and_what_it_carries_allowed_invariant_4() {
    for (network, public, private) in [
        ("64:ff9b::/96", "64:ff9b::808:808", "64:ff9b::a00:1"),
        ("64:ff9b:1::/48", "64:ff9b:1::808:808", "64:ff9b:1::a00:1"),
        ("2002::/16", "2002:808:808::1", "2002:a00:1::1"),
        ("2001::/32", "2001::f7f7:f7f7", "2001::f5ff:fffe"),
        ("::/96", "::808:808", "::a00:1"),
    ] {
        assert!(!allows(&[], public) && !allows(&["10.0.0.0/8"], private), "{network}");
        assert!(allows(&[network], public) && !allows(&[network], private), "{network}");
        assert!(allows(&[network, "10.0.0.0/8"], private), "{network}");
    }
    assert!(!allows(&["64:ff9b::/96", "0.0.0.0/0", "::/0"], "64:ff9b::a9fe:a9fe"));
    assert!(allows(&["::1/128"], "::1"));
}

#[test]
fn a_reason_names_no_secret_and_its_kind_is_stable_invariant_5() {
    for (url, kind) in [
        ("https://user:s3cret@example.com/", "userinfo"),
        ("http://example.com/?token=s3cret", "scheme"),
        ("https://example.com:22/?token=s3cret", "port"),
        ("https://10.0.0.1/?token=s3cret", "address"),
        ("https://localhost/?token=s3cret", "name"),
        ("https://", "host"),
        ("s3cret", "url"),
    ] {
        let denied = policy(&[], false).check_url(url).expect_err(url);
        assert_eq!(denied.kind(), kind, "{url}");
        assert!(!denied.to_string().contains("s3cret"), "{denied}");
    }
}
