//! What the loop hears, and what each of it means: the word of others, events of queue and library, how transfers ended.

use afterglow_library::LibraryEvent;
use afterglow_model::{AppEvent, DestinationId, DestinationState, Event, Failure, FailureCode, JobId, JobState};
use afterglow_queue::QueueEvent;
use afterglow_scheduler::{Ending, StateChange};
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    time::Instant,
};

use super::{Engine, SPENT_EVERY, carry::Ended};
use crate::clock;

/// Events taken in one go before the plan is made anew.
const EVENTS_AT_ONCE: usize = 512;

/// What others ask of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    /// Settings, pause, overrides, destinations, apps or rules changed: read them again.
    Reload,
    /// Jobs were made, cancelled or released.
    Jobs,
    /// The person wants it now: destinations that are left alone are tried again.
    Forgive,
    /// A pass over the rules has ended.
    Followed,
    /// The questions to the person changed.
    Prompts,
    /// Says so once everything before it is in the status.
    Tell(oneshot::Sender<()>),
}

/// Where the loop hears of things, but for the conditions and the ends of its own tasks.
pub(super) struct Inbox {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) queue_events: broadcast::Receiver<QueueEvent>,
    pub(super) library_events: broadcast::Receiver<LibraryEvent>,
}

impl Engine {
    /// Takes what has come, up to a bound; whether somebody asked for something.
    pub(super) async fn take_events(&mut self, inbox: &mut Inbox) -> bool {
        let mut asked = false;
        for _ in 0..EVENTS_AT_ONCE {
            if let Some(ended) = self.tasks.try_join_next() {
                self.ended(ended).await;
            } else if let Ok(command) = inbox.commands.try_recv() {
                self.command(command).await;
                asked = true;
            } else if let Ok(event) = inbox.queue_events.try_recv() {
                self.queue_event(Ok(event));
            } else if let Ok(event) = inbox.library_events.try_recv() {
                self.library_event(Ok(event)).await;
            } else {
                break;
            }
        }
        asked
    }

    pub(super) async fn command(&mut self, command: Command) {
        match command {
            Command::Reload => {
                self.reload().await;
                self.core.passes.follow_now();
                self.lanes_stale = true;
            }
            Command::Jobs => {
                self.lanes.forget();
                self.lanes_stale = true;
            }
            Command::Forgive => self.health.forgive(),
            Command::Followed => self.lanes_stale = true,
            Command::Prompts => {}
            Command::Tell(listener) => {
                self.listeners.push(listener);
                self.status_due = Some(Instant::now());
            }
        }
        self.status_changed();
    }

    pub(super) fn queue_event(&mut self, event: Result<QueueEvent, broadcast::error::RecvError>) {
        match event {
            Ok(QueueEvent::JobsChanged { jobs, more: _ }) => {
                for change in jobs {
                    if change.state == JobState::Cancelled {
                        self.running.stop(&change.job_id);
                        self.lanes.forget();
                    }
                    self.touched.extend(change.asset_id);
                    // An app that does not listen is no reason to stop.
                    let _ = self
                        .core
                        .app_events
                        .send((change.app_id, AppEvent::JobChanged { job_id: change.job_id, state: change.state }));
                }
                self.lanes_stale = true;
            }
            Ok(QueueEvent::Apps | QueueEvent::Destinations | QueueEvent::Rules | QueueEvent::Settings) => {}
            Err(_) => {
                self.lanes.forget();
                self.lanes_stale = true;
            }
        }
        self.status_changed();
    }

