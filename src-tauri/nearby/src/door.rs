//! The receiver's side of pairing: which code opens, for how long, and how often one may be wrong. It knows no clock and no network.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::Code;
use crate::pairing::{Agreed, Claim, Greeting, Side, Welcome};

/// How long a code opens.
pub const CODE_AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// Wrong answers after which a code opens no more.
pub const TRIES_MAX: u8 = 5;
/// Exchanges that may be under way; the oldest gives way, so that a stranger who begins many fills no memory.
const EXCHANGES_MAX: usize = 16;

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No code opens now: none was made, it was used, it is too old, or there were too many wrong answers.
    Closed,
    /// No exchange of that id is under way: it was answered before, or it gave way.
    Unknown,
    /// The code was another one; so many tries are left.
    Wrong(u8),
}

/// Lets in whoever knows the code, and tells them by which certificate the receiver is known.
#[derive(Default)]
pub struct Door {
    certificate: Option<String>,
    offer: Option<Offer>,
    exchanges: VecDeque<(String, Side)>,
}

struct Offer {
    code: Code,
    until: Instant,
    tries: u8,
}

impl Door {
    /// The door of a receiver that shows the certificate with this SHA-256, if it speaks TLS. It is closed.
    pub fn new(certificate: Option<String>) -> Self {
        Self { certificate, ..Self::default() }
    }

    /// Opens for one who knows `code`; an earlier code opens no more.
    pub fn offer(&mut self, code: Code, now: Instant) {
        self.offer = Some(Offer { code, until: now + CODE_AGE_MAX, tries: TRIES_MAX });
        self.exchanges.clear();
    }

    /// Whether a code opens now.
    pub fn is_open(&mut self, now: Instant) -> bool {
        if self.offer.as_ref().is_some_and(|offer| offer.until <= now) {
            self.close();
        }
        self.offer.is_some()
    }

    /// Begins an exchange.
    ///
    /// # Errors
    /// If no code opens.
    pub fn greet(&mut self, now: Instant) -> Result<Greeting, Refused> {
        let side = match &self.offer {
            Some(offer) if offer.until > now => Side::receiver(&offer.code),
            Some(_) | None => {
                self.close();
                return Err(Refused::Closed);
            }
        };
        let greeting = Greeting { id: Uuid::new_v4().simple().to_string(), message: side.message.clone() };
        self.exchanges.truncate(EXCHANGES_MAX - 1);
        self.exchanges.push_front((greeting.id.clone(), side));
        Ok(greeting)
    }

    /// Ends an exchange. Whoever is right is let in, and nobody else with this code: the answer, and the token that they will show.
    ///
    /// # Errors
    /// If they are not right, or too late. Each exchange has one answer.
    pub fn claim(&mut self, id: &str, claim: &Claim, now: Instant) -> Result<(Welcome, String), Refused> {
        if !self.is_open(now) {
            return Err(Refused::Closed);
        }
        let at = self.exchanges.iter().position(|(known, _)| known == id).ok_or(Refused::Unknown)?;
        let (_, side) = self.exchanges.remove(at).ok_or(Refused::Unknown)?;
        match side.agree(&claim.message).filter(|agreed| Agreed::is(&agreed.proof_of_sender(), &claim.proof)) {
            Some(agreed) => {
                self.close();
                let certificate = self.certificate.clone();
                Ok((Welcome { proof: agreed.proof_of_receiver(certificate.as_deref()), certificate }, agreed.token()))
            }
            None => Err(self.wrong()),
        }
    }

    fn wrong(&mut self) -> Refused {
        let left = self.offer.as_mut().map_or(0, |offer| {
            offer.tries -= 1;
            offer.tries
        });
        if left == 0 {
            self.close();
        }
        Refused::Wrong(left)
    }

