//! Whether there is a connection.

use tokio::sync::watch;

/// The connection between the layer and its adapter.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// Until the test restores it.
    cut: bool,
    /// For so many calls.
    lost_for: u32,
    /// Changes whenever the connection is lost.
    lost: watch::Sender<()>,
}

impl Connection {
    /// Whether the call that comes now finds a connection.
    pub(super) fn is_there(&mut self) -> bool {
        let lost = self.lost_for > 0;
        self.lost_for = self.lost_for.saturating_sub(1);
        !self.cut && !lost
    }

    pub(super) fn cut(&mut self) {
        self.cut = true;
        self.lost.send_replace(());
    }

    pub(super) fn restore(&mut self) {
        self.cut = false;
    }

    /// Breaks, also for so many calls that come from now on.
    pub(super) fn lose(&mut self, calls: u32) {
        self.lost_for = calls;
        self.lost.send_replace(());
    }

    /// Ends what was lost for a number of calls.
    pub(super) fn heal(&mut self) {
        self.lost_for = 0;
    }

    /// Learns of losses from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.lost.subscribe()
    }
}
