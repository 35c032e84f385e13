//! Ids that Hookline derives or checks. Deliberately not here: random ids (endpoints, keys, jobs), made where they are
//! needed.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What event ids of idempotency keys are derived under. Random, and never changed.
const IDEMPOTENT_EVENTS: Uuid = Uuid::from_u128(0x6d1f_6a3c_52b4_4e0f_9a57_1c8e_03d2_b7f4);
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ID_CHARS: usize = 26;

/// `evt_…` for an event without an id of its own: the same on every read of the same record.
pub fn event_id_from_position(topic: &str, partition: i32, offset: i64) -> String {
    let mut hash = Sha256::new();
    hash_text(&mut hash, topic);
    hash.update(partition.to_be_bytes());
    hash.update(offset.to_be_bytes());
    format!("evt_{}", base32(&hash.finalize()))
}

/// `evt_…` for the event at this place (from 0) of a request with an `Idempotency-Key`: the same whenever the tenant repeats
/// the request.
pub fn event_id_from_key(tenant: &str, idempotency_key: &str, index: usize) -> String {
    let mut name = Vec::new();
    for part in [tenant, idempotency_key] {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    name.extend_from_slice(&(index as u64).to_be_bytes());
    format!("evt_{}", Uuid::new_v5(&IDEMPOTENT_EVENTS, &name))
}

/// `dlv_…` for one event and one endpoint: the same for every repeat, all the way down.
pub fn delivery_id(event_id: &str, endpoint_id: &str) -> String {
    let mut hash = Sha256::new();
    hash_text(&mut hash, event_id);
    hash_text(&mut hash, endpoint_id);
    format!("dlv_{}", base32(&hash.finalize()))
}

/// A W3C `traceparent` for an event that came without one, not sampled: the same for all its deliveries and attempts.
pub fn traceparent(event_id: &str) -> String {
    let mut hash = Sha256::new();
    hash_text(&mut hash, event_id);
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("00-{}-{}-00", &hex[..32], &hex[32..48])
}

/// Whether this is an endpoint id: `wh_` and a ULID in its canonical (upper case) form.
pub fn is_endpoint_id(id: &str) -> bool {
    let Some(ulid) = id.strip_prefix("wh_") else {
        return false;
    };
    ulid.len() == ID_CHARS && ulid.as_bytes()[0] <= b'7' && ulid.bytes().all(|b| CROCKFORD.contains(&b))
}

/// The length first, so that no two pairs of texts give the same bytes.
fn hash_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text.as_bytes());
}

/// The first 130 bits in Crockford's alphabet.
fn base32(digest: &[u8]) -> String {
    (0..ID_CHARS)
        .map(|index| {
            let bit = index * 5;
            let pair = u16::from_be_bytes([digest[bit / 8], digest[bit / 8 + 1]]);
            char::from(CROCKFORD[usize::from(pair >> (11 - bit % 8)) & 31])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written down: a change here would make every repeat of a delivery look new.
    #[test]
    fn ids_never_change() {
        assert_eq!(
            event_id_from_position("hookline.events", 3, 42),
            "evt_KJ01ZRZTAK9TWHQY407K2E6X3H"
        );
        assert_eq!(
            delivery_id("evt_1", "wh_01JD4Y7Q0W9Z3M5T8B6N2K1R4X"),
            "dlv_E3C4N2G4C3RZ10DXNQ32SAJXDZ"
        );
    }

    #[test]
    fn an_id_of_a_key_tells_tenant_key_and_place_apart() {
        let id = event_id_from_key("org_1", "key", 0);
        assert_eq!(id, "evt_855e4d6e-69f4-5e8b-9e25-008752281c53");
        for other in [
            ("org_1", "key", 1),
            ("org_1", "ke", 0),
            ("org_", "1key", 0),
            ("org_2", "key", 0),
        ] {
            assert_ne!(event_id_from_key(other.0, other.1, other.2), id);
        }
    }

    #[test]
    fn a_made_trace_context_is_valid_and_always_the_same() {
        let made = traceparent("evt_1");
        assert_eq!((made.as_str(), made.len()), (traceparent("evt_1").as_str(), 55));
        assert!(made.starts_with("00-") && made.ends_with("-00"), "{made}");
        assert_ne!(made, traceparent("evt_2"));
    }

    #[test]
    fn base32_follows_the_alphabet() {
        assert_eq!(base32(&[0xFF; 32]), "Z".repeat(26));
        assert_eq!(
            base32(&[0b0000_1000, 0b0100_0000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])[..4],
            *"1100"
        );
    }

    #[test]
    fn where_one_text_ends_matters() {
        assert_ne!(delivery_id("ab", "c"), delivery_id("a", "bc"));
    }

    #[test]
    fn endpoint_ids_are_told_from_others() {
        assert!(is_endpoint_id("wh_01JD4Y7Q0W9Z3M5T8B6N2K1R4X"));
        for id in [
            "",
            "wh_",
            "01JD4Y7Q0W9Z3M5T8B6N2K1R4X",
            "wh_01jd4y7q0w9z3m5t8b6n2k1r4x",
            "wh_81JD4Y7Q0W9Z3M5T8B6N2K1R4X",
        ] {
            assert!(!is_endpoint_id(id), "{id}");
        }
        assert!(!is_endpoint_id("wh_01JD4Y7Q0W9Z3M5T8B6N2K1R4é"));
    }

    proptest! {
        #[test]
        fn derived_ids_have_their_shape(event in ".{0,64}", endpoint in ".{0,32}") {
            let id = delivery_id(&event, &endpoint);
            prop_assert_eq!(id.len(), 30);
            prop_assert!(id[4..].bytes().all(|b| CROCKFORD.contains(&b)));
        }
    }
}