    pub(super) async fn library_event(&mut self, event: Result<LibraryEvent, broadcast::error::RecvError>) {
        match event {
            Ok(LibraryEvent::Scan(progress)) => {
                let source = progress.source_id.clone();
                if progress.finished {
                    self.scans.remove(&source);
                    self.sources_changed().await;
                    // In the same step: what the scan found is looked at before anybody is told that it has ended.
                    self.core.passes.follow_now();
                } else {
                    self.scans.insert(source, progress.clone());
                }
                self.core.tell(Event::Scan { progress });
            }
            Ok(LibraryEvent::Changed) | Err(_) => {
                self.core.tell(Event::LibraryChanged);
                self.core.passes.follow_now();
            }
            Ok(LibraryEvent::SourcesChanged) => {
                self.sources_changed().await;
                self.core.tell(Event::LibraryChanged);
            }
        }
        self.status_changed();
    }

    pub(super) async fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let ended = match ended {
            Ok(ended) => ended,
            Err(error) => {
                // A task that panicked took its job along; the queue still has it as started, and recovery puts it back.
                tracing::error!(%error, "a transfer ended in disorder");
                self.lanes.forget();
                self.lanes_stale = true;
                return;
            }
        };
        let id = &ended.job.id;
        let stopping = self.running.end(id).is_some_and(|carried| carried.stopping);
        let destination = ended.job.destination_id.clone();
        if matches!(&ended.result, Err(Some(failure)) if failure.code == FailureCode::SourceOffline) {
            self.source_away(ended.job.source_id.as_ref()).await;
        }
        self.learn_concurrency(&ended);
        let change = match &ended.result {
            Ok(delivered) => {
                self.run.done += 1;
                self.run.bytes_done += delivered.byte_count;
                self.present.delivered(delivered.byte_count);
                if ended.job.has_own_credential() {
                    self.spent_due.get_or_insert_with(|| Instant::now() + SPENT_EVERY);
                }
                self.health.delivered(&destination, stopping)
            }
            Err(Some(failure)) => {
                self.present.failed();
                // An app's own credential or URL for one job says nothing of the others'.
                let its_own = match failure.code {
                    FailureCode::AuthenticationRequired => ended.job.has_own_credential(),
                    FailureCode::ProtocolUnsupported => ended.job.url.is_some(),
                    _ => false,
                };
                if its_own { None } else { self.failed(&destination, id, failure).await }
            }
            Err(None) => None,
        };
        let known = self.destinations.iter().find(|known| known.id == destination).map(|known| known.state);
        if let Some((state, problem)) = change.filter(|(state, _)| known != Some(*state)) {
            if let Err(error) = self.core.queue.set_destination_state(&destination, state, problem).await {
                tracing::warn!(%error, "a destination's state could not be written down");
            }
            if !matches!(state, DestinationState::Ready | DestinationState::Unreachable) {
                self.running.stop_at(&destination);
            }
            self.core.tell(Event::DestinationsChanged);
            self.reload().await;
        }
        if ended.unrecorded {
            self.adrift();
        }
        self.lanes_stale |= ended.unrecorded || self.lanes.run_low();
        self.status_changed();
    }

    /// What a failure says of its destination; a server's wish to be left alone is written down.
    async fn failed(&mut self, destination: &DestinationId, job: &JobId, failure: &Failure) -> StateChange {
        let before = self.health.asked_until(destination);
        let change = self.health.failed(destination, job, failure, clock::wall());
        let asked = self.health.asked_until(destination).filter(|asked| Some(*asked) != before);
        if let Some(until) = asked
            && let Err(error) = self.core.queue.set_asked_until(destination, until).await
        {
            tracing::warn!(%error, "a server's wish to be left alone could not be written down");
        }
        change
    }

    /// How many requests go at once follows from how they end.
    fn learn_concurrency(&mut self, ended: &Ended) {
        let ending = match &ended.result {
            Ok(delivered) => Ending::Delivered { bytes: delivered.byte_count },
            Err(Some(failure)) => Ending::Failed(failure.code),
            Err(None) => return,
        };
        let id = &ended.job.destination_id;
        self.concurrency.ended(id, ending, self.running.at(id), clock::now().boot_ms);
        self.turns.at(id, self.concurrency.limit(id));
    }
}
