//! The model machine: what happens to it in a week, and the calm afterwards in which everything has to arrive.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{
    AssetResourceType, Conditions, Connector, DestinationId, DestinationState, JobId, JobState, Metered, Override, OverrideScope,
    Pause, PauseUntil, PowerSource, Priority, Reachability, Settings, UploadJobOptions,
};
use afterglow_queue::{NewBatch, NewDestination, NewJob, Queue};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::{
    DAY, Dice, Plant, World,
    engine::{Engine, SMALL},
    lock,
    server::{Server, hex},
    steady,
    truth::{File, Job},
};

/// Longest time between two events of a week.
const EVENT_MINUTES: u64 = 240;
/// In the calm everything arrives within this time: the longest backoff is five hours (and what it is spread by).
const CALM: Duration = Duration::from_secs(2 * 24 * 3600);
/// Largest file.
const LARGE: u64 = 90_000;

/// A machine on which nothing stands against uploads.
pub(crate) fn calm() -> Conditions {
    let mut conditions = Conditions::unknown();
    conditions.power.source = PowerSource::Ac;
    conditions.network.reachability = Reachability::Full;
    conditions.network.metered = Metered::No;
    conditions.network.key = Some("home".to_owned());
    conditions
}

/// A machine with its service.
struct Machine {
    world: Arc<World>,
    dice: Dice,
    folder: PathBuf,
    root: PathBuf,
    servers: Vec<(DestinationId, Arc<Mutex<Server>>)>,
    engine: Arc<Engine>,
    running: JoinHandle<()>,
}

/// Lives: trouble for as many days as asked for, then calm.
pub(crate) async fn live(world: Arc<World>, folder: &Path) -> anyhow::Result<()> {
    let mut machine = Machine::new(world.clone(), folder).await?;
    let end = DAY * world.options.days;
    while world.began.elapsed() < end && !lock(&world.truth).is_broken() {
        let minutes = 1 + machine.dice.under(EVENT_MINUTES);
        tokio::time::sleep(Duration::from_millis(minutes * 60_000 + machine.dice.under(60_000))).await;
        machine.something_happens().await?;
    }
    machine.calm_down().await?;
    let calm_since = world.began.elapsed();
    while world.began.elapsed() < calm_since + CALM && !lock(&world.truth).is_broken() {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        let turn = world.turn().await;
        let counts = machine.engine.queue.counts().await?;
        drop(turn);
        if counts.open() == 0 {
            break;
        }
    }
    machine.account().await?;
    machine.running.abort();
    machine.engine.kill();
    Ok(())
}

impl Machine {
    async fn new(world: Arc<World>, folder: &Path) -> anyhow::Result<Self> {
        let dice = Dice::new(world.seed, 1);
        let root = folder.join("photos");
        std::fs::create_dir(&root)?;
        let queue = open(folder).await?;
        let mut servers = Vec::new();
        for number in 0..2 {
            let new = NewDestination {
                name: format!("server {number}"),
                connector: Connector::Resumable,
                url: format!("https://server-{number}.example.com/"),
                capabilities: None,
                app_id: None,
            };
            let (queue, now) = (queue.clone(), world.now().wall);
            let destination = steady(async move { queue.add_destination(new, now).await }).await??;
            servers.push((destination.id, Arc::new(Mutex::new(Server::new(world.seed, number)))));
        }
        let settings = Settings { gather_minutes: 10, gather_bytes: 50_000, ..Settings::default() };
        let engine = Arc::new(Engine::new(world.clone(), queue, servers.clone(), root.clone(), settings));
        let running = tokio::spawn(engine.clone().run());
        let mut machine = Self { world, dice, folder: folder.to_owned(), root, servers, engine, running };
        let files = 6 + machine.dice.under(10);
        let turn = machine.world.turn().await;
        machine.files_come(files).await?;
        drop(turn);
        machine.world.stir.notify_one();
        Ok(machine)
    }

