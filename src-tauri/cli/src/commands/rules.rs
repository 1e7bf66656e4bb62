//! The rules of when uploads go, what they would decide, and what they decided.

use afterglow_client::model::{
    BatteryRule, NetworkAccess, NetworkRule, Rate, Settings, Simulate, Simulation, Status, Timetable, UploadRun,
    UserInitiatedRules, WEEK_MINUTES, bytes, count,
};
use anyhow::{Context, bail};

use super::Call;
use crate::{
    Exit,
    args::{BatteryArg, RulesCommand, SetRules, SimulateArgs},
    output,
};

pub(super) async fn run(call: &Call, command: RulesCommand) -> anyhow::Result<Exit> {
    match command {
        RulesCommand::Show => show(call, &call.owner.get("/v1/settings").await?)?,
        RulesCommand::Set(changes) => {
            let mut settings: Settings = call.owner.get("/v1/settings").await?;
            set(call, &mut settings, *changes).await?;
            show(call, &call.owner.put("/v1/settings", &settings).await?)?;
        }
        RulesCommand::Simulate(args) => simulate(call, *args).await?,
    }
    Ok(Exit::Done)
}

async fn set(call: &Call, settings: &mut Settings, changes: SetRules) -> anyhow::Result<()> {
    fn take<T>(to: &mut T, from: Option<impl Into<T>>) {
        if let Some(value) = from {
            *to = value.into();
        }
    }
    take(&mut settings.allow_metered, changes.metered);
    take(&mut settings.allow_power_saver, changes.power_saver);
    take(&mut settings.allow_vpn, changes.vpn);
    take(&mut settings.only_allowed_networks, changes.only_allowed_networks);
    take(&mut settings.only_when_idle, changes.only_when_idle);
    take(&mut settings.spare_load, changes.spare_load);
    take(&mut settings.stay_awake, changes.stay_awake);
    take(&mut settings.battery_minimum_percent, changes.battery_minimum);
    take(&mut settings.timetable, changes.timetable);
    take(&mut settings.gather_minutes, changes.gather_minutes);
    take(&mut settings.videos.requires_external_power, changes.videos_only_plugged_in);
    take(&mut settings.videos.prevents_expensive_network_access, changes.videos_only_unmetered);
    take(&mut settings.videos.requires_idle, changes.videos_only_when_idle);
    if let Some(rule) = changes.battery {
        settings.battery = match rule {
            BatteryArg::Always => BatteryRule::Always,
            BatteryArg::AboveMinimum => BatteryRule::AboveMinimum,
            BatteryArg::OnlyPluggedIn => BatteryRule::OnlyPluggedIn,
        };
    }
    if let Some(all) = changes.mine_waits_too {
        settings.user_initiated = if all { UserInitiatedRules::All } else { UserInitiatedRules::Network };
    }
    if let Some(rate) = changes.bandwidth {
        settings.bandwidth_bytes_per_s = limit(rate, "pause")?;
    }
    if let Some(rate) = changes.bytes_per_day {
        settings.bytes_per_day_max = limit(rate, "pause")?;
    }
    if let Some(rate) = changes.gather_bytes {
        settings.gather_bytes = limit(rate, "rules set --gather-minutes 0")?.unwrap_or(u64::from(u32::MAX));
    }
    for (named, access) in changes
        .allow_network
        .into_iter()
        .map(|name| (name, Some(NetworkAccess::Allowed)))
        .chain(changes.deny_network.into_iter().map(|name| (name, Some(NetworkAccess::Denied))))
        .chain(changes.forget_network.into_iter().map(|name| (name, None)))
    {
        network(call, settings, &named, access).await?;
    }
    Ok(())
}

/// A limit, or none for `off`.
fn limit(rate: Rate, instead: &str) -> anyhow::Result<Option<u64>> {
    match rate {
        Rate::Unlimited => Ok(None),
        Rate::Limited { bytes_per_s } => Ok(Some(bytes_per_s)),
        Rate::Stopped => bail!("that would never deliver anything. Use \"afterglow {instead}\" instead"),
    }
}

/// Says something of the present network, or of one that something is said of.
async fn network(call: &Call, settings: &mut Settings, named: &str, access: Option<NetworkAccess>) -> anyhow::Result<()> {
    let known = settings.networks.iter().find(|rule| rule.name == named || rule.key == named).cloned();
    let found = match known {
        Some(rule) => rule,
        None => {
            let status: Status = call.owner.get("/v1/status").await?;
            let present = status.conditions.network;
            let name = present.name.clone().unwrap_or_default();
            let key = present.key.filter(|key| named == "this" || named == name || named == key);
            let key = key.with_context(|| format!("{named} is not the present network, and nothing was said of it before"))?;
            NetworkRule { name: if name.is_empty() { key.clone() } else { name }, key, access: NetworkAccess::Allowed }
        }
    };
    settings.networks.retain(|rule| rule.key != found.key);
    settings.networks.extend(access.map(|access| NetworkRule { access, ..found }));
    Ok(())
}

