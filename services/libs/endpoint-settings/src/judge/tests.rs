//! Settings judged without a ledger.

use super::*;
use ledger::{entities, seal_signing_secret};
use schemas::ResourceScopes;

struct World {
    policy: Policy,
    catalogs: Catalogs,
    tenant: Tenant,
    keyring: Keyring,
}

impl World {
    fn new() -> Self {
        Self {
            policy: Policy::default(),
            catalogs: Catalogs::builtin(),
            tenant: entities::new_tenant("A", vec!["platform".into()], 1),
            keyring: Keyring::new(&Keyring::generate_key(), &[]).expect("a generated key is valid"),
        }
    }

    fn endpoint(&self) -> Endpoint {
        let mut endpoint = entities::new_endpoint(&self.tenant.id, "https://example.com", vec!["*".into()], 1);
        endpoint.required_scopes = vec!["vault".into()];
        seal_signing_secret(&mut endpoint, &self.keyring, "whsec_x");
        endpoint
    }

    fn apply(&self, wanted: Settings) -> Result<Endpoint, Vec<Problem>> {
        let mut endpoint = self.endpoint();
        let judge = Judge {
            policy: &self.policy,
            catalogs: &self.catalogs,
            tenant: &self.tenant,
            default_header_prefix: "webhook-",
            keyring: &self.keyring,
            now_ms: 77,
        };
        judge.apply(&wanted, &mut endpoint).map(|()| endpoint)
    }

    fn paths(&self, wanted: Settings) -> Vec<String> {
        let problems = self.apply(wanted).expect_err("something is wrong");
        problems.into_iter().map(|problem| problem.path).collect()
    }
}

#[test]
fn what_is_left_out_stays() {
    let world = World::new();
    assert!(Settings::default().is_empty());
    let endpoint = world.apply(Settings::default()).expect("nothing is wrong");
    assert_eq!(
        (endpoint.url.as_str(), endpoint.disabled_at_ms),
        ("https://example.com", None)
    );
}

#[test]
fn everything_that_is_wrong_is_said_with_its_path() {
    let world = World::new();
    let wanted = Settings {
        url: Some("https://127.1/".into()),
        event_type_filters: Some(vec!["*".into(), "nonsense".into(), "ocr.job.completed".into()]),
        headers: Some([("host".to_owned(), "x".to_owned())].into()),
        ..Settings::default()
    };
    let paths = world.paths(wanted);
    assert_eq!(
        paths,
        ["url", "eventTypeFilters[1]", "eventTypeFilters[2]", "headers.host"]
    );
}

#[test]
fn limits_are_the_ledgers() {
    let world = World::new();
    let ids = |count: usize| ResourceScopes {
        vault_ids: (0..count).map(|n| n.to_string()).collect(),
        matter_ids: Vec::new(),
    };
    let wrong = [
        (
            "timeoutSec",
            Settings {
                timeout_sec: Some(Some(61)),
                ..Settings::default()
            },
        ),
        (
            "maxInFlight",
            Settings {
                max_in_flight: Some(Some(0)),
                ..Settings::default()
            },
        ),
        (
            "ordering",
            Settings {
                ordering: Some("endpoint".into()),
                ..Settings::default()
            },
        ),
        (
            "onExhausted",
            Settings {
                on_exhausted: Some("block".into()),
                ..Settings::default()
            },
        ),
        (
            "retrySchedule",
            Settings {
                retry_schedule_sec: Some(Some(vec![172_801])),
                ..Settings::default()
            },
        ),
        (
            "description",
            Settings {
                description: Some(Some("x".repeat(1025))),
                ..Settings::default()
            },
        ),
        (
            "resourceScopes.vaultIds",
            Settings {
                resource_scopes: Some(Some(ids(1001))),
                ..Settings::default()
            },
        ),
        (
            "url",
            Settings {
                url: Some("https://exa\nmple.com/".into()),
                ..Settings::default()
            },
        ),
        (
            "metadata",
            Settings {
                metadata: Some([(String::new(), String::new())].into()),
                ..Settings::default()
            },
        ),
        (
            "rateLimit",
            Settings {
                rate_limit: Some(Some(RateLimit {
                    per_second: f64::NAN,
                    burst: None,
                })),
                ..Settings::default()
            },
        ),
    ];
    for (path, wanted) in wrong {
        assert_eq!(world.paths(wanted), [path]);
    }
    assert!(
        world
            .apply(Settings {
                resource_scopes: Some(Some(ids(1000))),
                ..Settings::default()
            })
            .is_ok()
    );
}

#[test]
fn a_burst_is_the_rate_unless_it_is_said() {
    let burst = |per_second, burst| with_burst(RateLimit { per_second, burst }).burst;
    assert_eq!((burst(0.5, None), burst(2.5, None), burst(2.5, Some(7))), (1, 3, 7));
    assert_eq!(burst(1e300, None), i32::MAX, "the ledger refuses it");
}

#[test]
fn a_persons_status_forgets_why_it_was_disabled() {
    let world = World::new();
    let disabled = world
        .apply(Settings {
            status: Some(Status::Disabled),
            ..Settings::default()
        })
        .expect("it may be");
    assert_eq!(
        (disabled.status.as_str(), disabled.disabled_at_ms),
        ("disabled", Some(77))
    );
    let mut failing = world.endpoint();
    failing.status = "auto_disabled".into();
    failing.disabled_reason = Some("failing".into());
    failing.disabled_at_ms = Some(5);
    set_status(&mut failing, Status::Active, 78);
    assert_eq!((failing.disabled_reason, failing.disabled_at_ms), (None, None));
    assert!("auto_disabled".parse::<Status>().is_err());
}

#[test]
fn a_scheme_with_v1a_gets_its_key_pair_once() {
    let world = World::new();
    let scheme = |name: &str| Settings {
        signature_scheme: Some(name.into()),
        ..Settings::default()
    };
    let endpoint = world.apply(scheme("both")).expect("it may be");
    assert!(
        endpoint
            .public_key
            .as_deref()
            .is_some_and(|key| key.starts_with("whpk_"))
    );
    assert_eq!(world.paths(scheme("v2")), ["signatureScheme"]);
}

#[test]
fn misspelt_scopes_are_found() {
    let scopes = ["vault".to_owned(), "webhooks".to_owned(), "vualt".to_owned()];
    let (rejected, known) = rejected_scopes(&Catalogs::builtin(), &scopes);
    assert_eq!(rejected, [&scopes[2]]);
    assert!(known.contains(&"transcription".to_owned()));
}
