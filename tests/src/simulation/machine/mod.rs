//! The model machine: what happens to it as planned, and the calm afterwards in which everything has to arrive.

mod calm;
mod files;
mod person;
mod trouble;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use afterglow_model::{AppId, AppKind, AuthorizationStatus, Conditions, Connector, DestinationId, Metered, PowerSource, Resources};
use afterglow_queue::{CommitFault, NewApp, NewDestination, Queue};
use tokio::task::JoinHandle;

use super::{
    APPS, CONNECTORS, SERVERS, Scenario, World,
    engine::{Engine, Premises, Source},
    lock,
    plan::{Event, Happening, Plan, home},
    server::Server,
    steady,
    truth::Grant,
    week,
};

/// A machine on which nothing stands against uploads.
pub(crate) fn calm() -> Conditions {
    let mut conditions = Conditions::unknown();
    (conditions.power.source, conditions.power.level_percent) = (PowerSource::Ac, Some(90));
    conditions.network = home();
    conditions
}

/// A machine with its service.
struct Machine {
    world: Arc<World>,
    folder: PathBuf,
    premises: Premises,
    engine: Arc<Engine>,
    running: JoinHandle<()>,
}

/// Lives what is planned, then calm.
pub(crate) async fn live(world: Arc<World>, folder: &Path, plan: &Plan) -> anyhow::Result<()> {
    let mut machine = Machine::new(world.clone(), folder).await?;
    for event in &plan.events {
        machine.at(event.at_ms).await;
        if world.is_broken() {
            break;
        }
        machine.happen(event).await?;
    }
    machine.at(plan.calm_at_ms).await;
    if !world.is_broken() {
        machine.calm_down(world.options.scenario != Scenario::Week).await?;
    }
    machine.running.abort();
    machine.engine.kill();
    Ok(())
}

impl Machine {
    async fn new(world: Arc<World>, folder: &Path) -> anyhow::Result<Self> {
        let _turn = world.turn().await;
        let queue = Queue::open(&folder.join("queue.sqlite"))?;
        let now = world.now().wall;
        steady(queue.set_settings(week::settings()))?;
        let sources: Vec<Source> =
            ["photos", "stick"].into_iter().map(|name| Source { id: name.into(), root: folder.join(name) }).collect();
        for source in &sources {
            std::fs::create_dir(&source.root)?;
        }
        let (mut servers, mut apps) = (Vec::new(), Vec::new());
        for number in 0..SERVERS {
            let program = if number < CONNECTORS { None } else { Some(steady(queue.add_app(program(number), now))?.id) };
            let new = NewDestination {
                name: format!("server {number}"),
                connector: Connector::Resumable,
                url: format!("https://server-{number}.example.com/"),
                config: Default::default(),
                capabilities: None,
                has_credential: false,
                app_id: program,
            };
            let destination = steady(queue.add_destination(new, now))?;
            servers.push((destination.id, Arc::new(Mutex::new(Server::new(world.seed, number, world.options.scenario)))));
            apps.push(destination.app_id);
        }
        lock(&world.truth).grants = vec![Grant::Full; APPS];
        let premises = Premises { world: world.clone(), servers, apps, sources };
        let engine = Arc::new(Engine::new(premises.clone(), queue)?);
        let running = tokio::spawn(engine.clone().run());
        Ok(Self { world: world.clone(), folder: folder.to_owned(), premises, engine, running })
    }

    /// Waits for a moment, if it is not past.
    async fn at(&self, at_ms: u64) {
        tokio::time::sleep_until(self.world.began + Duration::from_millis(at_ms)).await;
    }