    async fn something_happens(&mut self) -> anyhow::Result<()> {
        let world = self.world.clone();
        let turn = world.turn().await;
        match self.dice.under(15) {
            0..=2 => self.the_network_changes(),
            3..=5 => self.the_power_changes(),
            6 => {
                let files = 1 + self.dice.under(4);
                self.files_come(files).await?;
            }
            7 => self.a_file_is_edited().await?,
            8 => self.a_server_comes_or_goes().await?,
            9 => self.the_service_dies().await?,
            10 => self.the_person_says_something().await?,
            11 => self.the_clock_is_set(),
            12 => {
                drop(turn);
                self.the_machine_sleeps().await;
                world.stir.notify_one();
                return Ok(());
            }
            13 => self.rules_change(),
            _ => self.the_person_signs_in().await?,
        }
        self.note_what_is_forbidden();
        drop(turn);
        world.stir.notify_one();
        Ok(())
    }

    /// Whether anything forbids payload that the person did not ask for, said once more and simpler than the scheduler says it.
    fn note_what_is_forbidden(&self) {
        let conditions = lock(&self.world.conditions).clone();
        let settings = lock(&self.engine.settings).clone();
        let paused = lock(&self.engine.pause).as_ref().is_some_and(|pause| pause.until == PauseUntil::Resumed);
        let low = conditions.power.source == PowerSource::Battery
            && conditions.power.level_percent.is_some_and(|level| level < settings.battery_minimum_percent);
        let metered = conditions.network.metered == Metered::Yes && !settings.allow_metered;
        let saver = conditions.power.power_saver == Some(true) && !settings.allow_power_saver;
        let offline = conditions.network.reachability == Reachability::None;
        let forbidden = conditions.session.suspending || paused || low || metered || saver || offline;
        let now = self.world.now().boot_ms;
        let mut truth = lock(&self.world.truth);
        truth.forbidden_since = if forbidden { truth.forbidden_since.or(Some(now)) } else { None };
    }

    fn the_network_changes(&mut self) {
        let mut conditions = lock(&self.world.conditions);
        let network = &mut conditions.network;
        let (reachability, metered, key) = match self.dice.under(6) {
            0 | 1 => (Reachability::Full, Metered::No, Some("home")),
            2 => (Reachability::Full, Metered::Yes, Some("phone")),
            3 => (Reachability::None, Metered::Unknown, None),
            4 => (Reachability::CaptivePortal, Metered::No, Some("cafe")),
            _ => (Reachability::Unknown, Metered::Unknown, None),
        };
        (network.reachability, network.metered, network.key) = (reachability, metered, key.map(str::to_owned));
        let told = format!("the network: {reachability:?}, {metered:?}");
        drop(conditions);
        self.engine.forgive();
        self.world.trace(told);
    }

    fn the_power_changes(&mut self) {
        let mut conditions = lock(&self.world.conditions);
        let power = &mut conditions.power;
        match self.dice.under(4) {
            0 | 1 => (power.source, power.level_percent, power.power_saver) = (PowerSource::Ac, Some(90), Some(false)),
            2 => {
                let level = u8::try_from(5 + self.dice.under(95)).unwrap_or(50);
                (power.source, power.level_percent) = (PowerSource::Battery, Some(level));
            }
            _ => power.power_saver = Some(power.power_saver != Some(true)),
        }
        let told = format!("the power: {:?} {:?} {:?}", power.source, power.level_percent, power.power_saver);
        drop(conditions);
        self.world.trace(told);
    }

    async fn files_come(&mut self, count: u64) -> anyhow::Result<()> {
        for _ in 0..count {
            let size = if self.dice.permille(600) { 1 + self.dice.under(SMALL) } else { SMALL + 1 + self.dice.under(LARGE) };
            let poison = self.dice.permille(40);
            let number = lock(&self.world.truth).files.len();
            let name = format!("{number}.jpg");
            let sha256 = self.write(&name, size)?;
            self.world.trace(format!("a file comes: {number}, {size} bytes"));
            lock(&self.world.truth).files.push(File { name, size, sha256, poison });
            let priority = if self.dice.permille(250) { Priority::UserInitiated } else { Priority::Backup };
            for server in 0..self.servers.len() {
                self.job(number, server, priority).await?;
            }
        }
        Ok(())
    }

