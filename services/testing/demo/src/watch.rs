//! What can be seen while it runs: receivers' counts, and the topics `dlq` and `rejected` as they grow.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use harness::{Hook, Tally, follow};
use kafka_log::Record;
use parking_lot::Mutex;
use schemas::{DeadLetter, OwnSchemas, Rejected, codec};
use tokio::task::JoinHandle;

use crate::matcher::Expected;
use crate::stage::Stage;
use crate::{cast, disabling};

/// Dead letters and rejections, as far as they were read.
#[derive(Debug, Default)]
pub struct Aside {
    /// (endpoint, event), whatever became of it later.
    pub dead_ever: HashSet<(String, String)>,
    /// By delivery id: dead now.
    pub dead_now: HashMap<String, (String, String)>,
    /// Topic, partition and offset.
    pub rejected: HashSet<(String, i32, i64)>,
}

impl Aside {
    pub fn note_dead_letter(&mut self, record: &Record) -> anyhow::Result<()> {
        let key = record
            .key
            .as_deref()
            .context("a dead letter has its delivery's id as key")?;
        let id = String::from_utf8_lossy(key).into_owned();
        match record.value.as_deref() {
            None => drop(self.dead_now.remove(&id)),
            // A replay's mark.
            Some([]) => {}
            Some(value) => {
                let letter: DeadLetter = codec::decode(value, &OwnSchemas)?;
                let pair = (letter.delivery.endpoint_id, letter.delivery.event_id);
                self.dead_ever.insert(pair.clone());
                self.dead_now.insert(id, pair);
            }
        }
        Ok(())
    }

    pub fn note_rejected(&mut self, record: &Record) -> anyhow::Result<()> {
        let value = record.value.as_deref().context("a rejection is no tombstone")?;
        let rejected: Rejected = codec::decode(value, &OwnSchemas)?;
        self.rejected
            .insert((rejected.origin.topic, rejected.origin.partition, rejected.origin.offset));
        Ok(())
    }
}

/// How an endpoint stands.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub expected: usize,
    /// Of those, with a verified 2xx.
    pub delivered: usize,
    /// Of those, dead and never delivered.
    pub dead: usize,
    pub tally: Tally,
}

impl Standing {
    pub fn waiting(&self) -> usize {
        self.expected - (self.delivered + self.dead).min(self.expected)
    }
}

pub struct Watch {
    pub expected: Expected,
    endpoints: Vec<(String, Hook)>,
    aside: Arc<Mutex<Aside>>,
    followers: Vec<JoinHandle<()>>,
    broken: usize,
    told: Hook,
}

impl Watch {
    pub async fn start(stage: &Stage, expected: Expected, broken: usize) -> anyhow::Result<Self> {
        let aside = Arc::new(Mutex::new(Aside::default()));
        let connection = stage.installation().connection();
        let names = connection.names();
        let mut followers = Vec::new();
        for (topic, note) in [
            (names.dlq(), Aside::note_dead_letter as fn(&mut Aside, &Record) -> _),
            (names.rejected(), Aside::note_rejected),
        ] {
            let (mut followed, aside) = (follow(&connection, &topic).await?, aside.clone());
            followers.push(tokio::spawn(async move {
                while let Ok(record) = followed.next().await {
                    // What can't be read is found, and said, when the topic is read again at the end.
                    let _: anyhow::Result<()> = note(&mut aside.lock(), &record);
                }
            }));
        }
        let endpoints = stage
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.id.clone(), endpoint.hook.clone()))
            .collect();
        Ok(Self {
            expected,
            endpoints,
            aside,
            followers,
            broken,
            told: stage.endpoint(cast::TOLD).hook.clone(),
        })
    }

    /// In the order of the endpoints.
    pub fn standings(&self) -> Vec<Standing> {
        let aside = self.aside.lock();
        let dead: HashSet<_> = aside.dead_now.values().collect();
        let of = |(index, (id, hook)): (usize, &(String, Hook))| {
            let arrived = hook.delivered();
            let expected = &self.expected[index];
            let (delivered, open): (Vec<_>, Vec<_>) = expected.keys().partition(|event| arrived.contains(*event));
            let is_dead = |event: &&&String| dead.contains(&(id.clone(), (**event).clone()));
            Standing {
                expected: expected.len(),
                delivered: delivered.len(),
                dead: open.iter().filter(is_dead).count(),
                tally: hook.tally(),
            }
        };
        self.endpoints.iter().enumerate().map(of).collect()
    }

    pub fn rejected(&self) -> usize {
        self.aside.lock().rejected.len()
    }

    /// Every expected delivery has arrived or is dead, every broken record is rejected, and every endpoint that is to be
    /// disabled has been.
    pub fn is_settled(&self) -> bool {
        let to_be_disabled = cast::ENDPOINTS.iter().filter(|plan| plan.disabled_as.is_some());
        self.standings().iter().all(|standing| standing.waiting() == 0)
            && self.rejected() >= self.broken
            && disabling::notices(&self.told).len() >= to_be_disabled.count()
    }

    /// Everything for this endpoint has arrived.
    pub fn is_delivered(&self, endpoint: usize) -> bool {
        let standing = self.standings()[endpoint];
        standing.delivered == standing.expected
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.followers.iter().for_each(JoinHandle::abort);
    }
}
