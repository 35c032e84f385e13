//! The text that goes with a committed offset: which records beyond it are done already. Run lengths, or a bitmap when
//! that is shorter, within what a broker accepts. Where the runs come from is the tracker's business.
//!
//! `v1|<cluster id>|<incarnation>|<base offset>|<done>`, where `done` is empty or base64 (URL-safe, unpadded) after a
//! letter: `r` alternating run lengths as LEB128 varints, the first of records not done; `b` a bitmap, lowest bit
//! first. The i-th bit stands for the i-th record read from the base offset, whatever its own offset.

use crate::tracker::Identity;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Brokers refuse longer metadata (`offset.metadata.max.bytes`).
pub(crate) const MAX_BYTES: usize = 4096;

/// Most records that one metadata speaks of; bounds what a decoded text can make us hold.
pub(crate) const MAX_RECORDS: usize = 1 << 18;

/// `length` records in a row that are all done, or all not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub done: bool,
    pub length: u32,
}

/// Writes the metadata. What doesn't fit is cut from the end: those records would be read again, never lost.
pub(crate) fn encode(identity: &Identity, base_offset: i64, records: impl Iterator<Item = Run>) -> String {
    let head = format!("v1|{}|{}|{base_offset}|", identity.cluster_id, identity.incarnation);
    let lengths = alternating_lengths(records);
    let budget = budget_bytes(head.len());
    let total: usize = lengths.iter().map(|length| *length as usize).sum();
    let runs = encode_runs(&lengths, budget);
    let runs_complete = runs.len() == lengths.iter().map(|length| varint_bytes(*length)).sum::<usize>();
    let bitmap_bytes = total.div_ceil(8);
    if lengths.is_empty() {
        head
    } else if bitmap_bytes <= budget && (bitmap_bytes < runs.len() || !runs_complete) {
        head + "b" + &URL_SAFE_NO_PAD.encode(encode_bitmap(&lengths, bitmap_bytes))
    } else {
        head + "r" + &URL_SAFE_NO_PAD.encode(runs)
    }
}

/// Reads what [`encode`] wrote for the same installation and offset; anything else, garbage included, is `None`.
pub(crate) fn decode(text: &str, identity: &Identity, committed: i64) -> Option<Vec<Run>> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let mut fields = text.splitn(5, '|');
    let known = fields.next()? == "v1"
        && fields.next()? == &*identity.cluster_id
        && fields.next()? == &*identity.incarnation
        && fields.next()?.parse::<i64>().ok()? == committed;
    let done = fields.next()?;
    if !known {
        return None;
    }
    if done.is_empty() {
        return Some(Vec::new());
    }
    let (kind, encoded) = done.split_at_checked(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let runs = match kind {
        "r" => decode_runs(&bytes)?,
        "b" => decode_bitmap(&bytes),
        _ => return None,
    };
    let total: usize = runs.iter().map(|run| run.length as usize).sum();
    (total <= MAX_RECORDS).then_some(runs)
}

/// Whether metadata for `records` records, of which at most `runs` runs could ever form, fits with certainty.
pub(crate) fn fits(identity: &Identity, records: usize, runs: usize) -> bool {
    const HEAD_PUNCTUATION_AND_OFFSET: usize = "v1||||".len() + 20;
    let head = HEAD_PUNCTUATION_AND_OFFSET + identity.cluster_id.len() + identity.incarnation.len();
    let budget = budget_bytes(head);
    // A varint has one byte, and one more for each power of 128 that its value reaches.
    let run_bytes = runs + records / 128 + records / 16_384;
    records <= MAX_RECORDS && (records.div_ceil(8) <= budget || run_bytes <= budget)
}

fn budget_bytes(head: usize) -> usize {
    MAX_BYTES.saturating_sub(head + 1) / 4 * 3
}

/// Lengths of not done, done, not done, … ; without what follows the last that is done.
fn alternating_lengths(records: impl Iterator<Item = Run>) -> Vec<u32> {
    let mut lengths = vec![0_u32];
    for run in records.filter(|run| run.length > 0) {
        let last_is_done = lengths.len() % 2 == 0;
        match lengths.last_mut() {
            Some(length) if last_is_done == run.done => *length += run.length,
            _ => lengths.push(run.length),
        }
    }
    if lengths.len() % 2 == 1 {
        lengths.pop();
    }
    lengths
}

fn varint_bytes(value: u32) -> usize {
    (32 - (value | 1).leading_zeros()).div_ceil(7) as usize
}

