//! The batteries, by the `battery` crate, on a thread of their own: firmware may hang, and the crate's handles are bound to a thread.

use std::{io, sync::mpsc, thread};

use afterglow_model::PowerSource;
use battery::{Manager, State, units::ratio::percent};
use tokio::sync::oneshot;

use super::facts::Batteries;

/// The thread. It sleeps until it is asked and ends when this is dropped.
pub(super) struct BatteryThread {
    questions: mpsc::SyncSender<oneshot::Sender<Option<Batteries>>>,
}

impl BatteryThread {
    pub(super) fn start() -> io::Result<Self> {
        let (questions, inbox) = mpsc::sync_channel::<oneshot::Sender<_>>(1);
        thread::Builder::new().name("battery".to_owned()).spawn(move || {
            for question in inbox {
                // Nobody listens any more if it took too long.
                let _ = question.send(read());
            }
        })?;
        Ok(Self { questions })
    }

    /// Asks. The receiver fails at once while earlier questions hang.
    pub(super) fn ask(&self) -> oneshot::Receiver<Option<Batteries>> {
        let (question, answer) = oneshot::channel();
        if self.questions.try_send(question).is_err() {
            tracing::debug!("the batteries still do not answer");
        }
        answer
    }
}

fn read() -> Option<Batteries> {
    let states = match states() {
        Ok(states) => states,
        Err(error) => {
            tracing::debug!(%error, "the batteries could not be read");
            return None;
        }
    };
    Some(summary(&states))
}

fn states() -> Result<Vec<(State, f32)>, battery::Error> {
    // A kernel without any power supply has no such folder: a machine without batteries.
    if cfg!(target_os = "linux") && !std::path::Path::new("/sys/class/power_supply").exists() {
        return Ok(Vec::new());
    }
    let mut states = Vec::new();
    for battery in Manager::new()?.batteries()? {
        let battery = battery?;
        states.push((battery.state(), battery.state_of_charge().get::<percent>()));
    }
    Ok(states)
}

/// One that is emptied means on battery, whatever the others do; the emptiest gives the charge.
fn summary(states: &[(State, f32)]) -> Batteries {
    if states.is_empty() {
        return Batteries::None;
    }
    let any = |wanted: fn(State) -> bool| states.iter().any(|(state, _)| wanted(*state));
    let source = if any(|state| matches!(state, State::Discharging | State::Empty)) {
        PowerSource::Battery
    } else if any(|state| matches!(state, State::Charging | State::Full | State::Paused)) {
        PowerSource::Ac
    } else {
        PowerSource::Unknown
    };
    let lowest = states.iter().map(|(_, charge)| *charge).filter(|charge| charge.is_finite()).min_by(f32::total_cmp);
    Batteries::Some { source, level_percent: lowest.map(|charge| charge.clamp(0.0, 100.0).round() as u8) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emptiest_battery_counts_and_one_that_is_emptied_decides() {
        let cases = [
            (vec![], Batteries::None),
            (vec![(State::Charging, 55.4)], Batteries::Some { source: PowerSource::Ac, level_percent: Some(55) }),
            (
                vec![(State::Paused, 80.0), (State::Discharging, 17.6)],
                Batteries::Some { source: PowerSource::Battery, level_percent: Some(18) },
            ),
            (vec![(State::Unknown, f32::NAN)], Batteries::Some { source: PowerSource::Unknown, level_percent: None }),
        ];
        for (states, expected) in cases {
            assert_eq!(summary(&states), expected, "{states:?}");
        }
    }
}
