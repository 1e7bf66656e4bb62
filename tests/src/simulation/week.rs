//! Weeks from a seed: when what happens, drawn before anything is lived.

use afterglow_model::{
    AssetResourceType, BatteryRule, Metered, NetworkAccess, NetworkKind, NetworkRule, Power, PowerSource, Reachability, Settings,
    UploadJobOptions, UserInitiatedRules,
};

use super::{
    APPS, CONNECTORS, DAY, Dice, Options, SERVERS, Scenario,
    engine::SMALL,
    plan::{Answer, Asker, Event, Flap, Happening, NewAsset, NewFile, Plan, Poison, Scope, Step, Until, home, network},
};

/// Longest time between two events of a week.
const EVENT_MINUTES: u64 = 240;
/// Largest file.
const LARGE: u64 = 90_000;
/// Versions that a file has at most; a digit of the number of its jobs.
const VERSIONS: u64 = 10;

/// Draws what happens.
pub(crate) fn draw(seed: u64, options: &Options) -> Plan {
    let mut week = Week { dice: Dice::new(seed, 1), files: Vec::new(), events: Vec::new(), at_ms: 0, next_file: 0 };
    match options.scenario {
        Scenario::Week => week.trouble(options.days),
        Scenario::Flapping => week.flapping(),
        Scenario::Poisoned => week.poisoned(),
    }
    Plan { events: week.events, calm_at_ms: week.at_ms }
}

/// A file that came, as far as later events want to know.
struct Known {
    id: u64,
    version: u64,
    size: u64,
    asker: Asker,
}

struct Week {
    dice: Dice,
    files: Vec<Known>,
    events: Vec<Event>,
    at_ms: u64,
    next_file: u64,
}

impl Week {
    fn trouble(&mut self, days: u32) {
        for _ in 0..6 + self.dice.under(10) {
            let asset = self.an_asset();
            self.now(Happening::Comes(asset));
        }
        let end = u64::try_from(DAY.as_millis()).unwrap_or(0) * u64::from(days);
        while self.at_ms < end {
            // Much of what can go wrong goes wrong while something is under way.
            let soon = self.dice.permille(350);
            let (hours, moment) = ((1 + self.dice.under(EVENT_MINUTES)) * 60_000, self.dice.under(20_000));
            self.at_ms += if soon { moment } else { hours + moment };
            self.something();
        }
    }

    /// Nothing but a network that flaps, and servers without a fault.
    fn flapping(&mut self) {
        let what = self.dice.of(&[Flap::Reach, Flap::Price]);
        let hours = self.dice.of(&[1, 2, 4]);
        for _ in 0..hours * 6 {
            if self.dice.permille(700) {
                let asset = self.a_good_asset();
                self.now(Happening::Comes(asset));
            }
            self.now(Happening::Flaps { minutes: 10, what });
            self.at_ms += 10 * 60_000;
        }
    }

    /// Many files at once, the first of which fails for ever.
    fn poisoned(&mut self) {
        for nth in 0..60 {
            let mut asset = self.a_good_asset();
            if let Some(first) = asset.files.first_mut().filter(|_| nth == 0) {
                first.poison = Poison::Stubborn;
            }
            self.now(Happening::Comes(asset));
        }
        self.at_ms += 3_600_000;
    }

    /// One that nothing stands against.
    fn a_good_asset(&mut self) -> NewAsset {
        let mut asset = self.an_asset();
        (asset.asker, asset.on_stick, asset.options) = (Asker::Rule, false, UploadJobOptions::default());
        asset.files.iter_mut().for_each(|file| file.poison = Poison::Nothing);
        asset
    }

    fn now(&mut self, what: Happening) {
        self.events.push(Event { at_ms: self.at_ms, what });
    }