fn show(call: &Call, settings: &Settings) -> anyhow::Result<()> {
    if call.json {
        return output::json(settings);
    }
    let either = |holds: bool, yes: &str, no: &str| if holds { yes.to_owned() } else { no.to_owned() };
    output::line(either(settings.allow_metered, "Uploads go over metered networks too.", "Uploads wait for an unmetered network."));
    output::line(match settings.battery {
        BatteryRule::Always => "On battery they go at any charge.".to_owned(),
        BatteryRule::AboveMinimum => format!("On battery they go above {} %.", settings.battery_minimum_percent),
        BatteryRule::OnlyPluggedIn => "They go only when plugged in.".to_owned(),
    });
    if settings.battery != BatteryRule::OnlyPluggedIn && settings.gather_minutes > 0 {
        output::line(format!(
            "On battery backups are gathered until {} are ready, or for {} at most.",
            bytes(settings.gather_bytes),
            count(settings.gather_minutes.into(), "minute", "minutes")
        ));
    }
    output::line(either(settings.allow_power_saver, "They go in power saver too.", "They wait while power saver is on."));
    output::line(either(settings.allow_vpn, "They go through a VPN too.", "They do not go through a VPN."));
    for rule in &settings.networks {
        output::line(match rule.access {
            NetworkAccess::Allowed => format!("On {} they always go.", rule.name),
            NetworkAccess::Denied => format!("On {} they never go.", rule.name),
        });
    }
    if settings.only_allowed_networks {
        output::line("They go over no other network than those allowed by name.");
    }
    if settings.only_when_idle {
        output::line("They wait until nobody uses the computer.");
    }
    if settings.spare_load {
        output::line("They wait while the computer is busy with other work.");
    }
    output::line(match settings.bandwidth_bytes_per_s {
        Some(limit) => format!("At most {}/s.", bytes(limit)),
        None => "As fast as it goes.".to_owned(),
    });
    if settings.timetable != Timetable::default() {
        output::line(format!("Timetable: {}", settings.timetable));
    }
    if let Some(max) = settings.bytes_per_day_max {
        output::line(format!("At most {} a day.", bytes(max)));
    }
    let videos = [
        (settings.videos.requires_external_power, "when plugged in"),
        (settings.videos.prevents_expensive_network_access, "over an unmetered network"),
        (settings.videos.requires_idle, "when nobody uses the computer"),
    ];
    let videos: Vec<&str> = videos.into_iter().filter(|(holds, _)| *holds).map(|(_, words)| words).collect();
    if !videos.is_empty() {
        output::line(format!("Videos go only {}.", videos.join(" and ")));
    }
    output::line(match settings.user_initiated {
        UserInitiatedRules::Network => "What you ask for yourself waits for a network that is allowed, and for nothing else.",
        UserInitiatedRules::All => "What you ask for yourself is bound by all of this too.",
    });
    if settings.stay_awake {
        output::line("While plugged in and uploading, the computer is kept awake.");
    }
    Ok(())
}

async fn simulate(call: &Call, args: SimulateArgs) -> anyhow::Result<()> {
    let asked = Simulate {
        on_battery: args.plugged_in.then_some(false).or(args.battery.map(|_| true)),
        battery_percent: args.battery,
        power_saver: args.power_saver,
        online: args.offline.then_some(false),
        metered: args.metered,
        network: args.network,
        vpn: args.vpn,
        idle: args.idle,
        load_percent: args.load,
        disk_free_bytes: args.disk_free.map(|rate| limit(rate, "why")).transpose()?.flatten(),
        minute_of_week: args.at.as_deref().map(minute_of_week).transpose()?,
        bytes_today: args.bytes_today.map(|rate| limit(rate, "why")).transpose()?.flatten(),
        priority: args.mine.then_some(afterglow_client::model::Priority::UserInitiated),
        is_video: args.video,
        destination: args.to,
    };
    let told: Simulation = call.owner.post("/v1/simulate", &asked).await?;
    if call.json {
        return output::json(&told);
    }
    output::line(&told.sentence);
    for waiting in told.waiting.iter().skip(1) {
        output::line(format!("  {}", waiting.sentence));
    }
    Ok(())
}

/// `03:00` of today, or `Mon-03:00`.
fn minute_of_week(at: &str) -> anyhow::Result<u16> {
    let table: Timetable =
        format!("{at},stop").parse().map_err(|_| anyhow::anyhow!("{at} is no time. Write 03:00 or Mon-03:00."))?;
    let today = jiff::Zoned::now().weekday().to_monday_zero_offset();
    let day = u16::try_from(today).unwrap_or(0) * (WEEK_MINUTES / 7);
    let of_today = |minute: &u16| (day..day + WEEK_MINUTES / 7).contains(minute);
    let minutes: Vec<u16> = table.0.iter().map(|change| change.minute_of_week).collect();
    minutes.iter().copied().find(of_today).or(minutes.first().copied()).context("no time")
}

pub(super) async fn history(call: &Call, limit: usize) -> anyhow::Result<Exit> {
    let mut runs: Vec<UploadRun> = call.owner.get("/v1/history").await?;
    runs.truncate(limit);
    if call.json {
        output::json(&runs)?;
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        output::line("Nothing was uploaded yet.");
        return Ok(Exit::Done);
    }
    let rows: Vec<_> = runs
        .iter()
        .map(|run| {
            let begin = jiff::Timestamp::from_millisecond(run.started_at.0).map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
            let begin = begin.map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d %H:%M").to_string());
            let end = run.ended_at.map_or_else(|| jiff::Timestamp::now().as_millisecond(), |end| end.0);
            let seconds = u64::try_from((end - run.started_at.0) / 1000).unwrap_or(0);
            let took = format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            [begin, took, run.files.to_string(), bytes(run.bytes), run.sentence.clone()]
        })
        .collect();
    output::table(["BEGAN", "TOOK", "FILES", "BYTES", "THEN"], &rows);
    Ok(Exit::Done)
}
