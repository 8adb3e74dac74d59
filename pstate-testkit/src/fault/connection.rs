use tokio::sync::watch;

/// The connection between the layer and its adapter.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// The test cut it, and has not restored it.
    is_cut: bool,
    /// The number of calls that find no connection.
    lost_for: u32,
    /// Changes whenever the connection is lost.
    losses: watch::Sender<()>,
}

impl Connection {
    /// Whether the call that begins now finds a connection. Counts the call.
    pub(super) fn admit(&mut self) -> bool {
        let is_lost = self.lost_for > 0;
        self.lost_for = self.lost_for.saturating_sub(1);
        !self.is_cut && !is_lost
    }

    pub(super) fn cut(&mut self) {
        self.is_cut = true;
        self.losses.send_replace(());
    }

    pub(super) fn restore(&mut self) {
        self.is_cut = false;
    }

    /// Loses the connection: for the calls in flight, and for the next `calls`.
    pub(super) fn lose(&mut self, calls: u32) {
        self.lost_for = calls;
        self.losses.send_replace(());
    }

    /// Ends a [loss](Self::lose); a [cut](Self::cut) stays.
    pub(super) fn heal(&mut self) {
        self.lost_for = 0;
    }

    /// Subscribes to future losses.
    pub(super) fn losses(&self) -> watch::Receiver<()> {
        self.losses.subscribe()
    }
}
