//! The one place through which everything goes that happens in an outage.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::Event;

/// Who is told what happens.
type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Tells `tracing`, and the user's hook where there is one. Clones tell the same.
#[derive(Clone, Default)]
pub(crate) struct Telemetry {
    listener: Arc<RwLock<Option<Listener>>>,
}

impl Telemetry {
    pub(crate) fn of(listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let telemetry = Self::default();
        telemetry.listen(listener);
        telemetry
    }

    /// Who is told from now on.
    pub(crate) fn listen(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        *self.listener.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(listener));
    }

    fn listener(&self) -> Option<Listener> {
        self.listener.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Called without any lock held: a hook may ask a limiter.
    pub(crate) fn tell(&self, event: &Event) {
        match event {
            Event::BreakerHalfOpen { .. } => tracing::debug!(target: "limitra", "{event}"),
            Event::OutageEnded { .. } | Event::BreakerClosed { .. } | Event::Reconciled { .. } => {
                tracing::info!(target: "limitra", "{event}");
            }
            _ => tracing::warn!(target: "limitra", "{event}"),
        }
        if let Some(listener) = self.listener() {
            listener(event);
        }
    }
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("has_listener", &self.listener().is_some()).finish()
    }
}
