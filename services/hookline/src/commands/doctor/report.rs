//! What was found, printed as it is found where a line is one thing, and at the end where all of it is one document.

use crate::output::{self, Output};
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// It works, but not as well or as safely as it could.
    Warn,
    /// Something doesn't work.
    Fail,
}

#[derive(Debug, Serialize)]
struct Finding {
    status: Status,
    name: &'static str,
    message: String,
}

pub struct Report {
    output: Output,
    found: Vec<Finding>,
}

impl Report {
    pub fn new(output: Output) -> Self {
        Self {
            output,
            found: Vec::new(),
        }
    }

    pub fn ok(&mut self, name: &'static str, message: impl Into<String>) -> anyhow::Result<()> {
        self.add(Status::Ok, name, message.into())
    }

    pub fn warn(&mut self, name: &'static str, message: impl Into<String>) -> anyhow::Result<()> {
        self.add(Status::Warn, name, message.into())
    }

    pub fn fail(&mut self, name: &'static str, message: impl Into<String>) -> anyhow::Result<()> {
        self.add(Status::Fail, name, message.into())
    }

    fn add(&mut self, status: Status, name: &'static str, message: String) -> anyhow::Result<()> {
        let finding = Finding { status, name, message };
        match self.output {
            Output::Json => {}
            Output::Jsonl => output::line(serde_json::to_string(&finding)?)?,
            Output::Table => output::line(line(&finding))?,
        }
        self.found.push(finding);
        Ok(())
    }

    /// Whether nothing failed.
    pub fn finish(self) -> anyhow::Result<bool> {
        if self.output == Output::Json {
            output::line(serde_json::to_string_pretty(&self.found)?)?;
        }
        Ok(!self.found.iter().any(|finding| finding.status == Status::Fail))
    }
}

/// What follows the first line of a message is indented as far.
fn line(finding: &Finding) -> String {
    let status = match finding.status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "fail",
    };
    let message = finding.message.replace('\n', &format!("\n{:21}", ""));
    format!("{status:<4}  {:<13}  {message}", finding.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_whose_columns_stand_below_each_other() {
        let finding = |status, name, message: &str| {
            let message = message.to_owned();
            line(&Finding { status, name, message })
        };
        assert_eq!(
            finding(Status::Ok, "brokers", "3 answer"),
            "ok    brokers        3 answer"
        );
        assert_eq!(
            finding(Status::Fail, "configuration", "2 mistakes\none"),
            format!("fail  configuration  2 mistakes\n{:21}one", "")
        );
    }
}
