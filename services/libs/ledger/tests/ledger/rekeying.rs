//! Invariant 5: no secret is in clear in a topic, through an endpoint's whole life; and all are sealed again by `rekey`.

use crate::support::{Process, connect, endpoint, read_all, tenant, writer};
use ledger::{Keyring, entities, open_headers, open_signing_secrets, rekey, rotate_secret, seal_header};
use schemas::Endpoint;

#[tokio::test]
async fn invariant_5_no_secret_is_in_clear_and_all_are_sealed_again() {
    let connection = connect().await;
    let _clerk = Process::clerk(&connection, None);
    let (ledger, writer) = writer(&connection).await;
    let old_key = Keyring::generate_key();
    let old = Keyring::new(&old_key, &[]).expect("a generated key is valid");
    let owner = tenant("owner");
    writer.put(owner.clone().into(), Some(0)).await.expect("it is made");
    let (key, plain_key) = entities::new_api_key(&owner.id, vec!["webhooks".into()], None, 1);
    writer.put(key.into(), Some(0)).await.expect("it is made");

    let mut made = endpoint(&owner.id, &old, "whsec_FIRSTSECRET");
    seal_header(&mut made, &old, "Authorization", "Bearer HEADERSECRET");
    writer.put(made.clone().into(), Some(0)).await.expect("it is made");
    let stands = ledger.view().endpoint(&made.id).expect("it is there").clone();
    let mut rotated = Endpoint::clone(&stands);
    for secret in ["whsec_SECONDSECRET", "whsec_THIRDSECRET"] {
        rotated = rotate_secret(&rotated, &old, secret, Some(i64::MAX), 0).expect("the old secret opens");
    }
    writer
        .put(rotated.into(), Some(stands.version))
        .await
        .expect("it is rotated");

    let new_key = Keyring::generate_key();
    let ring = Keyring::new(&new_key, &[old_key]).expect("generated keys are valid");
    assert_eq!(rekey(&writer, &ledger, &ring).await.expect("everything opens"), 1);
    assert_eq!(rekey(&writer, &ledger, &ring).await.expect("everything opens"), 0);
    let alone = Keyring::new(&new_key, &[]).expect("a generated key is valid");
    let stands = ledger.view().endpoint(&made.id).expect("it is there").clone();
    let secrets = open_signing_secrets(&stands, &alone, 0).expect("the new key opens them");
    assert_eq!(
        secrets,
        ["whsec_THIRDSECRET", "whsec_SECONDSECRET", "whsec_FIRSTSECRET"]
    );
    assert_eq!(
        open_headers(&stands, &alone).expect("the new key opens it")["authorization"],
        "Bearer HEADERSECRET"
    );

    let deleted = Endpoint {
        status: "deleted".into(),
        ..stands.entity.as_ref().clone()
    };
    writer
        .put(deleted.into(), Some(stands.version))
        .await
        .expect("it is deleted");
    let marker = ledger.view().endpoint(&made.id).expect("a marker stays").clone();
    assert!(entities::is_deleted(&marker) && marker.signing_secret.is_empty() && marker.former_secrets.is_empty());

    let names = connection.names();
    for topic in [names.ledger(), names.ledger_requests(), names.ledger_outcomes()] {
        let records = read_all(&connection, &topic).await;
        assert!(!records.is_empty());
        for value in records.iter().filter_map(|r| r.value.as_deref()) {
            for secret in [
                "whsec_",
                "FIRSTSECRET",
                "SECONDSECRET",
                "THIRDSECRET",
                "HEADERSECRET",
                plain_key.as_str(),
            ] {
                let found = value.windows(secret.len()).any(|w| w == secret.as_bytes());
                assert!(!found, "{secret} is in {topic}");
            }
        }
    }
}
