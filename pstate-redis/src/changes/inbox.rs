//! Notifications that have arrived.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

/// How many keys are listed before anything may have changed.
pub(super) const MAX_KEYS: usize = 1 << 16;

/// Notifications that no call has collected yet.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    messages: Mutex<Messages>,
    arrived: Notify,
    /// Whether a connection was lost.
    lost: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) names: Vec<Vec<u8>>,
    pub(super) everything: bool,
}

impl Inbox {
    /// Adds a notification.
    pub(super) fn push(&self, push: PushInfo) {
        match push.kind {
            PushKind::Invalidate => self.messages.lock().add(push.data),
            PushKind::Disconnection => self.lost.store(true, Ordering::Release),
            _ => return,
        }
        self.arrived.notify_one();
    }

    pub(super) fn take(&self) -> Messages {
        std::mem::take(&mut *self.messages.lock())
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    /// Waits until a notification has arrived, or a connection is lost.
    pub(super) async fn wait(&self) {
        while self.is_empty() {
            self.arrived.notified().await;
        }
    }

    fn is_empty(&self) -> bool {
        let messages = self.messages.lock();
        messages.names.is_empty() && !messages.everything && !self.is_lost()
    }
}

impl Messages {
    fn add(&mut self, data: Vec<Value>) {
        for value in data {
            match value {
                Value::Array(names) => {
                    let names = names.into_iter().filter_map(|name| match name {
                        Value::BulkString(name) => Some(name),
                        _ => None,
                    });
                    self.names.extend(names);
                }
                // The server was emptied.
                _ => self.everything = true,
            }
        }
        if self.everything || self.names.len() > MAX_KEYS {
            *self = Self { names: Vec::new(), everything: true };
        }
    }
}
