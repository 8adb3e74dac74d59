//! What the owner of background work wants it to do.

use std::num::{NonZeroU32, NonZeroUsize};

use tokio::sync::watch;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Control {
    /// How many documents a second, at most.
    pub(crate) rate: Option<NonZeroU32>,
    pub(crate) paused: bool,
    stopped: bool,
}

impl Control {
    /// How long a page may be: no longer than a second of the rate.
    pub(crate) fn limit(self, page_size: NonZeroUsize) -> NonZeroUsize {
        let a_second = self.rate.and_then(|rate| NonZeroUsize::try_from(rate).ok());
        a_second.map_or(page_size, |a_second| a_second.min(page_size))
    }
}

/// The owner's end: dropping it stops the work.
#[derive(Debug)]
pub(crate) struct Controller(watch::Sender<Control>);

/// The end of the work.
#[derive(Debug)]
pub(crate) struct Controlled(watch::Receiver<Control>);

/// Both ends, for work at this rate.
pub(crate) fn control(rate: Option<NonZeroU32>) -> (Controller, Controlled) {
    let (sender, receiver) = watch::channel(Control { rate, paused: false, stopped: false });
    (Controller(sender), Controlled(receiver))
}

impl Controller {
    pub(crate) fn set_rate(&self, documents_per_second: u32) {
        self.0.send_modify(|control| control.rate = NonZeroU32::new(documents_per_second));
    }

    pub(crate) fn pause(&self) {
        self.0.send_modify(|control| control.paused = true);
    }

    pub(crate) fn resume(&self) {
        self.0.send_modify(|control| control.paused = false);
    }

    pub(crate) fn stop(&self) {
        self.0.send_modify(|control| control.stopped = true);
    }
}

impl Controlled {
    /// What is wanted; `None` to stop.
    pub(crate) fn wanted(&mut self) -> Option<Control> {
        let abandoned = self.0.has_changed().is_err();
        let control = *self.0.borrow_and_update();
        (!abandoned && !control.stopped).then_some(control)
    }

    /// Waits until something else may be wanted.
    pub(crate) async fn changed(&mut self) {
        // An error says that the owner is gone; then it is to stop.
        _ = self.0.changed().await;
    }
}