    fn something(&mut self) {
        match self.dice.under(30) {
            0..=2 => {
                let seen = self.a_network();
                self.now(Happening::Network(seen));
            }
            3..=5 => {
                let power = self.a_power();
                self.now(Happening::Power(power));
            }
            6 | 7 => {
                for _ in 0..1 + self.dice.under(3) {
                    let asset = self.an_asset();
                    self.now(Happening::Comes(asset));
                }
                if self.dice.permille(900) {
                    self.at_ms += self.dice.under(6_000);
                    self.while_it_goes();
                }
            }
            8 => self.an_edit(),
            9 | 10 => self.a_server(),
            11 => self.now(Happening::Dies),
            12 | 13 => self.a_word(),
            14 => {
                let hours = i64::try_from(self.dice.under(13)).unwrap_or(0) - 6;
                self.now(Happening::Clock { hours });
            }
            15 => {
                let minutes = 5 + self.dice.under(16 * 60);
                self.now(Happening::Sleeps { minutes });
                self.at_ms += minutes * 60_000;
            }
            16 | 17 => self.a_rule(),
            18 => self.now(Happening::SignsIn),
            19 | 20 => self.an_answer(),
            21 => {
                let (there, told) = (self.dice.permille(600), self.dice.permille(500));
                self.now(Happening::Stick { there, told });
            }
            22 => {
                let (idle, locked) =
                    self.dice.of(&[(None, None), (Some(true), Some(false)), (Some(false), Some(false)), (Some(false), Some(true))]);
                self.now(Happening::Used { idle, locked });
            }
            23 | 24 => {
                let load_percent = self.dice.of(&[None, Some(20), Some(20), Some(50), Some(90)]);
                let free_mib = self.dice.of(&[None, None, Some(5_000), Some(5_000), Some(5_000), Some(100), Some(20)]);
                self.now(Happening::Spares { load_percent, free_mib });
            }
            26 => {
                let kept = self.dice.permille(500);
                self.now(Happening::CommitFails { kept });
            }
            27 => {
                let minutes = self.dice.of(&[1, 10, 120]);
                self.now(Happening::WritesFail { minutes });
            }
            25 => {
                let (seconds, dies) = (5 + self.dice.under(60), self.dice.permille(600));
                self.now(Happening::SwitchesOff { seconds, dies });
                self.at_ms += seconds * 1000;
            }
            _ => {
                if self.dice.permille(300) {
                    let minutes = self.dice.of(&[1, 3, 10, 60]);
                    let what = self.dice.of(&[Flap::Reach, Flap::Price]);
                    self.now(Happening::Flaps { minutes, what });
                    self.at_ms += minutes * 60_000;
                }
            }
        }
    }

    /// Something befalls what came last, perhaps while it is under way.
    fn while_it_goes(&mut self) {
        let Some(Known { id, asker, .. }) = self.files.last() else { return };
        let (file, asker) = (*id, *asker);
        let server = self.a_server_of(asker);
        let what = match self.dice.under(10) {
            8 | 9 => Happening::CommitFails { kept: self.dice.permille(500) },
            6 | 7 => return self.an_edit_of(self.files.len() - 1, true, true),
            0 | 1 => Happening::Cancels { file, server },
            2 | 3 => Happening::Access { app: server, answer: Answer::Deny, dies_after: None },
            4 => Happening::Stick { there: false, told: self.dice.permille(500) },
            _ => Happening::Dies,
        };
        self.now(what);
    }

    fn a_server_of(&mut self, asker: Asker) -> usize {
        match asker {
            Asker::Rule | Asker::Person => usize::try_from(self.dice.under(CONNECTORS as u64)).unwrap_or(0),
            Asker::App(app) => CONNECTORS + app,
        }
    }

    fn an_asset(&mut self) -> NewAsset {
        let asker = match self.dice.under(20) {
            0..=9 => Asker::Rule,
            10..=13 => Asker::Person,
            14..=17 => Asker::App(0),
            _ => Asker::App(1),
        };
        let kinds: &[AssetResourceType] = match self.dice.under(10) {
            0..=5 => &[AssetResourceType::Photo],
            6 | 7 => &[AssetResourceType::Photo, AssetResourceType::PairedVideo],
            _ => &[AssetResourceType::Video],
        };
        let files = kinds.iter().map(|kind| self.a_file(*kind, asker)).collect();
        let options = if self.dice.permille(100) { self.some_options() } else { UploadJobOptions::default() };
        NewAsset { asker, on_stick: self.dice.permille(250), files, options }
    }

