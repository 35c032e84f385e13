//! What addresses are: public or special, carriers of another address, a cloud's metadata service. Whether one is
//! allowed is the policy's to say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether packets to this address go to the public internet, by IANA's special-purpose registries (RFC 6890 and what
/// followed). The few addresses that lie within a special block and are reachable all the same (anycast of protocols)
/// count as special: no receiver is there.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [172, second, ..] => (16..32).contains(&second),
        [169, 254, ..] | [192, 168, ..] | [198, 18 | 19, ..] => true,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IETF protocol assignments (Teredo, benchmarking and ORCHID among them), documentation, 6to4.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x2002, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // What is routed publicly at all. This leaves out ::, ::1, mapped, NAT64, discard-only, segment routing,
        // unique local, link-local, site-local and multicast addresses.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// The IPv4 address that a packet to this IPv6 address ends at, where a gateway translates or unpacks it. (Mapped
/// addresses, `::ffff:a.b.c.d`, are not among them: the system itself takes them for the IPv4 address.)
pub(crate) fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    let last = Ipv4Addr::new(a, b, c, d);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible (RFC 4291, 2.5.5.1) and IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => Some(last),
        // NAT64 (RFC 6052), and its block for local use (RFC 8215), which is used with prefixes of 96 bits.
        [0x64, 0xff9b, 0 | 1, ..] => Some(last),
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => Some(joined(high, low)),
        // Teredo (RFC 4380): the client's address, every bit flipped.
        [0x2001, 0, .., high, low] => Some(joined(!high, !low)),
        _ => None,
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

/// Addresses from which a machine in a cloud gets its credentials. One of them is public (Azure's), and others lie in
/// networks that an operator may well allow for receivers of their own.
pub(crate) fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(
            address.octets(),
            // Most clouds; AWS's tasks and pods; Tencent; Scaleway.
            [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [169, 254, 0, 23] | [169, 254, 42, 42]
            // Alibaba; Azure; Oracle.
            | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192]
        ),
        IpAddr::V6(address) => matches!(
            address.segments(),
            // AWS's machines and pods; Google; Scaleway; OpenStack.
            [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23]
                | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
                | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
                | [0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_special_block_ends_where_the_registries_say() {
        for (address, expected) in [
            ("0.255.255.255", false),
            ("1.0.0.0", true),
            ("9.255.255.255", true),
            ("10.0.0.0", false),
            ("10.255.255.255", false),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("100.128.0.0", true),
            ("126.255.255.255", true),
            ("127.0.0.0", false),
            ("128.0.0.0", true),
            ("169.253.255.255", true),
            ("169.254.0.0", false),
            ("169.255.0.0", true),
            ("172.15.255.255", true),
            ("172.16.0.0", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("192.0.0.255", false),
            ("192.0.1.0", true),
            ("192.0.2.0", false),
            ("192.0.3.0", true),
            ("192.88.98.255", true),
            ("192.88.99.0", false),
            ("192.88.100.0", true),
            ("192.167.255.255", true),
            ("192.168.0.0", false),
            ("192.169.0.0", true),
            ("198.17.255.255", true),
            ("198.18.0.0", false),
            ("198.19.255.255", false),
            ("198.20.0.0", true),
            ("198.51.99.255", true),
            ("198.51.100.0", false),
            ("198.51.101.0", true),
            ("203.0.112.255", true),
            ("203.0.113.0", false),
            ("203.0.114.0", true),
            ("223.255.255.255", true),
            ("224.0.0.0", false),
            ("240.0.0.0", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(is_public(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn of_ipv6_only_global_unicast_is_public_without_its_special_blocks() {
        for (address, expected) in [
            ("::", false),
            ("::1", false),
            ("::7f00:1", false),
            ("64:ff9b::808:808", false),
            ("64:ff9b:1::1", false),
            ("100::1", false),
            ("100:0:0:1::1", false),
            ("1fff:ffff::", false),
            ("2000::", true),
            ("2001::1", false),
            ("2001:2::1", false),
            ("2001:10::1", false),
            ("2001:20::1", false),
            ("2001:1ff:ffff::", false),
            ("2001:200::", true),
            ("2001:4860:4860::8888", true),
            ("2001:db7:ffff::", true),
            ("2001:db8::1", false),
            ("2001:db9::", true),
            ("2002:808:808::", false),
            ("2003::", true),
            ("2606:4700::1111", true),
            ("3ffe:ffff::", true),
            ("3fff::1", false),
            ("3fff:fff:ffff::", false),
            ("3fff:1000::", true),
            ("4000::", false),
            ("5f00::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().expect("an address")), expected, "{address}");
        }
    }

    #[test]
    fn reads_the_address_that_is_carried() {
        for (address, expected) in [
            ("::7f00:1", Some("127.0.0.1")),
            ("::ffff:0:7f00:1", Some("127.0.0.1")),
            ("64:ff9b::a00:1", Some("10.0.0.1")),
            ("64:ff9b:1::a00:1", Some("10.0.0.1")),
            ("2002:7f00:1::5", Some("127.0.0.1")),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", Some("127.0.0.1")),
            ("::", None),
            ("::1", None),
            ("64:ff9b:2::a00:1", None),
            ("2001:db8::7f00:1", None),
            ("2606:4700::7f00:1", None),
        ] {
            let expected = expected.map(|address| address.parse().expect("an address"));
            assert_eq!(carried(address.parse().expect("an address")), expected, "{address}");
        }
    }
}
