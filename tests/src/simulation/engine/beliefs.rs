//! What the loop believes: the person's rules, grants and folders as they are written down, and the bytes of the day.

use afterglow_model::{AppId, AuthorizationStatus, Conditions, DestinationId, Failure, FailureClass, FailureCode, SourceId};
use afterglow_queue::QueuedJob;
use afterglow_scheduler::{Now, end_of_pause, expired};

use super::Engine;
use crate::simulation::{MONDAY_MS, Plant, Rules, lock, steady};

impl Engine {
    /// Reads settings, pause, overrides, destinations and grants again, and stops what may not go on.
    pub(crate) fn reload(&self) -> anyhow::Result<()> {
        let queue = &self.queue;
        let destinations = steady(queue.destinations())?;
        let of = |id: &DestinationId| destinations.iter().find(|known| known.id == *id).map(|known| known.options.clone());
        *lock(&self.world.rules) = Rules {
            settings: steady(queue.settings())?,
            pause: steady(queue.pause())?,
            overrides: steady(queue.overrides())?,
            options: self.premises.servers.iter().map(|(id, _)| of(id).unwrap_or_default()).collect(),
        };
        self.world.note();
        let apps = steady(queue.apps())?.into_iter().map(|app| (app.id.clone(), app)).collect();
        {
            let mut mind = lock(&self.mind);
            (mind.destinations, mind.apps, mind.lanes_stale) = (destinations, apps, true);
            mind.lanes.forget();
        }
        if !self.world.has_planted(Plant::WithdrawalStopsNothing) {
            let running: Vec<QueuedJob> = lock(&self.mind).running.values().map(|running| running.job.clone()).collect();
            for job in running {
                if !self.may_send(&job)? {
                    self.stop(|running| running.job.id == job.id);
                }
            }
        }
        Ok(())
    }

    /// Whether the app of a job may send it.
    pub(super) fn may_send(&self, job: &QueuedJob) -> anyhow::Result<bool> {
        let status = lock(&self.mind).apps.get(&job.app_id).map(|app| app.status);
        Ok(match (status, &job.asset_id) {
            (Some(AuthorizationStatus::Authorized), _) => true,
            (Some(AuthorizationStatus::Limited), Some(asset)) => {
                steady(self.queue.may_see(&job.app_id, std::slice::from_ref(asset)))? == [true]
            }
            (Some(AuthorizationStatus::Limited), None) => true,
            (Some(AuthorizationStatus::Denied | AuthorizationStatus::NotDetermined) | None, _) => false,
        })
    }

    /// Holds what apps may not send, and lets go of the rest: a service that died may have left either half done.
    pub(super) fn follow_grants(&self) -> anyhow::Result<()> {
        let apps: Vec<(AppId, AuthorizationStatus)> =
            lock(&self.mind).apps.values().map(|app| (app.id.clone(), app.status)).collect();
        for (id, status) in apps {
            self.follow_grant(&id, status)?;
        }
        Ok(())
    }

    pub(crate) fn follow_grant(&self, app: &AppId, status: AuthorizationStatus) -> anyhow::Result<()> {
        match status {
            AuthorizationStatus::Denied | AuthorizationStatus::NotDetermined => {
                steady(self.queue.hold_app(app, withdrawn()))?;
            }
            AuthorizationStatus::Limited | AuthorizationStatus::Authorized => {
                if !self.world.has_planted(Plant::ReleaseIsForgotten) {
                    steady(self.queue.release_app(app))?;
                }
            }
        }
        self.jobs_changed();
        Ok(())
    }

    /// Which folders are there, as the library sees it.
    pub(crate) fn look_at_sources(&self) -> anyhow::Result<()> {
        for (at, source) in self.premises.sources.iter().enumerate() {
            self.note_source(at, source.root.is_dir())?;
        }
        Ok(())
    }

    fn note_source(&self, at: usize, there: bool) -> anyhow::Result<()> {
        steady(self.queue.set_source_offline(&self.premises.sources[at].id, !there))?;
        let mut mind = lock(&self.mind);
        mind.lanes_stale = true;
        mind.lanes.forget();
        if there {
            mind.away.remove(&at)
        } else {
            mind.away.insert(at)
        };
        Ok(())
    }

    /// A transfer found a folder gone before the library did.
    pub(super) fn source_away(&self, source: Option<&SourceId>) -> anyhow::Result<()> {
        match self.premises.sources.iter().position(|known| Some(&known.id) == source) {
            Some(at) => self.note_source(at, false),
            None => Ok(()),
        }
    }

    pub(super) async fn something_came_back(&self) -> bool {
        let _turn = self.world.turn().await;
        let away = lock(&self.mind).away.clone();
        let back: Vec<usize> = away.into_iter().filter(|at| self.premises.sources[*at].root.is_dir()).collect();
        back.iter().any(|at| self.note_source(*at, true).is_ok())
    }

    /// Forgets a pause and *Upload anyway*s that are over.
    pub(super) fn expire(&self, conditions: &Conditions, now: Now) -> anyhow::Result<()> {
        let rules = lock(&self.world.rules).clone();
        let mut changed = false;
        if rules.pause.is_some_and(|pause| end_of_pause(&pause, conditions, now)) {
            steady(self.queue.set_pause(None))?;
            lock(&self.world.rules).pause = None;
            changed = true;
        }
        if rules.overrides.iter().any(|given| expired(given, conditions, now)) {
            steady(self.queue.remove_expired_overrides(now.wall, conditions.network.key.as_deref()))?;
            lock(&self.world.rules).overrides.retain(|given| !expired(given, conditions, now));
            changed = true;
        }
        if changed {
            self.world.note();
        }
        Ok(())
    }

    /// Begins a new day if there is one.
    pub(super) fn note_day(&self, now: Now) -> anyhow::Result<()> {
        let today = (now.wall.0 - MONDAY_MS).div_euclid(86_400_000);
        if lock(&self.mind).day.0 == today {
            return Ok(());
        }
        self.count_bytes()?;
        let days = steady(self.queue.bytes_by_day(31))?;
        let bytes = days.into_iter().find(|known| known.day == day_name(today)).map_or(0, |known| known.bytes);
        lock(&self.mind).day = (today, bytes);
        lock(&self.world.truth).counted(today, bytes, now.boot_ms);
        Ok(())
    }

    /// Writes down what was sent since the last time.
    pub(super) fn count_bytes(&self) -> anyhow::Result<()> {
        let (day, bytes) = {
            let mind = lock(&self.mind);
            (mind.day.0, *lock(&self.world.sent) - mind.counted)
        };
        if bytes > 0 && day != i64::MIN {
            steady(self.queue.add_bytes(&day_name(day), bytes))?;
            let mut mind = lock(&self.mind);
            (mind.day.1, mind.counted) = (mind.day.1 + bytes, mind.counted + bytes);
        }
        Ok(())
    }
}

/// What a job is that its app may no longer send.
pub(super) fn withdrawn() -> Failure {
    Failure {
        class: FailureClass::NeedsUser,
        code: FailureCode::AccessDenied,
        message: "withdrawn".to_owned(),
        retry_after_ms: None,
        certificate: None,
    }
}

/// A day as the queue names it: names are in the order of the days.
fn day_name(day: i64) -> String {
    format!("{:06}", day + 1000)
}