    fn close(&mut self) {
        self.offer = None;
        self.exchanges.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "1234-5678";
    const WRONG: &str = "1234-5679";

    fn code(digits: &str) -> Code {
        Code::read(digits).unwrap()
    }

    fn open(now: Instant) -> Door {
        let mut door = Door::default();
        door.offer(code(RIGHT), now);
        door
    }

    /// What a sender with that code answers, and the key it holds.
    fn answer(greeting: &Greeting, digits: &str) -> (Claim, Agreed) {
        let side = Side::sender(&code(digits));
        let message = side.message.clone();
        let agreed = side.agree(&greeting.message).unwrap();
        (Claim { message, proof: agreed.proof_of_sender() }, agreed)
    }

    fn attempt(door: &mut Door, digits: &str, now: Instant) -> Result<String, Refused> {
        let greeting = door.greet(now)?;
        let (claim, agreed) = answer(&greeting, digits);
        let (welcome, token) = door.claim(&greeting.id, &claim, now)?;
        assert!(Agreed::is(&agreed.proof_of_receiver(welcome.certificate.as_deref()), &welcome.proof) && agreed.token() == token);
        Ok(token)
    }

    #[test]
    fn the_right_code_opens_once_and_gives_both_a_token_that_no_other_pairing_has() {
        let now = Instant::now();
        let mut door = open(now);
        let token = attempt(&mut door, RIGHT, now).unwrap();
        assert_eq!(token.len(), 43);
        assert_eq!(attempt(&mut door, RIGHT, now), Err(Refused::Closed));
        assert_ne!(attempt(&mut open(now), RIGHT, now), Ok(token));
    }

    #[test]
    fn the_receivers_certificate_is_told_and_nobody_on_the_way_can_tell_another() {
        let now = Instant::now();
        let (own, other) = ("ab".repeat(32), "cd".repeat(32));
        for told in [Some(own.as_str()), None] {
            let mut door = Door::new(told.map(str::to_owned));
            door.offer(code(RIGHT), now);
            let greeting = door.greet(now).unwrap();
            let (claim, agreed) = answer(&greeting, RIGHT);
            let (welcome, _) = door.claim(&greeting.id, &claim, now).unwrap();
            assert_eq!(welcome.certificate.as_deref(), told);
            for said in [Some(own.as_str()), Some(other.as_str()), None] {
                assert_eq!(Agreed::is(&agreed.proof_of_receiver(said), &welcome.proof), said == told, "{said:?}");
            }
        }
    }

    #[test]
    fn a_wrong_code_is_counted_and_five_close_the_door_to_the_right_one() {
        let now = Instant::now();
        let mut door = open(now);
        for left in (0..TRIES_MAX).rev() {
            assert_eq!(attempt(&mut door, WRONG, now), Err(Refused::Wrong(left)));
        }
        assert_eq!(attempt(&mut door, RIGHT, now), Err(Refused::Closed));
        let mut door = open(now);
        assert_eq!(attempt(&mut door, WRONG, now), Err(Refused::Wrong(4)));
        assert!(attempt(&mut door, RIGHT, now).is_ok());
    }

    #[test]
    fn what_was_heard_opens_nothing_a_second_time() {
        let now = Instant::now();
        let mut door = open(now);
        let greeting = door.greet(now).unwrap();
        let (claim, _) = answer(&greeting, RIGHT);
        let other = door.greet(now).unwrap();
        // To another exchange, the same answer is a wrong one.
        assert_eq!(door.claim(&other.id, &claim, now).map(drop), Err(Refused::Wrong(4)));
        assert_eq!(door.claim(&other.id, &claim, now).map(drop), Err(Refused::Unknown));
        assert!(door.claim(&greeting.id, &claim, now).is_ok());
        door.offer(code(RIGHT), now);
        assert_eq!(door.claim(&greeting.id, &claim, now).map(drop), Err(Refused::Unknown));
    }

    #[test]
    fn a_code_opens_for_ten_minutes() {
        let now = Instant::now();
        let mut door = open(now);
        let greeting = door.greet(now).unwrap();
        let (claim, _) = answer(&greeting, RIGHT);
        assert!(door.is_open(now + CODE_AGE_MAX - Duration::from_millis(1)));
        assert_eq!(door.claim(&greeting.id, &claim, now + CODE_AGE_MAX).map(drop), Err(Refused::Closed));
        assert_eq!(attempt(&mut door, RIGHT, now), Err(Refused::Closed));
    }

    #[test]
    fn nonsense_and_the_receivers_own_words_open_nothing() {
        let now = Instant::now();
        let mut door = open(now);
        for message in ["", "####", "QQ", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE"] {
            let greeting = door.greet(now).unwrap();
            let claim = Claim { message: message.to_owned(), proof: String::new() };
            assert!(matches!(door.claim(&greeting.id, &claim, now), Err(Refused::Wrong(_))), "{message}");
        }
        let greeting = door.greet(now).unwrap();
        let claim = Claim { message: greeting.message.clone(), proof: greeting.message.clone() };
        assert_eq!(door.claim(&greeting.id, &claim, now).map(drop), Err(Refused::Wrong(0)));
    }

    #[test]
    fn many_who_begin_and_go_fill_no_memory() {
        let now = Instant::now();
        let mut door = open(now);
        let first = door.greet(now).unwrap();
        for _ in 0..EXCHANGES_MAX {
            door.greet(now).unwrap();
        }
        assert_eq!(door.exchanges.len(), EXCHANGES_MAX);
        let (claim, _) = answer(&first, RIGHT);
        assert_eq!(door.claim(&first.id, &claim, now).map(drop), Err(Refused::Unknown));
        assert!(attempt(&mut door, RIGHT, now).is_ok());
    }
}
