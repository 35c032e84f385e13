//! What is said of a metric: name, kind, unit, labels with their values.

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub labels: &'static [LabelOf],
    pub help: &'static str,
    /// Which role has it.
    pub role: &'static str,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Seconds,
    Bytes,
}

/// A label and what it can be.
#[derive(Debug, Clone, Copy)]
pub struct LabelOf {
    pub name: &'static str,
    pub values: Values,
}

#[derive(Debug, Clone, Copy)]
pub enum Values {
    Among(&'static [&'static str]),
    /// Described, and how to tell.
    Like(&'static str, fn(&str) -> bool),
}

impl Values {
    /// Whether the label may have this value.
    #[must_use]
    pub fn allow(&self, value: &str) -> bool {
        match self {
            Self::Among(values) => values.contains(&value),
            Self::Like(_, is_one) => is_one(value),
        }
    }
}

pub(super) const fn among(name: &'static str, values: &'static [&'static str]) -> LabelOf {
    LabelOf {
        name,
        values: Values::Among(values),
    }
}

pub(super) const fn like(name: &'static str, described: &'static str, is_one: fn(&str) -> bool) -> LabelOf {
    LabelOf {
        name,
        values: Values::Like(described, is_one),
    }
}

pub(super) const fn counter(
    role: &'static str,
    name: &'static str,
    labels: &'static [LabelOf],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        unit: Unit::Count,
        labels,
        help,
        role,
    }
}

pub(super) const fn gauge(
    role: &'static str,
    name: &'static str,
    unit: Unit,
    labels: &'static [LabelOf],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        unit,
        labels,
        help,
        role,
    }
}

pub(super) const fn seconds(
    role: &'static str,
    name: &'static str,
    buckets: &'static [f64],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram(buckets),
        unit: Unit::Seconds,
        labels: &[],
        help,
        role,
    }
}
