//! `hookline serve`: runs roles in one process until SIGTERM, which drains them. What is here is only their wiring and
//! the order in which they start; what they do is their crates' business.

mod again;
mod options;
mod startup;

use crate::config::Config;
use crate::connect;
use anyhow::Context as _;
use clap::ValueEnum;
use kafka_log::Connection;
use ledger::{Keyring, Ledger, Writer};
use runtime::CancellationToken;
use runtime::admin::Admin;
use runtime::logging::{self, Format};
use runtime::readiness::Readiness;
use runtime::supervise::Supervisor;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OnceCell;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// The HTTP API; decides changes of configuration (the clerk)
    Api,
    /// Turns events into deliveries
    Fanout,
    /// Makes the HTTP requests
    Dispatcher,
    /// Brings waiting deliveries back when they are due
    Scheduler,
    /// Keeps the delivery log as SQL rows; runs jobs that replay endpoints
    History,
    /// api, fanout, dispatcher, scheduler, history
    All,
}

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Roles to run in this process
    #[arg(required = true, value_enum, value_name = "ROLE")]
    roles: Vec<Role>,
}

impl Arguments {
    /// The keys without a default that these roles can't do without.
    pub fn required_keys(&self) -> Vec<&'static str> {
        let runs = |role| self.roles.iter().any(|asked| [role, Role::All].contains(asked));
        match (runs(Role::Api), runs(Role::Dispatcher)) {
            (true, _) => vec!["secrets.key", "api.operator_key"],
            (false, true) => vec!["secrets.key"],
            (false, false) => Vec::new(),
        }
    }
}

pub async fn run(arguments: &Arguments, config: Config) -> anyhow::Result<()> {
    let plan = Plan::new(&arguments.roles, config)?;
    let format = match plan.config.log.format.as_deref() {
        Some(format) => format.parse()?,
        None => Format::Auto,
    };
    logging::init(format, &plan.config.log.level)?;
    runtime::panics::abort_on_panic();
    let metrics = runtime::metrics::install();
    let version = env!("CARGO_PKG_VERSION");
    let exporting = match &plan.config.otel.endpoint {
        Some(endpoint) => Some(runtime::otlp::start(endpoint, version)?),
        None => None,
    };
    let stop = runtime::shutdown::on_signal(options::stop_patience(&plan.config))?;
    let admin = Admin::bind(plan.config.admin.listen).await?;
    tracing::info!(roles = plan.names(), admin = %admin.local_addr()?, version, "starting");
    let readiness = Readiness::new();
    // Before anybody can ask: where nothing is registered, all that is registered is ready. It is registered anew below.
    readiness.register("roles");
    let stop_admin = CancellationToken::new();
    let watched = tokio::spawn(admin.serve(readiness.clone(), metrics, stop_admin.clone()));

    let ended = Box::pin(plan.serve(&readiness, stop)).await;
    if let Some(exporting) = exporting {
        exporting.finish().await;
    }
    // Last of all, so that a drain can be watched.
    stop_admin.cancel();
    watched.await.context("the admin listener")??;
    ended?;
    tracing::info!("ended in order");
    Ok(())
}

/// What this process is to run, with everything checked that can be checked without a broker.
struct Plan {
    roles: BTreeSet<Role>,
    /// Whether `all` was asked for: then the topics are made, too.
    applies_topics: bool,
    keyring: Option<Keyring>,
    /// None: nothing here has to do with it.
    history: Option<history_store::Store>,
    config: Config,
}

impl Plan {
    fn new(asked: &[Role], config: Config) -> anyhow::Result<Self> {
        let applies_topics = asked.contains(&Role::All);
        let roles: BTreeSet<_> = if applies_topics {
            [
                Role::Api,
                Role::Fanout,
                Role::Dispatcher,
                Role::Scheduler,
                Role::History,
            ]
            .into()
        } else {
            asked.iter().copied().collect()
        };
        let handles_secrets = roles.contains(&Role::Api) || roles.contains(&Role::Dispatcher);
        let keyring = if handles_secrets {
            Some(connect::keyring(&config)?)
        } else {
            None
        };
        let history = connect::history(&config, roles.contains(&Role::Api), roles.contains(&Role::History))?;
        Ok(Self {
            roles,
            applies_topics,
            keyring,
            history,
            config,
        })
    }

    fn names(&self) -> String {
        let names = self.roles.iter().filter_map(ValueEnum::to_possible_value);
        names
            .map(|value| value.get_name().to_owned())
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Waits for what the roles need, runs them, and drains them after `stop`.
    async fn serve(self, readiness: &Readiness, stop: CancellationToken) -> anyhow::Result<()> {
        let (topics, view) = (readiness.register("topics"), readiness.register("ledger view"));
        let roles = readiness.register("roles");
        let connection = connect::connection(&self.config);
        let starting = async {
            startup::topics(&connection, &self.config, self.applies_topics).await?;
            topics.store(true, Ordering::Release);
            let opened = startup::ledger(&connection, self.keyring.is_some()).await?;
            view.store(true, Ordering::Release);
            anyhow::Ok(opened)
        };
        let Some(started) = stop.run_until_cancelled(Box::pin(starting)).await else {
            return Ok(());
        };
        let (ledger, writer) = started?;
        let mut process = Process {
            supervisor: Supervisor::new(stop),
            schemas: Schemas {
                writer,
                registered: Arc::default(),
                ready: roles,
            },
            connection,
            ledger,
        };
        process.start(self, readiness).await?;
        process.watch_schemas();
        process.supervisor.join().await?;
        Ok(())
    }
}

/// The roles of this process as they run.
struct Process {
    supervisor: Supervisor,
    connection: Connection,
    ledger: Ledger,
    schemas: Schemas,
}

impl Process {
    async fn start(&mut self, plan: Plan, readiness: &Readiness) -> anyhow::Result<()> {
        let config = plan.config;
        let keyring = || plan.keyring.clone().context("this role needs secrets.key");
        for role in plan.roles {
            match role {
                Role::Api => {
                    self.start_api(&config, keyring()?, plan.history.clone(), readiness)
                        .await?
                }
                Role::Fanout => self.start_fanout(&config),
                Role::Scheduler => self.start_scheduler(&config),
                Role::Dispatcher => self.start_dispatcher(&config, keyring()?),
                Role::History => {
                    let store = plan.history.clone().context("this role needs history.url")?;
                    self.start_history(&config, store);
                }
                Role::All => {}
            }
        }
        Ok(())
    }

