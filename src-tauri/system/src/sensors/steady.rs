//! A network that does not flap. Pure: time is passed in.

use std::time::Duration;

use afterglow_model::{Network, Reachability};
use tokio::time::Instant;

/// How long a network must have been better before that is told.
const CLEARING_TIME: Duration = Duration::from_secs(2);

/// Holds back good news until it has held for [`CLEARING_TIME`]; bad news and a change between equals pass at once.
#[derive(Debug, Default)]
pub(super) struct SteadyNetwork {
    told: Option<Network>,
    better: Option<(Network, Instant)>,
}

impl SteadyNetwork {
    /// Takes what is seen at `now` and gives what is to be told.
    pub(super) fn see(&mut self, seen: Network, now: Instant) -> Network {
        let Some(told) = self.told.clone() else { return self.tell(seen) };
        if told == seen || !is_only_better(&told, &seen) {
            return self.tell(seen);
        }
        match &self.better {
            Some((better, due)) if *better == seen => {
                if *due <= now {
                    return self.tell(seen);
                }
            }
            Some(_) | None => self.better = Some((seen, now + CLEARING_TIME)),
        }
        told
    }

    /// When to look again, if something is held back.
    pub(super) fn due(&self) -> Option<Instant> {
        self.better.as_ref().map(|(_, due)| *due)
    }

    fn tell(&mut self, network: Network) -> Network {
        self.better = None;
        self.told = Some(network.clone());
        network
    }
}

/// Whether `to` lifts something that `from` forbids, and forbids nothing new.
fn is_only_better(from: &Network, to: &Network) -> bool {
    let lifts = |is_bad: fn(&Network) -> bool| is_bad(from) && !is_bad(to);
    let adds = |is_bad: fn(&Network) -> bool| !is_bad(from) && is_bad(to);
    (lifts(is_metered) || lifts(is_closed)) && !adds(is_metered) && !adds(is_closed)
}

fn is_metered(network: &Network) -> bool {
    network.metered.is_metered()
}

fn is_closed(network: &Network) -> bool {
    match network.reachability {
        Reachability::None | Reachability::CaptivePortal => true,
        Reachability::Unknown | Reachability::Limited | Reachability::Full => false,
    }
}

#[cfg(test)]
mod tests {
    use afterglow_model::{Metered, NetworkKind};

    use super::*;

    fn network(metered: Metered, reachability: Reachability) -> Network {
        Network { reachability, metered, kind: NetworkKind::Wifi, name: Some("Home".to_owned()), key: None }
    }

    fn free() -> Network {
        network(Metered::No, Reachability::Full)
    }

    fn metered() -> Network {
        network(Metered::Yes, Reachability::Full)
    }

    #[test]
    fn the_first_network_and_every_worse_one_are_told_at_once() {
        let now = Instant::now();
        let mut steady = SteadyNetwork::default();
        assert_eq!(steady.see(free(), now), free());
        assert_eq!(steady.see(metered(), now), metered());
        let captive = network(Metered::No, Reachability::CaptivePortal);
        assert_eq!(steady.see(captive.clone(), now), captive, "worse in one way, better in another");
    }

    #[test]
    fn a_better_network_is_told_when_it_has_held() {
        let start = Instant::now();
        let mut steady = SteadyNetwork::default();
        steady.see(metered(), start);
        assert_eq!(steady.see(free(), start), metered());
        let due = steady.due().unwrap();
        assert_eq!(due, start + CLEARING_TIME);
        assert_eq!(steady.see(free(), due - Duration::from_millis(1)), metered());
        assert_eq!(steady.see(free(), due), free());
        assert_eq!(steady.due(), None);
    }

    #[test]
    fn a_flapping_network_stays_metered() {
        let mut now = Instant::now();
        let mut steady = SteadyNetwork::default();
        steady.see(metered(), now);
        for _ in 0..20 {
            now += CLEARING_TIME / 2;
            assert_eq!(steady.see(free(), now), metered());
            now += CLEARING_TIME / 2;
            assert_eq!(steady.see(metered(), now), metered());
            assert_eq!(steady.due(), None);
        }
    }

    #[test]
    fn another_network_of_the_same_kind_is_told_at_once() {
        let now = Instant::now();
        let mut steady = SteadyNetwork::default();
        steady.see(free(), now);
        let other = Network { name: Some("Work".to_owned()), ..free() };
        assert_eq!(steady.see(other.clone(), now), other);
    }
}