    async fn happen(&mut self, event: &Event) -> anyhow::Result<()> {
        let world = self.world.clone();
        let turn = world.turn().await;
        world.trace(&event.what.to_string());
        match &event.what {
            Happening::Sleeps { minutes } => {
                drop(turn);
                self.sleep(*minutes).await;
                return Ok(());
            }
            Happening::SwitchesOff { seconds, dies } => {
                drop(turn);
                return self.switch_off(*seconds, *dies).await;
            }
            Happening::Flaps { minutes, what } => {
                drop(turn);
                self.flap(*minutes, *what).await;
                return Ok(());
            }
            Happening::Comes(asset) => self.comes(asset)?,
            Happening::Edited { file, version, size, in_place } => self.edited(*file, *version, *size, *in_place)?,
            Happening::Network(seen) => self.conditions(|conditions| conditions.network = seen.clone()),
            Happening::Power(power) => self.conditions(|conditions| conditions.power = power.clone()),
            Happening::Used { idle, locked } => {
                self.conditions(|conditions| (conditions.session.idle, conditions.session.locked) = (*idle, *locked));
            }
            Happening::CommitFails { kept } => {
                lock(&world.disk).next = Some(if *kept { CommitFault::Kept } else { CommitFault::Lost });
            }
            Happening::WritesFail { minutes } => lock(&world.disk).fails_until_ms = world.boot_ms() + minutes * 60_000,
            Happening::Spares { load_percent, free_mib } => {
                let state_free_bytes = free_mib.map(|mib| mib << 20);
                self.conditions(|conditions| conditions.resources = Resources { load_percent: *load_percent, state_free_bytes });
            }
            Happening::Clock { hours } => {
                *lock(&world.clock_set_ms) += hours * 3_600_000;
                world.note();
                // Waits are kept by the wall clock, so that they survive restarts: one that is set ahead ends them early.
                self.nobody_waits();
            }
            Happening::Dies => self.die()?,
            Happening::Server { server, down } => lock(&self.premises.servers[*server].1).goes(*down),
            Happening::LocksOut { server } => lock(&self.premises.servers[*server].1).locked_out = true,
            Happening::SignsIn => self.sign_in()?,
            Happening::Pauses(until) => self.pause(Some(*until))?,
            Happening::Resumes => self.pause(None)?,
            Happening::Lifts(scope) => self.lift(*scope)?,
            Happening::Cancels { file, server } => self.cancel(*file, *server)?,
            Happening::Rules(settings) => self.rules((**settings).clone())?,
            Happening::Options { server, options } => self.options(*server, options.clone())?,
            Happening::Access { app, answer, dies_after } => self.access(*app, answer, *dies_after)?,
            Happening::Stick { there, told } => self.stick(*there, *told)?,
        }
        self.engine.audit(event.what.touches_jobs())?;
        drop(turn);
        world.stir.notify_one();
        Ok(())
    }

    /// The machine says something else of itself.
    fn conditions(&self, change: impl FnOnce(&mut Conditions)) {
        change(&mut lock(&self.world.conditions));
        self.world.note();
    }

    /// No server is waited for any more.
    fn nobody_waits(&self) {
        self.premises.servers.iter().for_each(|(_, server)| lock(server).quiet_ms = (0, 0));
    }

    fn app(&self, app: usize) -> &AppId {
        &self.premises.apps[app]
    }

    fn destination(&self, server: usize) -> &DestinationId {
        &self.premises.servers[server].0
    }
}

/// A program that was paired and allowed everything.
fn program(number: usize) -> NewApp {
    NewApp {
        name: format!("program {number}"),
        kind: AppKind::External,
        executable: None,
        url_bases: vec![format!("https://server-{number}.example.com/")],
        destination_id: None,
        status: AuthorizationStatus::Authorized,
        key_hash: Some([u8::try_from(number).unwrap_or(0); 32]),
        id_key: [0; 16],
    }
}

/// The network as it is when what flaps is bad.
fn worse(what: super::plan::Flap) -> afterglow_model::Network {
    use super::plan::{Flap, network};
    use afterglow_model::{NetworkKind, Reachability};
    match what {
        Flap::Reach => network(Reachability::None, Metered::Unknown, NetworkKind::Unknown, None),
        Flap::Price => network(Reachability::Full, Metered::Yes, NetworkKind::Wifi, Some("home")),
    }
}