    fn a_file(&mut self, kind: AssetResourceType, asker: Asker) -> NewFile {
        let size = self.a_size();
        let poison = match self.dice.under(100) {
            0..=2 => Poison::Refused,
            3 | 4 => Poison::Stubborn,
            _ => Poison::Nothing,
        };
        let id = self.next_file;
        self.next_file += 1;
        self.files.push(Known { id, version: 0, size, asker });
        NewFile { id, kind, size, poison }
    }

    fn a_size(&mut self) -> u64 {
        if self.dice.permille(600) { 1 + self.dice.under(SMALL) } else { SMALL + 1 + self.dice.under(LARGE) }
    }

    fn a_known(&mut self) -> Option<usize> {
        let count = self.files.len() as u64;
        (count > 0).then(|| usize::try_from(self.dice.under(count)).unwrap_or(0))
    }

    fn an_edit(&mut self) {
        let (keeps_size, in_place) = (self.dice.permille(500), self.dice.permille(400));
        if let Some(at) = self.a_known() {
            self.an_edit_of(at, keeps_size, in_place);
        }
    }

    fn an_edit_of(&mut self, at: usize, keeps_size: bool, in_place: bool) {
        let size = self.a_size();
        let file = &mut self.files[at];
        if file.version + 1 >= VERSIONS {
            return;
        }
        file.version += 1;
        if !keeps_size {
            file.size = size;
        }
        let (file, version, size) = (file.id, file.version, file.size);
        self.now(Happening::Edited { file, version, size, in_place });
    }

    fn a_network(&mut self) -> afterglow_model::Network {
        match self.dice.under(8) {
            0 | 1 => home(),
            2 => network(Reachability::Full, Metered::Yes, NetworkKind::Cellular, Some("phone")),
            3 => network(Reachability::None, Metered::Unknown, NetworkKind::Unknown, None),
            4 => network(Reachability::CaptivePortal, Metered::No, NetworkKind::Wifi, Some("cafe")),
            5 => network(Reachability::Full, Metered::No, NetworkKind::Wifi, Some("cafe")),
            6 => network(Reachability::Full, Metered::No, NetworkKind::Vpn, Some("office")),
            _ => network(Reachability::Unknown, Metered::Unknown, NetworkKind::Unknown, None),
        }
    }

    fn a_power(&mut self) -> Power {
        let power_saver = self.dice.of(&[None, Some(false), Some(false), Some(true)]);
        match self.dice.under(4) {
            0 | 1 => Power { source: PowerSource::Ac, level_percent: Some(90), power_saver },
            2 => Power { source: PowerSource::Unknown, level_percent: None, power_saver },
            _ => {
                let level = u8::try_from(5 + self.dice.under(95)).unwrap_or(50);
                Power { source: PowerSource::Battery, level_percent: Some(level), power_saver }
            }
        }
    }

    fn a_server(&mut self) {
        let server = usize::try_from(self.dice.under(SERVERS as u64)).unwrap_or(0);
        if self.dice.permille(750) {
            let down = self.dice.permille(500);
            self.now(Happening::Server { server, down });
        } else {
            self.now(Happening::LocksOut { server });
        }
    }

    /// A file, and a server that it goes to.
    fn a_way(&mut self) -> Option<(u64, usize)> {
        let at = self.a_known()?;
        let server = self.a_server_of(self.files[at].asker);
        Some((self.files[at].id, server))
    }