    /// Binds `api.listen` at once, so that a taken address ends the start.
    async fn start_api(
        &mut self,
        config: &Config,
        keyring: Keyring,
        history: Option<history_store::Store>,
        readiness: &Readiness,
    ) -> anyhow::Result<()> {
        let service = control_api::Service::bind(options::api(config, keyring, history)?, readiness).await?;
        tracing::info!(listen = %service.local_addr()?, "the HTTP API listens");
        let (connection, ledger, stop) = self.for_role();
        let writer = self.schemas.writer.clone();
        self.supervisor.spawn(
            "api",
            async move { service.run(&connection, ledger, writer, stop).await },
        );
        Ok(())
    }

    fn for_role(&self) -> (Connection, Ledger, CancellationToken) {
        (self.connection.clone(), self.ledger.clone(), self.supervisor.token())
    }

    /// Says when the roles may write, and when they no longer take anything new.
    fn watch_schemas(&mut self) {
        let (schemas, stop) = (self.schemas.clone(), self.supervisor.token());
        self.supervisor.spawn("schemas", async move {
            schemas.register(&stop).await?;
            stop.cancelled().await;
            schemas.ready.store(false, Ordering::Release);
            anyhow::Ok(())
        });
    }

    fn start_fanout(&mut self, config: &Config) {
        let options = options::fanout(config);
        let (connection, ledger, stop) = self.for_role();
        let schemas = self.schemas.clone();
        self.supervisor.spawn("fanout", async move {
            if !schemas.register(&stop).await? {
                return Ok(());
            }
            again::role("fanout", stop.clone(), fanout::Error::is_retryable, || {
                fanout::Service::run(&connection, options.clone(), ledger.clone(), stop.clone())
            })
            .await
        });
    }

    fn start_dispatcher(&mut self, config: &Config, keyring: Keyring) {
        let options = options::dispatcher(config);
        let (connection, ledger, stop) = self.for_role();
        let schemas = self.schemas.clone();
        self.supervisor.spawn("dispatcher", async move {
            if !schemas.register(&stop).await? {
                return Ok(());
            }
            again::role("dispatcher", stop.clone(), dispatcher::Error::is_retryable, || {
                let (ledger, writer, keyring) = (ledger.clone(), schemas.writer.clone(), keyring.clone());
                dispatcher::Service::run(&connection, options.clone(), ledger, writer, keyring, stop.clone())
            })
            .await
        });
    }

    fn start_history(&mut self, config: &Config, store: history_store::Store) {
        let options = options::history(config);
        let (connection, ledger, stop) = self.for_role();
        let schemas = self.schemas.clone();
        self.supervisor.spawn("history", async move {
            if !schemas.register(&stop).await? {
                return Ok(());
            }
            again::role("history", stop.clone(), history::Error::is_retryable, || {
                let (store, ledger, writer) = (store.clone(), ledger.clone(), schemas.writer.clone());
                history::Service::run(&connection, options.clone(), store, ledger, writer, stop.clone())
            })
            .await?;
            store.close().await;
            anyhow::Ok(())
        });
    }

    fn start_scheduler(&mut self, config: &Config) {
        let options = options::scheduler(config, self.connection.names());
        let (connection, ledger, stop) = self.for_role();
        let schemas = self.schemas.clone();
        self.supervisor.spawn("scheduler", async move {
            if !schemas.register(&stop).await? {
                return Ok(());
            }
            again::role("scheduler", stop.clone(), scheduler::Error::is_retryable, || {
                scheduler::Service::run(&connection, options.clone(), ledger.clone(), stop.clone())
            })
            .await
        });
    }
}

/// This build's record schemas, which must be in the ledger before a role first writes a record.
#[derive(Clone)]
struct Schemas {
    writer: Writer,
    registered: Arc<OnceCell<()>>,
    ready: Arc<std::sync::atomic::AtomicBool>,
}

impl Schemas {
    /// Waits until they are registered, by whichever role asks first. False when `stop` came before.
    async fn register(&self, stop: &CancellationToken) -> anyhow::Result<bool> {
        let registering = self
            .registered
            .get_or_try_init(|| startup::register_schemas(&self.writer));
        match stop.run_until_cancelled(registering).await {
            None => Ok(false),
            Some(result) => {
                result?;
                self.ready.store(true, Ordering::Release);
                Ok(true)
            }
        }
    }
}