    /// Writes new content under a name.
    fn write(&mut self, name: &str, size: u64) -> anyhow::Result<String> {
        let mut content = Vec::with_capacity(usize::try_from(size)?);
        while (content.len() as u64) < size {
            content.extend_from_slice(&self.dice.next().to_le_bytes());
        }
        content.truncate(usize::try_from(size)?);
        // A new file in the place of the old one, as editors write.
        let partial = self.folder.join("partial");
        std::fs::File::create(&partial)?.write_all(&content)?;
        std::fs::rename(&partial, self.root.join(name))?;
        let sha256 = hex(&Sha256::digest(&content));
        lock(&self.world.truth).versions.insert(sha256.clone());
        Ok(sha256)
    }

    async fn job(&self, file: usize, server: usize, priority: Priority) -> anyhow::Result<()> {
        let known = lock(&self.world.truth).files[file].clone();
        let destination = self.servers[server].0.clone();
        let apps = self.engine.queue.destination(destination.as_str()).await?;
        let app_id = apps.map(|destination| destination.app_id).ok_or_else(|| anyhow::anyhow!("the destination is gone"))?;
        let batch = NewBatch { title: "files".to_owned(), app_id, destination_id: destination, priority, rule_id: None };
        let new = NewJob {
            asset_id: None,
            resource_id: None,
            resource_type: AssetResourceType::Photo,
            filename: known.name.clone(),
            byte_count: known.size,
            sha256: known.sha256.clone(),
            created_ms: None,
            source_id: None,
            path: self.root.join(&known.name),
            client_reference: None,
            options: UploadJobOptions::default(),
            url: None,
            headers_handle: None,
        };
        let (queue, now) = (self.engine.queue.clone(), self.world.now().wall);
        let made = steady(async move { queue.create_jobs(batch, vec![new], now).await }).await??;
        let mut truth = lock(&self.world.truth);
        for id in made.jobs {
            let number = truth.jobs.len();
            truth.jobs.entry(id).or_insert(Job {
                number,
                file,
                server,
                sha256: known.sha256.clone(),
                delivered: false,
                ended: false,
                attempts: Default::default(),
                sent: 0,
                lost_at_most: 0,
                stored_session: None,
            });
        }
        Ok(())
    }

    /// The library sees an edit and makes a job for the new content; the old one finds out by itself.
    async fn a_file_is_edited(&mut self) -> anyhow::Result<()> {
        let files = lock(&self.world.truth).files.len() as u64;
        let file = usize::try_from(self.dice.under(files))?;
        let (name, size) = {
            let truth = lock(&self.world.truth);
            (truth.files[file].name.clone(), truth.files[file].size)
        };
        let size = if self.dice.permille(500) { size } else { 1 + self.dice.under(LARGE) };
        let sha256 = self.write(&name, size)?;
        self.world.trace(format!("a file is edited: {file}, {size} bytes"));
        {
            let mut truth = lock(&self.world.truth);
            truth.files[file].size = size;
            truth.files[file].sha256 = sha256;
            // What had not arrived by now never will, and need not.
            for job in truth.jobs.values_mut().filter(|job| job.file == file && !job.delivered) {
                job.ended = true;
            }
        }
        for server in 0..self.servers.len() {
            self.job(file, server, Priority::Backup).await?;
        }
        Ok(())
    }

    async fn a_server_comes_or_goes(&mut self) -> anyhow::Result<()> {
        let at = usize::try_from(self.dice.under(self.servers.len() as u64))?;
        let told = {
            let mut server = lock(&self.servers[at].1);
            if self.dice.permille(700) {
                server.down = !server.down;
            } else {
                server.locked_out = true;
            }
            format!("server {at}: down {}, locked out {}", server.down, server.locked_out)
        };
        self.world.trace(told);
        Ok(())
    }