    fn a_word(&mut self) {
        let what = match self.dice.under(10) {
            0 => Happening::Pauses(Until::Resumed),
            1 => Happening::Pauses(Until::Minutes(60)),
            2 => Happening::Pauses(self.dice.of(&[Until::PluggedIn, Until::Home])),
            3..=5 => Happening::Resumes,
            6 => Happening::Lifts(self.dice.of(&[Scope::Hour, Scope::Network])),
            7 => match (self.a_way(), self.dice.permille(500)) {
                (Some((file, server)), true) => Happening::Lifts(Scope::Job { file, server }),
                (Some((file, server)), false) => Happening::Lifts(Scope::Batch { file, server }),
                (None, _) => return,
            },
            _ => match self.a_way() {
                Some((file, server)) => Happening::Cancels { file, server },
                None => return,
            },
        };
        self.now(what);
    }

    fn a_rule(&mut self) {
        if self.dice.permille(300) {
            let server = usize::try_from(self.dice.under(SERVERS as u64)).unwrap_or(0);
            let options = if self.dice.permille(400) { UploadJobOptions::default() } else { self.some_options() };
            return self.now(Happening::Options { server, options });
        }
        let networks = [("phone", NetworkAccess::Allowed), ("cafe", NetworkAccess::Denied), ("office", NetworkAccess::Allowed)];
        let networks = networks.into_iter().filter(|_| self.dice.permille(250));
        let networks = networks.map(|(key, access)| NetworkRule { key: key.to_owned(), name: key.to_owned(), access }).collect();
        let mut settings = Settings { networks, ..settings() };
        settings.allow_metered = self.dice.permille(300);
        settings.allow_power_saver = self.dice.permille(300);
        settings.battery =
            self.dice.of(&[BatteryRule::AboveMinimum, BatteryRule::AboveMinimum, BatteryRule::Always, BatteryRule::OnlyPluggedIn]);
        settings.battery_minimum_percent = u8::try_from(self.dice.under(60)).unwrap_or(30);
        settings.allow_vpn = self.dice.permille(600);
        settings.only_allowed_networks = self.dice.permille(80);
        settings.only_when_idle = self.dice.permille(150);
        settings.spare_load = self.dice.permille(400);
        settings.bytes_per_day_max = self.dice.of(&[None, None, None, Some(20_000), Some(150_000)]);
        settings.user_initiated = self.dice.of(&[UserInitiatedRules::Network, UserInitiatedRules::All]);
        if self.dice.permille(200) {
            settings.videos = self.some_options();
        }
        let hours = self.dice.of(&["off", "off", "09:00,stop 17:00,off", "22:00,stop 06:00,off", "Sat-00:00,stop Mon-00:00,off"]);
        settings.timetable = hours.parse().unwrap_or_default();
        self.now(Happening::Rules(Box::new(settings)));
    }

    fn some_options(&mut self) -> UploadJobOptions {
        UploadJobOptions {
            prevents_expensive_network_access: self.dice.permille(300),
            requires_external_power: self.dice.permille(300),
            minimum_battery_percent: self.dice.of(&[None, None, Some(50)]),
            requires_idle: self.dice.permille(200),
            trusted_networks: self.dice.of(&[vec![], vec![], vec!["home".to_owned()], vec!["home".to_owned(), "phone".to_owned()]]),
        }
    }

    fn an_answer(&mut self) {
        let app = usize::try_from(self.dice.under(APPS as u64)).unwrap_or(0);
        let answer = match self.dice.under(5) {
            0 | 1 => Answer::Full,
            2 => {
                let ids: Vec<u64> = self.files.iter().map(|file| file.id).collect();
                Answer::Selected(ids.into_iter().filter(|_| self.dice.permille(500)).collect())
            }
            _ => Answer::Deny,
        };
        let dies_after = self.dice.of(&[None, None, Some(Step::Written), Some(Step::Stopped)]);
        self.now(Happening::Access { app, answer, dies_after });
    }
}

/// The settings that a simulation begins with: batches are small, as its files are.
pub(crate) fn settings() -> Settings {
    Settings { gather_minutes: 10, gather_bytes: 50_000, ..Settings::default() }
}
