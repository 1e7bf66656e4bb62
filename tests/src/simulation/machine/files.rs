//! Files come and are edited, and become jobs as the library and the rules make them.

use std::{
    io::Write as _,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use afterglow_model::{AssetId, AssetResourceType, Priority, UploadJobOptions};
use afterglow_queue::{NewBatch, NewJob};
use sha2::{Digest, Sha256};

use super::{Machine, lock, steady};
use crate::simulation::{
    CONNECTORS, Dice, MONDAY_MS,
    plan::{Asker, NewAsset},
    server::hex,
    truth::{File, Job},
};

impl Machine {
    pub(super) fn comes(&mut self, asset: &NewAsset) -> anyhow::Result<()> {
        if asset.on_stick && !lock(&self.world.truth).stick_there {
            return Ok(());
        }
        let id: AssetId = format!("asset-{}", asset.files.first().map_or(0, |file| file.id)).as_str().into();
        for new in &asset.files {
            let name = format!("{}.jpg", new.id);
            let sha256 = self.write(&name, asset.on_stick, new.id, 0, new.size, false)?;
            let file = File {
                name,
                on_stick: asset.on_stick,
                size: new.size,
                sha256,
                version: 0,
                asset: id.clone(),
                new: new.clone(),
                asker: asset.asker,
            };
            lock(&self.world.truth).files.insert(new.id, file);
        }
        let priority = match asset.asker {
            Asker::Rule => Priority::Backup,
            Asker::Person => Priority::UserInitiated,
            Asker::App(_) => Priority::App,
        };
        let ids: Vec<u64> = asset.files.iter().map(|file| file.id).collect();
        for server in servers_of(asset.asker) {
            self.jobs(&ids, server, priority, &asset.options)?;
        }
        Ok(())
    }

    /// The library sees an edit and makes a job for the new content; the old one finds out by itself.
    pub(super) fn edited(&mut self, id: u64, version: u64, size: u64, in_place: bool) -> anyhow::Result<()> {
        let (file, away) = {
            let truth = lock(&self.world.truth);
            let Some(file) = truth.files.get(&id).cloned() else { return Ok(()) };
            let away = file.on_stick && !truth.stick_there;
            (file, away)
        };
        if away {
            return Ok(());
        }
        let sha256 = self.write(&file.name, file.on_stick, id, version, size, in_place)?;
        {
            let mut truth = lock(&self.world.truth);
            if let Some(file) = truth.files.get_mut(&id) {
                (file.size, file.sha256, file.version) = (size, sha256, version);
                file.asset = format!("asset-{id}-{version}").as_str().into();
            }
            // What had not arrived by now never will, and need not.
            for job in truth.jobs.values_mut().filter(|job| job.file == id && !job.delivered) {
                job.ended = true;
            }
        }
        match file.asker {
            Asker::Rule | Asker::Person => self.follow(id, Priority::Backup),
            Asker::App(_) => Ok(()),
        }
    }

    /// Makes the jobs of a file at the connectors, as a pass over the rules does.
    fn follow(&self, id: u64, priority: Priority) -> anyhow::Result<()> {
        (0..CONNECTORS).try_for_each(|server| self.jobs(&[id], server, priority, &UploadJobOptions::default()))
    }

    /// A pass over the rules: what an app could not see before is made now.
    pub(super) fn follow_all(&self) -> anyhow::Result<()> {
        let ids: Vec<u64> = {
            let truth = lock(&self.world.truth);
            let by_rule =
                truth.files.iter().filter(|(_, file)| file.asker == Asker::Rule || file.version > 0 && file.asker == Asker::Person);
            by_rule.map(|(id, _)| *id).collect()
        };
        ids.into_iter().try_for_each(|id| self.follow(id, Priority::Backup))
    }

    /// Writes content under a name: into the file, or a new file in its place as editors write. Its time follows from the simulation's, so
    /// that a file system's clock decides nothing.
    fn write(&self, name: &str, on_stick: bool, id: u64, version: u64, size: u64, in_place: bool) -> anyhow::Result<String> {
        let mut dice = Dice::named(self.world.seed, &[300, id, version]);
        let mut content = Vec::with_capacity(usize::try_from(size)?);
        while (content.len() as u64) < size {
            content.extend_from_slice(&dice.next().to_le_bytes());
        }
        content.truncate(usize::try_from(size)?);
        let path = self.root(on_stick).join(name);
        let at_ms = u64::try_from(MONDAY_MS)? + self.world.boot_ms();
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(at_ms) + Duration::from_nanos(version);
        if in_place {
            let mut file = std::fs::File::options().write(true).truncate(true).open(&path)?;
            file.write_all(&content)?;
            file.set_modified(time)?;
        } else {
            if let Ok(old) = std::fs::File::options().write(true).open(&path) {
                old.set_modified(time)?;
            }
            let partial = self.folder.join("partial");
            let mut file = std::fs::File::create(&partial)?;
            file.write_all(&content)?;
            file.set_modified(time)?;
            std::fs::rename(&partial, path)?;
        }
        let sha256 = hex(&Sha256::digest(&content));
        lock(&self.world.truth).versions.insert(sha256.clone());
        Ok(sha256)
    }

    pub(super) fn root(&self, on_stick: bool) -> PathBuf {
        self.premises.sources[usize::from(on_stick)].root.clone()
    }

    /// Makes the jobs of an asset's files to one server, in one batch; not those that the app may not see, and not twice.
    fn jobs(&self, ids: &[u64], server: usize, priority: Priority, options: &UploadJobOptions) -> anyhow::Result<()> {
        let files: Vec<File> = {
            let truth = lock(&self.world.truth);
            let is_made = |id: &u64, file: &File| truth.jobs.values().any(|job| job.number == number(*id, file.version, server));
            let files = ids.iter().filter_map(|id| truth.files.get(id).filter(|file| !is_made(id, file)));
            files.filter(|file| priority == Priority::UserInitiated || truth.may_send(server, &file.asset)).cloned().collect()
        };
        if files.is_empty() {
            return Ok(());
        }
        let batch = NewBatch {
            title: "files".to_owned(),
            app_id: self.app(server).clone(),
            destination_id: self.destination(server).clone(),
            priority,
            rule_id: None,
        };
        let drafts: Vec<NewJob> = files.iter().map(|file| self.draft(file, options)).collect();
        let made = steady(self.engine.queue.create_jobs(batch, drafts, self.world.now().wall))?;
        anyhow::ensure!(made.jobs.len() == files.len(), "{} jobs were made for {} files", made.jobs.len(), files.len());
        let at_ms = self.world.boot_ms();
        let mut truth = lock(&self.world.truth);
        for (job, file) in made.jobs.into_iter().zip(files) {
            let refused_since = (!truth.may_send(server, &file.asset)).then_some(at_ms);
            let new = Job {
                id: job.clone(),
                batch_id: made.batch_id.clone(),
                number: number(file.new.id, file.version, server),
                file: file.new.id,
                server,
                app: server,
                asset: file.asset,
                sha256: file.sha256,
                size: file.size,
                is_video: file.new.kind == AssetResourceType::Video,
                priority,
                options: options.clone(),
                poison: file.new.poison,
                delivered: false,
                ended: false,
                cancelled_at: None,
                refused_since,
                attempts: Default::default(),
                failures: Default::default(),
                tried_at: None,
                stops: 0,
                sent: 0,
                lost_at_most: 0,
                in_one: 0,
                held_at_most: 0,
                stored_session: None,
                shown: None,
            };
            truth.jobs.insert(job, new);
        }
        self.engine.jobs_changed();
        Ok(())
    }

    fn draft(&self, file: &File, options: &UploadJobOptions) -> NewJob {
        let path = self.root(file.on_stick).join(&file.name);
        NewJob {
            asset_id: Some(file.asset.clone()),
            source_id: Some(self.premises.sources[usize::from(file.on_stick)].id.clone()),
            options: options.clone(),
            ..NewJob::of(path, file.name.clone(), file.new.kind, file.size, file.sha256.clone())
        }
    }
}

/// The number of a job; see [`Job`].
pub(super) fn number(file: u64, version: u64, server: usize) -> u64 {
    file * 100 + version * 10 + server as u64
}

fn servers_of(asker: Asker) -> std::ops::Range<usize> {
    match asker {
        Asker::Rule | Asker::Person => 0..CONNECTORS,
        Asker::App(app) => CONNECTORS + app..CONNECTORS + app + 1,
    }
}
