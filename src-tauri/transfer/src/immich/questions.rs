//! Questions for many SHA-1s go together in one request.
//!
//! The first is asked at once. While it is on its way the next gather, for a moment at most: so a single upload waits for nobody, and
//! hundreds under way at a time cost the server a few requests. Whoever asks first of those that gather asks for all of them; if it is
//! stopped meanwhile, another of them does.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::{Notify, oneshot};

use super::Known;
use crate::{destination::Setback, order::Account};

/// How long questions gather at most while others are on their way.
const GATHERING: Duration = Duration::from_millis(5);

/// The most in one request. The vendor's own program asks for 5000.
const TOGETHER_MAX: usize = 1000;

/// What became of one question.
pub(super) type Answered = Result<Known, Setback>;

/// The questions of every account that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Questions(Mutex<HashMap<u64, Arc<Asking>>>);

/// The questions of one account.
#[derive(Debug, Default)]
pub(super) struct Asking {
    state: Mutex<State>,
    /// An answer came: those that gather need not wait longer.
    came: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Requests on their way.
    under_way: usize,
    /// Whether one of those that wait is about to ask for all.
    has_speaker: bool,
    /// Whether something on the way refuses many questions at once.
    singly: bool,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    sha1: String,
    answer: oneshot::Sender<Answered>,
}

/// What a question leads to.
pub(super) enum Turn {
    /// Another one has asked it.
    Answered(Answered),
    /// These are to be asked, its own as the first.
    Asks(Together),
}

/// Questions that go together. Dropped unanswered, they are asked again by the others.
pub(super) struct Together {
    asking: Arc<Asking>,
    own: String,
    others: Vec<Waiting>,
}

impl Questions {
    /// The questions of an account: of whoever has the same credential at the same server.
    pub(super) fn of(&self, account: &Account) -> Arc<Asking> {
        let mut hasher = DefaultHasher::new();
        (&account.url, &account.secret, &account.headers).hash(&mut hasher);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(hasher.finish()).or_default().clone()
    }
}

impl Asking {
    /// Lines up with a question.
    pub(super) async fn line_up(self: &Arc<Self>, sha1: &str) -> Turn {
        loop {
            let Some(answered) = self.wait(sha1) else { return Turn::Asks(self.gather(sha1).await) };
            // Whoever was to ask for all may have been stopped.
            if let Ok(answered) = answered.await {
                return Turn::Answered(answered);
            }
        }
    }

    /// Waits for whoever asks for all; none if nobody does yet.
    fn wait(&self, sha1: &str) -> Option<oneshot::Receiver<Answered>> {
        let mut state = self.state();
        if state.singly || !state.has_speaker {
            state.has_speaker = true;
            return None;
        }
        let (answer, answered) = oneshot::channel();
        state.waiting.push(Waiting { sha1: sha1.to_owned(), answer });
        Some(answered)
    }

    async fn gather(self: &Arc<Self>, sha1: &str) -> Together {
        let speaker = Speaker(self);
        let mut came = pin!(self.came.notified());
        // From here on no answer is missed.
        came.as_mut().enable();
        let waits = {
            let state = self.state();
            state.under_way > 0 && !state.singly
        };
        if waits {
            let _ = tokio::time::timeout(GATHERING, came).await;
        }
        let mut state = self.state();
        let others = state.waiting.len().min(TOGETHER_MAX - 1);
        let others = state.waiting.drain(..others).collect();
        state.under_way += 1;
        drop(state);
        // Whoever was one too many lines up anew.
        drop(speaker);
        Together { asking: self.clone(), own: sha1.to_owned(), others }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever asks for all, until it does.
struct Speaker<'a>(&'a Asking);

impl Drop for Speaker<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.has_speaker = false;
        state.waiting.clear();
    }
}

