//! How many payload bytes went out, lately and per day.

use std::collections::VecDeque;

/// Seconds of one step of the throughput line.
pub(crate) const STEP_S: u64 = 10;
/// Steps kept: ten minutes.
const STEPS: usize = 60;
/// Seconds over which the present speed is taken.
const SPEED_S: f64 = 3.0;

/// The throughput of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Throughput {
    /// Bytes per second of each past step, oldest first, and the step's number since the machine started.
    steps: VecDeque<(u64, u64)>,
    samples: VecDeque<(u64, u64)>,
}

impl Throughput {
    /// Notes that `total` payload bytes have gone out since the service started, at `boot_ms`.
    pub(crate) fn sample(&mut self, total: u64, boot_ms: u64) {
        let previous = self.samples.back().map_or(total, |(_, total)| *total);
        let step = boot_ms / (STEP_S * 1000);
        let delta = total.saturating_sub(previous);
        match self.steps.back_mut() {
            Some((at, bytes)) if *at == step => *bytes += delta,
            _ => self.steps.push_back((step, delta)),
        }
        while self.steps.len() > STEPS {
            self.steps.pop_front();
        }
        self.samples.push_back((boot_ms, total));
        while self.samples.len() > 2 && self.samples[0].0 + (SPEED_S * 1000.0) as u64 <= boot_ms {
            self.samples.pop_front();
        }
    }

    /// Bytes per second just now.
    pub(crate) fn bytes_per_s(&self, boot_ms: u64) -> u64 {
        match (self.samples.front(), self.samples.back()) {
            (Some((from, first)), Some((_, last))) if boot_ms > *from => {
                let seconds = ((boot_ms - from) as f64 / 1000.0).max(0.25);
                ((last - first) as f64 / seconds) as u64
            }
            _ => 0,
        }
    }

    /// Nothing moves any more: the speed is zero from now on.
    pub(crate) fn rest(&mut self) {
        self.samples.clear();
    }

    /// One figure for each of the last 60 steps, oldest first.
    pub(crate) fn line(&self, boot_ms: u64) -> Vec<u64> {
        let now = boot_ms / (STEP_S * 1000);
        let mut line = vec![0; STEPS];
        for (step, bytes) in &self.steps {
            let age = now.saturating_sub(*step) as usize;
            if age < STEPS {
                line[STEPS - 1 - age] = bytes / STEP_S;
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_a_figure_for_every_step_and_the_speed_is_recent() {
        let mut throughput = Throughput::default();
        throughput.sample(0, 1_000_000);
        throughput.sample(5_000, 1_001_000);
        throughput.sample(10_000, 1_002_000);
        assert_eq!(throughput.bytes_per_s(1_002_000), 5_000);
        let line = throughput.line(1_015_000);
        assert_eq!((line.len(), line[58]), (60, 1_000));
        throughput.rest();
        assert_eq!(throughput.bytes_per_s(1_003_000), 0);
    }
}