/// Whole pairs of runs, as many as the budget holds.
fn encode_runs(lengths: &[u32], budget: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for pair in lengths.chunks(2) {
        if bytes.len() + pair.iter().map(|length| varint_bytes(*length)).sum::<usize>() > budget {
            break;
        }
        for length in pair {
            let mut rest = *length;
            while rest >= 0x80 {
                bytes.push((rest & 0x7f) as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
    }
    bytes
}

fn decode_runs(bytes: &[u8]) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let (mut length, mut shift, mut open) = (0_u32, 0, false);
    for byte in bytes {
        if shift > 21 {
            return None;
        }
        length |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        open = byte & 0x80 != 0;
        if !open {
            runs.push(Run {
                done: runs.len() % 2 == 1,
                length,
            });
            (length, shift) = (0, 0);
        }
    }
    (!open).then_some(runs)
}

fn encode_bitmap(lengths: &[u32], bitmap_bytes: usize) -> Vec<u8> {
    let mut bitmap = vec![0_u8; bitmap_bytes];
    let mut position = 0_usize;
    for (number, length) in lengths.iter().enumerate() {
        let end = position + *length as usize;
        if number % 2 == 1 {
            (position..end).for_each(|bit| bitmap[bit / 8] |= 1 << (bit % 8));
        }
        position = end;
    }
    bitmap
}

fn decode_bitmap(bitmap: &[u8]) -> Vec<Run> {
    let bits = bitmap
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1));
    let mut runs: Vec<Run> = Vec::new();
    for done in bits {
        match runs.last_mut() {
            Some(run) if run.done == done => run.length += 1,
            _ => runs.push(Run { done, length: 1 }),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity() -> Identity {
        Identity::new("kraft-cluster_0123456", "2f5b9a4e-8f43-4a53-9a6b-0c5d7e1f2a3b")
    }

    fn runs_of(bits: &[bool]) -> Vec<Run> {
        bits.iter().map(|done| Run { done: *done, length: 1 }).collect()
    }

    fn bits_of(runs: &[Run]) -> Vec<bool> {
        let mut bits: Vec<bool> = runs
            .iter()
            .flat_map(|run| std::iter::repeat_n(run.done, run.length as usize))
            .collect();
        bits.truncate(bits.iter().rposition(|done| *done).map_or(0, |last| last + 1));
        bits
    }

    #[test]
    fn long_runs_are_short_text() {
        let runs = [(false, 40), (true, 100_000), (false, 3), (true, 9)];
        let text = encode(
            &identity(),
            7,
            runs.into_iter().map(|(done, length)| Run { done, length }),
        );
        assert_eq!(
            text,
            "v1|kraft-cluster_0123456|2f5b9a4e-8f43-4a53-9a6b-0c5d7e1f2a3b|7|rKKCNBgMJ"
        );
    }

    #[test]
    fn what_can_not_fit_is_cut_at_the_end_only() {
        let bits: Vec<bool> = (0..60_000).map(|index| index % 2 == 1).collect();
        let text = encode(&identity(), 0, runs_of(&bits).into_iter());
        assert!(text.len() <= MAX_BYTES);
        let kept = bits_of(&decode(&text, &identity(), 0).expect("own text is read"));
        assert!(kept.len() > 2_000 && bits.starts_with(&kept));
    }

    #[test]
    fn ignores_what_is_not_its_own() {
        let text = encode(&identity(), 7, runs_of(&[false, true]).into_iter());
        assert!(decode(&text, &identity(), 7).is_some());
        assert_eq!(decode(&text, &identity(), 8), None, "another offset");
        assert_eq!(
            decode(&text, &Identity::new("other", &identity().incarnation), 7),
            None,
            "another cluster"
        );
        assert_eq!(
            decode(&text, &Identity::new(&identity().cluster_id, "other"), 7),
            None,
            "another incarnation"
        );
        assert_eq!(
            decode(&text.replace("v1", "v2"), &identity(), 7),
            None,
            "another version"
        );
        let head = "v1|kraft-cluster_0123456|2f5b9a4e-8f43-4a53-9a6b-0c5d7e1f2a3b|7|";
        for garbage in ["x", "r!", "rgA", "r____________", "q1234", "r_____38", "é"] {
            assert_eq!(decode(&format!("{head}{garbage}"), &identity(), 7), None, "{garbage}");
        }
        assert_eq!(decode("", &identity(), 7), None);
        assert_eq!(
            decode(&format!("{head}b{}", "A".repeat(5_000)), &identity(), 7),
            None,
            "too long"
        );
    }

    proptest! {
        #[test]
        fn reads_back_what_it_wrote(bits in prop::collection::vec(any::<bool>(), 0..2_000), base in 0..i64::MAX) {
            let text = encode(&identity(), base, runs_of(&bits).into_iter());
            prop_assert!(text.len() <= MAX_BYTES);
            let read = decode(&text, &identity(), base).expect("own text is read");
            prop_assert_eq!(bits_of(&read), bits_of(&runs_of(&bits)));
        }

        #[test]
        fn reads_back_long_runs(lengths in prop::collection::vec(0..20_000_u32, 0..14)) {
            let runs: Vec<Run> =
                lengths.iter().enumerate().map(|(i, length)| Run { done: i % 2 == 1, length: *length }).collect();
            let text = encode(&identity(), 1, runs.iter().copied());
            let read = decode(&text, &identity(), 1).expect("own text is read");
            prop_assert_eq!(bits_of(&read), bits_of(&runs));
        }

        #[test]
        fn whatever_comes_never_panics(text in "v1\\|c\\|i\\|7\\|[rb][A-Za-z0-9_-]{0,60}") {
            let _ = decode(&text, &Identity::new("c", "i"), 7);
        }
    }
}
