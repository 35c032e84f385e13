//! The highest value that a gauge ever had, in all tests of this process together.

use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// Follows one gauge of the process; every call names the same.
pub fn highest(name: &'static str) -> Arc<AtomicU64> {
    static HIGHEST: OnceLock<Arc<AtomicU64>> = OnceLock::new();
    HIGHEST
        .get_or_init(|| {
            let highest = Arc::new(AtomicU64::new(0));
            let recorder = OneGauge {
                name,
                highest: highest.clone(),
            };
            metrics::set_global_recorder(recorder).expect("it is the only recorder");
            highest
        })
        .clone()
}

struct OneGauge {
    name: &'static str,
    highest: Arc<AtomicU64>,
}

struct Highest(Arc<AtomicU64>);

impl GaugeFn for Highest {
    fn increment(&self, _value: f64) {}
    fn decrement(&self, _value: f64) {}
    fn set(&self, value: f64) {
        self.0.fetch_max(value as u64, Ordering::Relaxed);
    }
}

impl Recorder for OneGauge {
    fn describe_counter(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}
    fn describe_gauge(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}
    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn register_counter(&self, _key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        if key.name() == self.name {
            Gauge::from_arc(Arc::new(Highest(self.highest.clone())))
        } else {
            Gauge::noop()
        }
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
