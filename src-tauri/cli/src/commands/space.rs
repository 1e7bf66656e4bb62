//! `afterglow free-up-space`: what could go to the trash, and moving it there once somebody said so.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use afterglow_client::model::{
    BeginSpaceCheck, Evidence, MoveToTrash, MovedToTrash, SpaceCheck, SpaceCheckState, Timestamp, bytes, count,
};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::Call;
use crate::{Exit, args::FreeUpSpaceArgs, output};

/// How often a check is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(super) async fn run(call: &Call, args: FreeUpSpaceArgs) -> anyhow::Result<Exit> {
    let request = BeginSpaceCheck {
        destination_id: args.destination.map(Into::into),
        collection_id: args.album.map(Into::into),
        taken_before: args.before.map(start_of).transpose()?,
        added_before: args.added_before.map(start_of).transpose()?,
        limit: args.limit,
        read_back: args.read_back,
    };
    let check = done(call, call.owner.post("/v1/space-checks", &request).await?).await?;
    if !call.json {
        show(&check, args.move_to_trash);
    }
    if !args.move_to_trash {
        return if call.json { output::json(&check).map(|()| Exit::Done) } else { Ok(Exit::Done) };
    }
    let files = check.assets.iter().map(|asset| asset.files.len() as u64).sum();
    if files > 0 && !(args.yes || confirmed(files, check.byte_count)?) {
        anyhow::bail!("nothing was moved");
    }
    let request = MoveToTrash { asset_ids: check.assets.into_iter().map(|asset| asset.asset_id).collect() };
    let moved: MovedToTrash = call.owner.post(&format!("/v1/space-checks/{}/trash", check.id), &request).await?;
    call.owner.delete(&format!("/v1/space-checks/{}", check.id)).await?;
    say_moved(call, &moved)
}

/// Waits for the end of a check.
async fn done(call: &Call, mut check: SpaceCheck) -> anyhow::Result<SpaceCheck> {
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} items looked at")?;
    let bar = if call.json { ProgressBar::hidden() } else { ProgressBar::new(check.total) }.with_style(style);
    while check.state == SpaceCheckState::Running {
        tokio::time::sleep(LOOK_EVERY).await;
        check = call.owner.get(&format!("/v1/space-checks/{}", check.id)).await?;
        bar.set_position(check.looked_at);
    }
    bar.finish_and_clear();
    anyhow::ensure!(check.state == SpaceCheckState::Done, check.problem.unwrap_or_else(|| "the check did not end well".to_owned()));
    Ok(check)
}

/// What a check found; that it moved nothing is news only where nothing else follows.
fn show(check: &SpaceCheck, moves: bool) {
    let rows: Vec<_> = check
        .assets
        .iter()
        .flat_map(|asset| &asset.files)
        .map(|file| [file.path.clone(), bytes(file.byte_count), file.destination_name.clone(), proof(file.evidence).to_owned()])
        .collect();
    if rows.is_empty() {
        output::line("Nothing can go to the trash now.");
    } else {
        output::table(["FILE", "SIZE", "HELD BY", "PROOF, ASKED JUST NOW"], &rows);
        let files = count(rows.len() as u64, "file", "files");
        let end = if moves { "" } else { " Nothing was moved." };
        output::line(format!("{files} ({}) can go to the trash.{end}", bytes(check.byte_count)));
    }
    for kept in &check.kept {
        output::line(format!("Stays: {}, {}", count(kept.assets, "item", "items"), kept.sentence));
    }
    if check.more {
        output::line("There may be more: repeat this afterwards, or say --limit.");
    }
}

fn proof(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Accepted => "none",
        Evidence::Sized => "its size",
        Evidence::Hashed => "its digest",
        Evidence::ReadBack => "its bytes",
    }
}

/// The person's word, which nothing stands for but `--yes`.
fn confirmed(files: u64, size: u64) -> anyhow::Result<bool> {
    anyhow::ensure!(
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        "nobody can be asked here; say --yes to move what the check offers"
    );
    let mut terminal = std::io::stderr();
    write!(terminal, "Move {} ({}) to the trash? [y/N] ", count(files, "file", "files"), bytes(size))?;
    terminal.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

fn say_moved(call: &Call, moved: &MovedToTrash) -> anyhow::Result<Exit> {
    let stayed = moved.files.iter().filter(|file| file.problem.is_some());
    if call.json {
        output::json(moved)?;
    } else {
        for file in stayed.clone() {
            let name = file.path.as_deref().unwrap_or(file.asset_id.as_str());
            output::line(format!("Stays: {name}: {}", file.problem.as_deref().unwrap_or_default()));
        }
        if moved.moved > 0 {
            let files = count(moved.moved, "file is", "files are");
            output::line(format!("{files} in the trash ({}). Restore from the trash what you miss.", bytes(moved.byte_count)));
        }
    }
    Ok(if stayed.count() == 0 { Exit::Done } else { Exit::Error })
}

/// The first moment of a day, by the local clock.
fn start_of(date: jiff::civil::Date) -> anyhow::Result<Timestamp> {
    let start = date.to_zoned(jiff::tz::TimeZone::system()).with_context(|| format!("{date} is no day here"))?;
    Ok(Timestamp(start.timestamp().as_millisecond()))
}
