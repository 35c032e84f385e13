//! The product's invariants, numbered as in the design, and the macro that checks one where it must hold. Checked in
//! builds with debug assertions; the chaos tests check the same ones from outside.

/// The invariants by number, first is 1.
pub const INVARIANTS: [&str; 7] = [
    "an acknowledged event is, for each endpoint that matched when it was read, at every moment in at least one of: \
     delivered, waiting, dead-lettered, logged as cancelled; or it is in `rejected`; the log resolves to one",
    "no offset is committed before everything it stands for is acknowledged elsewhere or delivered",
    "one owner sends to an endpoint, but for the bounded overlap of a zombie, and test sends",
    "no request leaves for an address that the egress policy forbids, whatever DNS, a literal, a proxy variable or a \
     redirect says; with `egress.proxy`, forbidden literals and names that resolve to one here are refused, and the \
     proxy must refuse the rest",
    "no secret is ever in a log line, a metric, an error, or in clear in a topic",
    "nothing of one tenant is ever visible to another, and no key can move an endpoint made with scopes that it lacks",
    "memory is bounded by settings, whatever waits in Kafka",
];

/// Checks that invariant `$number` (1 to 7) holds here: panics with its text in builds with debug assertions, costs
/// nothing in others. `invariant!(2, committed <= done, "committed {committed}, done {done}")`.
#[macro_export]
macro_rules! invariant {
    ($number:literal, $holds:expr $(, $($detail:tt)+)?) => {{
        const _: () = assert!($number >= 1 && $number <= 7, "invariants are numbered 1 to 7");
        debug_assert!(
            $holds,
            "invariant {} is broken: {}{}",
            $number,
            $crate::invariants::INVARIANTS[$number - 1],
            $crate::invariant!(@detail $($($detail)+)?)
        );
    }};
    (@detail) => { "" };
    (@detail $($detail:tt)+) => { format!("; {}", format_args!($($detail)+)) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn holds_in_silence() {
        invariant!(2, 1 + 1 == 2);
        invariant!(7, true, "buffered {} bytes", 1);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(
        expected = "invariant 6 is broken: nothing of one tenant is ever visible to another, and no key can move an \
                    endpoint made with scopes that it lacks; tenant a, not b"
    )]
    fn names_itself_when_broken() {
        invariant!(6, "a" == "b".trim(), "tenant {}, not {}", "a", "b");
    }
}
