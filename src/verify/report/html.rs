//! The report as a page by itself: to be kept, printed, or handed to a court. It needs no network and no program but a
//! browser. The verification page of the service shows the same part (`verdict.html`) among its own.

use askama::Template;
use time::OffsetDateTime;

use super::{Check, Outcome, Report, SignatureKind, SignatureReport, moment};
use crate::seal::SealStatus;
use crate::verify::judge::existence::By;

/// A report as pages show it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'r> {
    pub report: &'r Report,
    /// Whether the register and the licences are one click away.
    pub links: bool,
}

impl Shown<'_> {
    pub fn time(&self, at: &Option<OffsetDateTime>) -> String {
        at.map_or_else(|| "—".to_owned(), moment)
    }

    /// A day, as people here read it.
    pub fn day(&self, at: &OffsetDateTime) -> String {
        moment(*at).chars().take(10).collect()
    }

    pub fn judged_at(&self) -> String {
        moment(self.report.judged_at)
    }

    pub fn status(&self, status: &SealStatus) -> &'static str {
        status.zh()
    }

    /// Style and words of a check's outcome.
    pub fn outcome(&self, check: &Check) -> (&'static str, &'static str, &'static str) {
        match check.outcome {
            Outcome::Passed => ("passed", "通过", "passed"),
            Outcome::Failed => ("failed", "不通过", "failed"),
            Outcome::Indeterminate => ("indeterminate", "不能确认", "not certain"),
            Outcome::Info => ("info", "说明", "note"),
        }
    }

    /// Who proves the moment.
    pub fn proof(&self, signature: &SignatureReport) -> (String, String) {
        match &signature.proven_by {
            None => (String::new(), String::new()),
            Some(By::Ledger) => ("本系统的用印记录".into(), "by this service's own record".into()),
            Some(By::TimeStamp(authority)) => (format!("时间戳：{authority}"), "by a time stamp".into()),
        }
    }

    pub fn kind(&self, signature: &SignatureReport) -> (&'static str, &'static str) {
        match signature.kind {
            SignatureKind::Seal => ("签章", "Seal"),
            SignatureKind::TimeStamp => ("时间戳", "Time stamp"),
        }
    }

    /// The sub-indication in the standard's spelling.
    pub fn reason(&self, signature: &SignatureReport) -> String {
        let sub = signature.verdict.sub_indication().and_then(|sub| serde_json::to_value(sub).ok());
        sub.as_ref().and_then(|sub| sub.as_str()).unwrap_or_default().to_owned()
    }

    /// The checks that speak against it.
    pub fn against<'s>(&self, signature: &'s SignatureReport) -> Vec<&'s Check> {
        let against = |check: &&Check| matches!(check.outcome, Outcome::Failed | Outcome::Indeterminate);
        signature.checks.iter().filter(against).collect()
    }

    /// How many checks passed, of how many that decide anything.
    pub fn tally(&self, signature: &SignatureReport) -> (usize, usize) {
        let passed = signature.checks.iter().filter(|check| check.outcome == Outcome::Passed).count();
        let counted = signature.checks.iter().filter(|check| check.outcome != Outcome::Info).count();
        (passed, counted)
    }
}

#[derive(Template)]
#[template(path = "document.html")]
struct Document<'r> {
    shown: Shown<'r>,
}

/// The page by itself.
pub fn html(report: &Report) -> String {
    // Writing into memory does not fail; a template that did would be seen by every test of it.
    Document { shown: Shown { report, links: false } }.render().unwrap_or_default()
}
