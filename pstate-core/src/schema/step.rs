//! Steps of whole documents from one version to the next.

use std::sync::Arc;

use crate::model::Object;

/// Why a migration step failed. Anything that is an error, or text.
///
/// The reason is part of the error of a read: it should not quote the document.
pub type StepError = Box<dyn std::error::Error + Send + Sync>;

type Run = dyn Fn(&mut Object) -> Result<(), StepError> + Send + Sync;

/// A whole-document step between two neighbouring versions.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) from: u32,
    pub(crate) to: u32,
    run: Arc<Run>,
}

impl Step {
    pub(super) fn new(
        from: u32,
        to: u32,
        run: impl Fn(&mut Object) -> Result<(), StepError> + Send + Sync + 'static,
    ) -> Self {
        Self { from, to, run: Arc::new(run) }
    }

    pub(crate) fn run(&self, document: &mut Object) -> Result<(), StepError> {
        (self.run)(document)
    }
}
