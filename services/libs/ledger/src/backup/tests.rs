//! Exports are read back as they were, broken ones are refused, and conflicts are found before anything is written.

use super::restore::plan;
use super::*;
use crate::{Change, entities, make_signing_key, rotate_secret, seal_header, seal_signing_secret};

fn keyring() -> Keyring {
    Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid")
}

fn include(view: &mut View, entity: Entity) {
    let change = Change {
        kind: entity.kind(),
        id: entity.id().into(),
        version: view.version(entity.kind(), entity.id()) + 1,
        offset: view.position(),
        entity: Some(entity),
    };
    view.apply(&change).expect("it is sound");
}

/// A tenant with a key and an endpoint, and a deleted one.
fn sample(keyring: &Keyring) -> View {
    let mut view = View::default();
    let tenant = entities::new_tenant("Acme", vec!["platform".into()], 1);
    let (key, _) = entities::new_api_key(&tenant.id, vec!["vault".into()], Some(5), 1);
    let mut endpoint = entities::new_endpoint(&tenant.id, "https://example.com/", vec!["*".into()], 1);
    seal_signing_secret(&mut endpoint, keyring, "whsec_x");
    seal_header(&mut endpoint, keyring, "authorization", "Bearer hidden");
    for secret in ["whsec_y", "whsec_z"] {
        endpoint = rotate_secret(&endpoint, keyring, secret, Some(i64::MAX), 1).expect("it opens");
        make_signing_key(&mut endpoint, keyring);
    }
    endpoint = rotate_secret(&endpoint, keyring, "whsec_now", Some(i64::MAX), 1).expect("it opens");
    endpoint.dedicated_topic = Some(3);
    let gone = entities::new_endpoint(&tenant.id, "https://example.com/", vec!["*".into()], 1);
    let gone = entities::deleted_marker(&gone, 2);
    for entity in [tenant.into(), key.into(), endpoint.into(), gone.into()] {
        include(&mut view, entity);
    }
    view
}

fn text(view: &View) -> String {
    export(view, 1_795_255_200_007).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_export_is_read_back_and_holds_nothing_in_clear_invariant_5() {
    let keyring = keyring();
    let view = sample(&keyring);
    let text = text(&view);
    assert!(!text.contains("hidden") && !text.contains("whsec_"), "{text}");
    assert_eq!(text.lines().count(), 5, "first, tenant, key, endpoint, last: {text}");
    let backup = Backup::read(&text).expect("it is whole");
    backup.check_secrets(&keyring).expect("the same keys open it");
    let other = Keyring::new(&Keyring::generate_key(), &[]).expect("a key");
    assert!(backup.check_secrets(&other).is_err());

    let (steps, imported) = plan(&View::default(), &backup, false).expect("nothing is in the way");
    assert_eq!((steps.len(), imported.created), (3, 3));
    let mut restored = View::default();
    for entity in &backup.entities {
        include(&mut restored, entity.clone());
    }
    let endpoint = view.endpoints().find(|e| !is_deleted(e)).expect("one lives");
    assert_eq!(
        restored.endpoint(&endpoint.id).expect("it is there").entity,
        endpoint.entity
    );
    let (steps, imported) = plan(&restored, &backup, false).expect("nothing differs");
    assert_eq!((steps.len(), imported.unchanged), (0, 3), "a repeat does nothing");
}

#[test]
fn what_differs_is_overwritten_only_when_asked() {
    let keyring = keyring();
    let mut view = sample(&keyring);
    let backup = Backup::read(&text(&view)).expect("it is whole");
    let tenant = view.tenants().next().expect("one").entity.clone();
    include(
        &mut view,
        Entity::from(schemas::Tenant {
            name: "Other".into(),
            ..(*tenant).clone()
        }),
    );
    let Err(BackupError::Conflicts(conflicts)) = plan(&view, &backup, false) else {
        panic!("it differs");
    };
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].key, format!("tenant/{}", tenant.id));
    let (_, imported) = plan(&view, &backup, true).expect("it may be overwritten");
    assert_eq!((imported.replaced, imported.unchanged), (1, 2));

    let endpoint = view
        .endpoints()
        .find(|e| !is_deleted(e))
        .expect("one lives")
        .entity
        .clone();
    include(&mut view, Entity::from(entities::deleted_marker(&endpoint, 9)));
    let refused = plan(&view, &backup, true)
        .err()
        .expect("a deleted id never comes back")
        .to_string();
    assert!(refused.contains("was deleted here"), "{refused}");
}

#[test]
fn what_is_no_whole_export_is_refused() {
    let view = sample(&keyring());
    let text = text(&view);
    let lines: Vec<_> = text.lines().collect();
    let without = |index: usize| {
        let mut lines = lines.clone();
        lines.remove(index);
        lines.join("\n")
    };
    for (broken, said) in [
        (String::new(), "it is empty"),
        ("hello".to_owned(), "no JSON object"),
        (without(0), "has no `hookline_ledger`"),
        (without(lines.len() - 1), "breaks off"),
        (without(1), "is not what it says"),
        (format!("{text}\n{{}}"), "after the end"),
        (
            text.replace("\"hookline_ledger\":1", "\"hookline_ledger\":2"),
            "format is 2",
        ),
        (text.replace("\"catalogs\"", "\"catalogues\""), "no field `catalogues`"),
        (
            text.replace("\"kind\":\"tenant\"", "\"kind\":\"job\""),
            "no configuration",
        ),
        (text.replace("\"status\":\"active\"", "\"status\":\"asleep\""), "asleep"),
        (
            [lines[0], lines[1], lines[1], "{\"end\":true,\"entities\":2}"].join("\n"),
            "given twice",
        ),
    ] {
        let error = Backup::read(&broken).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn fields_of_later_versions_have_defaults_in_older_exports() {
    let view = sample(&keyring());
    let text = text(&view)
        .replace("\"on_exhausted\":\"skip\",", "")
        .replace("\"header_prefix\":null,", "");
    Backup::read(&text).expect("what is left out has its default");
}