    /// Killed at whatever it was doing, and started again.
    async fn the_service_dies(&mut self) -> anyhow::Result<()> {
        self.world.trace("the service dies".to_owned());
        lock(&self.world.truth).crashes += 1;
        self.running.abort();
        self.engine.kill();
        lock(&self.world.truth).under_way.clear();
        let old = self.engine.queue.clone();
        steady(old.close()).await?;
        if self.world.options.plant == Some(Plant::CommitsAreLost) {
            let (file, kept) = (self.folder.join("queue.sqlite"), self.folder.join("kept.sqlite"));
            if kept.exists() {
                std::fs::rename(&kept, &file)?;
            }
            std::fs::copy(&file, &kept)?;
        }
        let queue = open(&self.folder).await?;
        if self.world.options.plant == Some(Plant::NothingIsTakenUpAgain) {
            let forgotten: Vec<JobId> = lock(&self.world.truth).jobs.keys().cloned().collect();
            let (queue, now) = (queue.clone(), self.world.now().wall);
            // A start that nothing follows.
            steady(async move { queue.start(&forgotten, now).await }).await??;
        }
        let (settings, pause) = (lock(&self.engine.settings).clone(), lock(&self.engine.pause).clone());
        let overrides = lock(&self.engine.overrides).clone();
        let engine = Engine::new(self.world.clone(), queue, self.servers.clone(), self.root.clone(), settings);
        *lock(&engine.pause) = pause;
        *lock(&engine.overrides) = overrides;
        self.engine = Arc::new(engine);
        self.running = tokio::spawn(self.engine.clone().run());
        Ok(())
    }

    async fn the_person_says_something(&mut self) -> anyhow::Result<()> {
        let now = self.world.now().wall;
        match self.dice.under(6) {
            0 => {
                *lock(&self.engine.pause) = Some(Pause { since: now, until: PauseUntil::Resumed });
                self.world.trace("the person pauses".to_owned());
            }
            1 => {
                *lock(&self.engine.pause) = Some(Pause { since: now, until: PauseUntil::Time { at: now.plus_ms(3_600_000) } });
                self.world.trace("the person pauses for an hour".to_owned());
            }
            2 | 3 => {
                *lock(&self.engine.pause) = None;
                self.world.trace("the person resumes".to_owned());
            }
            4 => {
                let hour = Override {
                    scope: OverrideScope::Hour,
                    network_key: None,
                    until: Some(now.plus_ms(3_600_000)),
                    created_at: now,
                };
                *lock(&self.engine.overrides) = vec![hour];
                self.engine.forgive();
                self.world.trace("the person uploads anyway".to_owned());
            }
            _ => self.the_person_cancels().await?,
        }
        Ok(())
    }

    async fn the_person_cancels(&mut self) -> anyhow::Result<()> {
        let open: Vec<(usize, JobId)> = {
            let truth = lock(&self.world.truth);
            let open = truth.jobs.iter().filter(|(_, job)| !job.delivered && !job.ended);
            open.map(|(id, job)| (job.number, id.clone())).collect()
        };
        let Some((number, id)) = self.pick(open) else { return Ok(()) };
        self.world.trace(format!("the person cancels job {number}"));
        let (queue, now, ids) = (self.engine.queue.clone(), self.world.now().wall, vec![id.clone()]);
        steady(async move { queue.cancel_jobs(&ids, now).await }).await??;
        self.engine.cancelled(&id);
        if let Some(job) = lock(&self.world.truth).jobs.get_mut(&id) {
            job.ended = true;
        }
        Ok(())
    }

    fn pick<T: Clone + Ord>(&mut self, mut list: Vec<T>) -> Option<T> {
        list.sort();
        (!list.is_empty()).then(|| self.dice.of(&list))
    }

    fn the_clock_is_set(&mut self) {
        let hours = i64::try_from(self.dice.under(13)).unwrap_or(0) - 6;
        self.world.trace(format!("the clock is set by {hours} hours"));
        self.world.set_clock(hours * 3_600_000);
    }

