//! Steps of whole documents from one version to the next.

use std::sync::Arc;

use super::member_step::MemberStep;
use crate::model::Object;
use crate::model::json::foreign_problem;

/// Why a migration step failed. Anything that is an error, or text.
///
/// The reason is part of the error of a read, and errors are logged: it should not quote the
/// document. Of an error of `serde_json`, which does, only what it says of the syntax is shown.
pub type StepError = Box<dyn std::error::Error + Send + Sync>;

type Run = dyn Fn(&mut Object) -> Result<(), StepError> + Send + Sync;

/// A whole-document step between two neighbouring versions.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) from: u32,
    pub(crate) to: u32,
    run: Arc<Run>,
    member_step: Option<MemberStep>,
}

impl Step {
    pub(super) fn new(
        from: u32,
        to: u32,
        run: impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static,
        member_step: Option<MemberStep>,
    ) -> Self {
        Self { from, to, run: Arc::new(run), member_step }
    }

    /// What it does, if that depends on no value.
    pub(super) fn member_step(&self) -> Option<&MemberStep> {
        self.member_step.as_ref()
    }

    pub(crate) fn run(&self, document: &mut Object) -> Result<(), StepError> {
        (self.run)(document)
    }
}

/// The reason as text.
pub(super) fn reason_text(reason: &StepError) -> String {
    match reason.downcast_ref::<serde_json::Error>() {
        Some(error) => foreign_problem(error),
        None => reason.to_string(),
    }
}
