//! What was found, printed as it is found where a line is one thing, and at the end where all of it is one document.

use crate::output::{self, Output};
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// It wasn't looked at, for want of something that isn't wrong by itself.
    Skip,
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

    pub fn skip(&mut self, name: &'static str, message: impl Into<String>) -> anyhow::Result<()> {
        self.add(Status::Skip, name, message.into())
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

    /// Whether nothing failed. For people it is said once more, as the last line.
    pub fn finish(self) -> anyhow::Result<bool> {
        match self.output {
            Output::Json => output::line(serde_json::to_string_pretty(&self.found)?)?,
            Output::Jsonl => {}
            Output::Table => output::line(format!("\n{}", summary(&self.found)))?,
        }
        Ok(!self.found.iter().any(|finding| finding.status == Status::Fail))
    }
}

/// `1 endpoint`, `2 endpoints`
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn summary(found: &[Finding]) -> String {
    let count = |status| found.iter().filter(|finding| finding.status == status).count();
    match (count(Status::Fail), count(Status::Warn)) {
        (0, 0) => "All is well.".to_owned(),
        (0, warnings) => format!("Nothing failed; {}.", counted(warnings, "warning")),
        (failures, 0) => format!("{}: what to do is said with each.", counted(failures, "failure")),
        (failures, warnings) => {
            let (failures, warnings) = (counted(failures, "failure"), counted(warnings, "warning"));
            format!("{failures}, {warnings}: what to do is said with each.")
        }
    }
}

/// What follows the first line of a message is indented as far.
fn line(finding: &Finding) -> String {
    let status = match finding.status {
        Status::Ok => "ok",
        Status::Skip => "skip",
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
    #[test]
    fn the_last_line_says_whether_there_is_anything_to_do() {
        let of = |statuses: &[Status]| {
            let finding = |status: &Status| Finding {
                status: *status,
                name: "x",
                message: String::new(),
            };
            summary(&statuses.iter().map(finding).collect::<Vec<_>>())
        };
        let (warn, fail) = (Status::Warn, Status::Fail);
        assert_eq!(of(&[Status::Ok, Status::Skip]), "All is well.");
        assert_eq!(of(&[warn, Status::Ok, warn]), "Nothing failed; 2 warnings.");
        assert_eq!(of(&[fail]), "1 failure: what to do is said with each.");
        assert_eq!(
            of(&[fail, warn, fail]),
            "2 failures, 1 warning: what to do is said with each."
        );
    }
}
