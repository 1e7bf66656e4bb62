//! Questions that wait for the person. They live as long as the program that asked waits for the answer.

use std::sync::{Mutex, PoisonError};

use afterglow_model::{AccessAnswer, AppId, Prompt, PromptId, Timestamp};
use tokio::sync::{oneshot, watch};

/// Questions that may wait at once; a further one is refused.
const WAITING_MAX: usize = 8;

/// The questions that wait.
pub(crate) struct Prompts {
    waiting: Mutex<Vec<(Prompt, oneshot::Sender<AccessAnswer>)>>,
    shown: watch::Sender<Vec<Prompt>>,
}

/// Why a question was not put.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAsked {
    /// The same app's question waits already.
    AlreadyAsking,
    /// Too many wait.
    TooMany,
}

impl Prompts {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::default(), shown: watch::channel(Vec::new()).0 }
    }

    /// Puts a question. The receiver yields the answer; dropping it takes the question back at the next change.
    pub(crate) fn ask(&self, prompt: Prompt) -> Result<oneshot::Receiver<AccessAnswer>, NotAsked> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.retain(|(_, asker)| !asker.is_closed());
            if waiting.iter().any(|(other, _)| other.app_id == prompt.app_id || same_program(other, &prompt)) {
                return Err(NotAsked::AlreadyAsking);
            }
            if waiting.len() >= WAITING_MAX {
                return Err(NotAsked::TooMany);
            }
            waiting.push((prompt, sender));
        }
        self.show();
        Ok(receiver)
    }

    /// Answers a question; false if it waits no more.
    pub(crate) fn answer(&self, id: &PromptId, answer: AccessAnswer) -> bool {
        let asked = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.iter().position(|(prompt, _)| &prompt.id == id).map(|at| waiting.remove(at))
        };
        self.show();
        asked.is_some_and(|(_, asker)| asker.send(answer).is_ok())
    }

    /// The question of an app, if one waits.
    pub(crate) fn of_app(&self, app: &AppId) -> Option<Prompt> {
        self.list().into_iter().find(|prompt| &prompt.app_id == app)
    }

    /// Forgets questions whose asker has gone.
    pub(crate) fn forget_gone(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).retain(|(_, asker)| !asker.is_closed());
        self.show();
    }

    /// The questions that wait now, oldest first.
    pub(crate) fn list(&self) -> Vec<Prompt> {
        self.shown.borrow().clone()
    }

    /// Tells when the list changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Vec<Prompt>> {
        self.shown.subscribe()
    }

    fn show(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let list: Vec<Prompt> = waiting.iter().map(|(prompt, _)| prompt.clone()).collect();
        self.shown.send_if_modified(|shown| {
            let changed = *shown != list;
            *shown = list;
            changed
        });
    }
}

/// A program that asks under ever new ids is still one program.
fn same_program(one: &Prompt, other: &Prompt) -> bool {
    one.executable.is_some() && one.executable == other.executable && one.app_name == other.app_name
}

/// A question about an app.
pub(crate) fn prompt(app_id: AppId, app_name: String, executable: Option<String>, url_bases: Vec<String>, at: Timestamp) -> Prompt {
    Prompt { id: PromptId(uuid::Uuid::now_v7().simple().to_string()), app_id, app_name, executable, url_bases, created_at: at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(app: &str) -> Prompt {
        prompt(app.into(), app.to_owned(), None, vec![], Timestamp(0))
    }

    #[tokio::test]
    async fn an_answer_reaches_the_asker_and_the_question_goes() {
        let prompts = Prompts::new();
        let asked = question("editor");
        let answer = prompts.ask(asked.clone()).unwrap();
        assert_eq!(prompts.ask(question("editor")).unwrap_err(), NotAsked::AlreadyAsking);
        assert!(prompts.answer(&asked.id, AccessAnswer::Full));
        assert_eq!(answer.await, Ok(AccessAnswer::Full));
        assert!(prompts.list().is_empty());
        assert!(!prompts.answer(&asked.id, AccessAnswer::Full));
    }

    #[tokio::test]
    async fn a_gone_asker_takes_its_question_along() {
        let prompts = Prompts::new();
        drop(prompts.ask(question("editor")).unwrap());
        prompts.forget_gone();
        assert!(prompts.list().is_empty());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let prompts = Prompts::new();
        let _kept: Vec<_> = (0..WAITING_MAX).map(|n| prompts.ask(question(&n.to_string())).unwrap()).collect();
        assert_eq!(prompts.ask(question("one more")).unwrap_err(), NotAsked::TooMany);
    }
}
