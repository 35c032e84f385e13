//! Reads back the text format of `/metrics`. Only what this process renders has to be understood.

use std::collections::BTreeMap;

pub(super) type Labels<'a> = BTreeMap<&'a str, String>;

/// One line.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Labels<'a>,
    pub(super) value: &'a str,
}

impl<'a> Sample<'a> {
    /// Its other labels, and this one's value.
    pub(super) fn without(&self, label: &str) -> (Labels<'a>, Option<String>) {
        let mut labels = self.labels.clone();
        let value = labels.remove(label);
        (labels, value)
    }
}

/// Every line that is a sample.
pub(super) fn samples(rendered: &str) -> impl Iterator<Item = Sample<'_>> {
    let lines = rendered.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        None => (series, Labels::new()),
        Some((name, labels)) => (name, self::labels(labels.strip_suffix('}')?)?),
    };
    Some(Sample { name, labels, value })
}

/// `name="value",…`; in a value, `\` stands before what it would else end with.
fn labels(mut text: &str) -> Option<Labels<'_>> {
    let mut labels = Labels::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = rest.char_indices();
        let end = loop {
            match chars.next()? {
                (end, '"') => break end,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    escaped => escaped,
                }),
                (_, plain) => value.push(plain),
            }
        };
        labels.insert(name, value);
        let rest = &rest[end + 1..];
        text = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_labels_and_escapes() {
        let text = "# TYPE a counter\na 1\n\nb{x=\"y\",z=\"\"} 0.5\nc{q=\"a\\\"b\\\\c\\nd, e=\\\"}\"} 2\n";
        let read: Vec<_> = samples(text).collect();
        let labels = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        let sample = |name, pairs, value| Sample {
            name,
            labels: labels(pairs),
            value,
        };
        assert_eq!(
            read,
            [
                sample("a", &[], "1"),
                sample("b", &[("x", "y"), ("z", "")], "0.5"),
                sample("c", &[("q", "a\"b\\c\nd, e=\"}")], "2"),
            ]
        );
    }
}