impl Together {
    /// What is asked for.
    pub(super) fn sha1s(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.own.as_str()).chain(self.others.iter().map(|other| other.sha1.as_str()))
    }

    /// The request was refused. What does not take many questions at once may take one, and they are asked singly from now on.
    pub(super) fn refused(&self, setback: Setback) -> Setback {
        match setback {
            Setback::Verdict(failure) | Setback::TooLarge { failure, .. } if !self.others.is_empty() => {
                self.asking.state().singly = true;
                Setback::Doubt(failure)
            }
            setback => setback,
        }
    }

    /// Passes on what became of the request: `answer` says what it means for each. The answer to the own question.
    pub(super) fn answer(mut self, answer: impl Fn(&str) -> Answered) -> Answered {
        for Waiting { sha1, answer: to } in self.others.drain(..) {
            match answer(&sha1) {
                // It was this one that was stopped, and not those who wait.
                Err(Setback::Stopped) => drop(to),
                // Whoever has gone need not be told.
                answered => drop(to.send(answered)),
            }
        }
        answer(&self.own)
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        self.asking.state().under_way -= 1;
        self.asking.came.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::poll;

    use super::*;

    fn found(sha1: &str) -> Answered {
        Ok(Known::Asset(format!("asset of {sha1}")))
    }

    async fn asks(asking: &Arc<Asking>, sha1: &str) -> Together {
        match asking.line_up(sha1).await {
            Turn::Asks(together) => together,
            Turn::Answered(answered) => panic!("answered: {answered:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_one_is_asked_goes_together() {
        let asking = Arc::new(Asking::default());
        let first = asks(&asking, "1").await;
        let (mut second, mut third) = (Box::pin(asking.line_up("2")), Box::pin(asking.line_up("3")));
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        assert!(matches!(first.answer(found), Ok(Known::Asset(id)) if id == "asset of 1"));
        let Poll::Ready(Turn::Asks(together)) = poll!(&mut second) else { panic!("it has waited for the answer") };
        assert_eq!(together.sha1s().collect::<Vec<_>>(), ["2", "3"]);
        assert!(matches!(together.answer(found), Ok(Known::Asset(id)) if id == "asset of 2"));
        assert!(matches!(third.await, Turn::Answered(Ok(Known::Asset(id))) if id == "asset of 3"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_keeps_nobody_waiting() {
        let asking = Arc::new(Asking::default());
        let hangs = asks(&asking, "1").await;
        let began = tokio::time::Instant::now();
        let second = asks(&asking, "2").await;
        assert_eq!(began.elapsed(), GATHERING);
        assert_eq!(second.sha1s().collect::<Vec<_>>(), ["2"]);
        drop((hangs, second));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_is_stopped_leaves_the_question_to_the_others() {
        let asking = Arc::new(Asking::default());
        // While it gathers, while it asks, and when the answer is that it was stopped.
        for stopped in 0..3 {
            let first = asks(&asking, "1").await;
            let (mut second, mut third) = (Box::pin(asking.line_up("2")), Box::pin(asking.line_up("3")));
            assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
            drop(first);
            match stopped {
                0 => drop(second),
                1 => drop(second.await),
                _ => {
                    let Turn::Asks(together) = second.await else { panic!("nobody else asks") };
                    assert!(matches!(together.answer(|_| Err(Setback::Stopped)), Err(Setback::Stopped)));
                }
            }
            let Turn::Asks(together) = third.await else { panic!("nobody else asks") };
            assert_eq!(together.sha1s().collect::<Vec<_>>(), ["3"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_refuses_many_at_once_is_asked_singly() {
        let asking = Arc::new(Asking::default());
        let refusal = || Setback::Verdict(crate::failure::internal("too many"));
        let first = asks(&asking, "1").await;
        assert!(matches!(first.refused(refusal()), Setback::Verdict(_)), "one alone is meant itself");
        let (second, mut third) = (asking.line_up("2"), Box::pin(asking.line_up("3")));
        let mut second = Box::pin(second);
        assert!(poll!(&mut second).is_pending() && poll!(&mut third).is_pending());
        drop(first);
        let Turn::Asks(together) = second.await else { panic!("it came first") };
        assert!(matches!(together.refused(refusal()), Setback::Doubt(_)));
        let began = tokio::time::Instant::now();
        let singly = [asks(&asking, "4").await, asks(&asking, "5").await];
        assert!(singly.iter().all(|together| together.sha1s().count() == 1));
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(together);
        assert!(matches!(third.await, Turn::Asks(together) if together.sha1s().count() == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn one_too_many_lines_up_anew() {
        let asking = Arc::new(Asking::default());
        let first = asks(&asking, "0").await;
        let all: Vec<_> = (1..=TOGETHER_MAX + 1).map(|n| n.to_string()).collect();
        let mut lined_up: Vec<_> = all.iter().map(|sha1| Box::pin(asking.line_up(sha1))).collect();
        for waiting in &mut lined_up {
            assert!(poll!(waiting).is_pending());
        }
        drop(first);
        let mut last = lined_up.pop().unwrap();
        let Turn::Asks(together) = lined_up.remove(0).await else { panic!("it came first") };
        assert_eq!(together.sha1s().count(), TOGETHER_MAX);
        let Turn::Asks(rest) = (&mut last).await else { panic!("it was one too many") };
        assert_eq!(rest.sha1s().collect::<Vec<_>>(), [all.last().unwrap()]);
        drop(together);
    }

    #[test]
    fn accounts_are_told_apart_by_their_credentials() {
        let questions = Questions::default();
        let account = Account { secret: Some("a".to_owned()), ..Account::at("https://photos.example".parse().unwrap()) };
        let of = |account: &Account| questions.of(account);
        assert!(Arc::ptr_eq(&of(&account), &of(&account.clone())));
        assert!(!Arc::ptr_eq(&of(&account), &of(&Account { secret: Some("b".to_owned()), ..account.clone() })));
        let headers = vec![("x".to_owned(), "y".to_owned())];
        assert!(!Arc::ptr_eq(&of(&account), &of(&Account { headers, ..account.clone() })));
    }
}