    async fn the_machine_sleeps(&mut self) {
        lock(&self.world.conditions).session.suspending = true;
        self.world.trace("the machine goes to sleep".to_owned());
        self.note_what_is_forbidden();
        self.world.stir.notify_one();
        let minutes = 5 + self.dice.under(16 * 60);
        tokio::time::sleep(Duration::from_secs(minutes * 60)).await;
        let turn = self.world.turn().await;
        lock(&self.world.conditions).session.suspending = false;
        self.world.trace("the machine wakes".to_owned());
        self.note_what_is_forbidden();
        drop(turn);
    }

    fn rules_change(&mut self) {
        let mut settings = lock(&self.engine.settings);
        settings.allow_metered = self.dice.permille(300);
        settings.allow_power_saver = self.dice.permille(300);
        settings.battery_minimum_percent = u8::try_from(self.dice.under(60)).unwrap_or(30);
        let hours = self.dice.of(&["off", "off", "09:00,stop 17:00,off", "22:00,stop 06:00,off"]);
        if let Ok(timetable) = hours.parse() {
            settings.timetable = timetable;
        }
        let told = format!("the rules change: {hours}");
        drop(settings);
        self.world.trace(told);
    }

    async fn the_person_signs_in(&mut self) -> anyhow::Result<()> {
        self.world.trace("the person signs in and retries".to_owned());
        for (id, server) in self.servers.clone() {
            lock(&server).locked_out = false;
            let queue = self.engine.queue.clone();
            steady(async move {
                queue.set_destination_state(&id, DestinationState::Ready, None).await?;
                queue.release_destination(&id).await
            })
            .await??;
        }
        self.engine.forgive();
        Ok(())
    }

    /// From here on nothing goes wrong, and everything is allowed.
    async fn calm_down(&mut self) -> anyhow::Result<()> {
        let world = self.world.clone();
        let turn = world.turn().await;
        world.trace("calm".to_owned());
        *lock(&world.conditions) = calm();
        *lock(&self.engine.settings) = Settings { gather_minutes: 0, ..Settings::default() };
        *lock(&self.engine.pause) = None;
        self.the_person_signs_in().await?;
        self.note_what_is_forbidden();
        for (_, server) in &self.servers {
            let mut server = lock(server);
            server.calm_down();
            // One last trouble that nobody tells the service the end of: it has to look again by itself.
            server.down = true;
        }
        drop(turn);
        world.stir.notify_one();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let turn = world.turn().await;
        self.servers.iter().for_each(|(_, server)| lock(server).down = false);
        drop(turn);
        Ok(())
    }

    /// Progress and NoLoss: in the end every job is delivered, or ended for a reason that is real.
    async fn account(&self) -> anyhow::Result<()> {
        let turn = self.world.turn().await;
        let jobs: Vec<(JobId, Job)> = lock(&self.world.truth).jobs.iter().map(|(id, job)| (id.clone(), job.clone())).collect();
        for (id, job) in jobs {
            let found = self.engine.queue.job(&id).await?;
            let mut truth = lock(&self.world.truth);
            let number = job.number;
            let Some(found) = found else {
                truth.broken(format!("NoLoss: job {number} is gone from the queue"));
                continue;
            };
            let holds = lock(&self.servers[job.server].1).holds(&job.sha256);
            match found.state {
                JobState::Succeeded if !holds && truth_says_sized(&found) => {
                    truth.broken(format!("NoFalseDone: job {number} is delivered, and the server does not hold it"));
                }
                JobState::Succeeded => {}
                _ if job.ended => {}
                state => {
                    let (phase, failure) = (found.phase, found.failure.map(|failure| failure.code));
                    truth.broken(format!("Progress: two calm days later job {number} is {state:?}, {phase:?}, {failure:?}"));
                }
            }
        }
        drop(turn);
        Ok(())
    }
}

/// Whether the receipt claims more than that the server said yes.
fn truth_says_sized(job: &afterglow_model::UploadJob) -> bool {
    job.receipt.as_ref().is_some_and(|receipt| receipt.evidence >= afterglow_model::Evidence::Sized)
}

async fn open(folder: &Path) -> anyhow::Result<Queue> {
    let path = folder.join("queue.sqlite");
    Ok(steady(async move { Queue::open(&path) }).await??)
}
