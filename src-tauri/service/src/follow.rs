//! Following the rules: as the library changes, what a rule names becomes jobs.
//!
//! Each pass asks the queue only for what it does not know; a digest that was delivered, or is on its way, makes no second job.

use std::{collections::HashMap, sync::Arc};

use afterglow_library::LibraryError;
use afterglow_model::{AssetId, ChangeToken, Destination, Priority, Rule, RuleId, Versions};
use afterglow_queue::NewBatch;
use tokio::sync::watch;

use crate::{
    assets, clock,
    core::Core,
    engine::Command,
    error::{Answer, Refusal},
};

/// Assets looked at in one go; bounds memory and the length of a transaction.
const PAGE: u32 = 500;

/// Which pass over the rules is wanted, and which was made.
pub(crate) struct Passes {
    wanted: watch::Sender<u64>,
    made: watch::Sender<u64>,
}

impl Passes {
    /// The first pass is due at the start.
    pub(crate) fn new() -> Self {
        Self { wanted: watch::channel(1).0, made: watch::channel(0).0 }
    }

    /// Makes a pass due: something changed that a rule may name.
    pub(crate) fn follow_now(&self) {
        self.wanted.send_modify(|pass| *pass += 1);
    }

    /// Whether a pass is due or under way, so that jobs may yet come.
    pub(crate) fn are_due(&self) -> bool {
        *self.made.borrow() < *self.wanted.borrow()
    }
}

/// Follows the rules until the service ends.
pub(crate) struct Follower {
    core: Arc<Core>,
    /// Up to where each rule has seen the library, and under what. Lost with the process: the first pass of a rule walks its whole
    /// collection.
    seen: HashMap<RuleId, (ChangeToken, Under)>,
}

/// What decides which files of the library a rule names, beside the library: the version of the grant, and which versions of edited photos
/// the destination wants.
type Under = (u64, Versions);

impl Follower {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core, seen: HashMap::new() }
    }

    /// Runs a pass whenever one is due.
    pub(crate) async fn run(mut self) {
        let mut due = self.core.passes.wanted.subscribe();
        loop {
            // Marked as seen before the pass: what changes during it makes another one due.
            let pass = *due.borrow_and_update();
            if let Err(refusal) = self.pass().await {
                tracing::warn!(error = %refusal.error.message, "the rules could not be followed");
            }
            self.core.passes.made.send_replace(pass);
            self.core.command(Command::Followed).await;
            tokio::select! {
                changed = due.changed() => if changed.is_err() { return },
                () = self.core.quit.cancelled() => return,
            }
        }
    }

    async fn pass(&mut self) -> Answer<()> {
        let rules = self.core.queue.rules().await?;
        self.seen.retain(|id, _| rules.iter().any(|rule| &rule.id == id));
        for rule in rules {
            if self.core.quit.is_cancelled() {
                return Ok(());
            }
            let Some(destination) = self.core.queue.destination(rule.destination_id.as_str()).await? else { continue };
            let under = (self.core.queue.grant_version(&destination.app_id).await?, destination.config.versions);
            match self.seen.get(&rule.id).cloned() {
                Some((token, known)) if known == under => self.follow_changes(&rule, &destination, token, under).await?,
                // Another grant, or another wish, may name what was passed over.
                Some(_) | None => self.follow_all(&rule, &destination, under).await?,
            }
        }
        Ok(())
    }

    async fn follow_all(&mut self, rule: &Rule, destination: &Destination, under: Under) -> Answer<()> {
        let token = self.core.library.change_token().await?;
        let mut after: Option<AssetId> = None;
        loop {
            let page = self.core.library.members(&rule.collection_id, after.take(), PAGE).await?;
            self.make_jobs(rule, destination, &page).await?;
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = Some(last.clone()),
                _ => break,
            }
        }
        self.seen.insert(rule.id.clone(), (token, under));
        Ok(())
    }

    async fn follow_changes(&mut self, rule: &Rule, destination: &Destination, mut token: ChangeToken, under: Under) -> Answer<()> {
        loop {
            let changes = match self.core.library.changes(Some(&token), PAGE).await {
                Ok(changes) => changes,
                Err(LibraryError::TokenExpired) => return self.follow_all(rule, destination, under).await,
                Err(error) => return Err(Refusal::from(error)),
            };
            let touched: Vec<AssetId> = changes.inserted.into_iter().chain(changes.updated).collect();
            let inside = self.core.library.contains(&rule.collection_id, &touched).await?;
            let members: Vec<AssetId> = touched.into_iter().zip(inside).filter_map(|(id, inside)| inside.then_some(id)).collect();
            self.make_jobs(rule, destination, &members).await?;
            token = changes.change_token;
            self.seen.insert(rule.id.clone(), (token.clone(), under));
            if !changes.more {
                return Ok(());
            }
        }
    }

    async fn make_jobs(&self, rule: &Rule, destination: &Destination, assets: &[AssetId]) -> Answer<()> {
        let allowed = self.core.queue.may_see(&destination.app_id, assets).await?;
        let assets: Vec<AssetId> = assets.iter().zip(allowed).filter(|(_, may)| *may).map(|(id, _)| id.clone()).collect();
        let drafts = assets::drafts(&self.core, destination, &assets).await?.drafts;
        if drafts.is_empty() {
            return Ok(());
        }
        let batch = NewBatch {
            title: rule.collection_title.clone(),
            app_id: destination.app_id.clone(),
            destination_id: destination.id.clone(),
            priority: Priority::Backup,
            rule_id: Some(rule.id.clone()),
        };
        let made = self.core.queue.create_jobs(batch, drafts, clock::wall()).await?;
        if !made.jobs.is_empty() {
            self.core.command(Command::Jobs).await;
        }
        Ok(())
    }
}
