//! What the owner of a job wants it to do.

use std::num::{NonZeroU32, NonZeroUsize};

use tokio::sync::watch;

/// The owner's wishes.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobSettings {
    /// How many documents a second, at most.
    pub(super) rate: Option<NonZeroU32>,
    pub(super) paused: bool,
    canceled: bool,
}

impl JobSettings {
    /// Whether the next page may begin as soon as the last one has ended.
    pub(super) fn is_unlimited(self) -> bool {
        self.rate.is_none() && !self.paused
    }

    /// How long a page may be: no longer than a second of the rate.
    pub(super) fn limit(self, page_size: NonZeroUsize) -> NonZeroUsize {
        let a_second = self.rate.and_then(|rate| NonZeroUsize::try_from(rate).ok());
        a_second.map_or(page_size, |a_second| a_second.min(page_size))
    }
}

/// The owner's end: dropping it cancels the job.
#[derive(Debug)]
pub(super) struct JobHandle(watch::Sender<JobSettings>);

/// The job's end.
#[derive(Debug)]
pub(super) struct SettingsReceiver(watch::Receiver<JobSettings>);

/// Both ends, for a job at this rate.
pub(super) fn job_settings(rate: Option<NonZeroU32>) -> (JobHandle, SettingsReceiver) {
    let settings = JobSettings { rate, paused: false, canceled: false };
    let (sender, receiver) = watch::channel(settings);
    (JobHandle(sender), SettingsReceiver(receiver))
}

impl JobHandle {
    pub(super) fn set_rate(&self, documents_per_second: u32) {
        self.0.send_modify(|settings| settings.rate = NonZeroU32::new(documents_per_second));
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.0.send_modify(|settings| settings.paused = paused);
    }

    pub(super) fn cancel(&self) {
        self.0.send_modify(|settings| settings.canceled = true);
    }
}

impl SettingsReceiver {
    /// The current settings; `None` if the job is canceled.
    pub(super) fn current(&mut self) -> Option<JobSettings> {
        let abandoned = self.0.has_changed().is_err();
        let settings = *self.0.borrow_and_update();
        (!abandoned && !settings.canceled).then_some(settings)
    }

    /// Waits until the settings may have changed.
    pub(super) async fn changed(&mut self) {
        // An error says that the owner is gone, which cancels the job.
        _ = self.0.changed().await;
    }
}
