//! The words of Afterglow: the types that cross a boundary (socket, window, database, crate), their ids and their errors.
//!
//! Nouns, states and verbs are PhotoKit's in snake_case; what is new is an added field or verb, never a changed meaning.
//! Nothing here reads a clock, a file or a socket. The TypeScript types of the windows are generated from this crate
//! (`tests/bindings.rs`), and the OpenAPI document takes its schemas from it.

mod app;
mod body;
mod certificate;
mod conditions;
mod destination;
mod error;
mod event;
mod home;
mod id;
mod job;
mod library;
mod policy;
mod request;
mod sentence;
mod space;
mod status;
mod time;
mod timetable;
mod waiting;

pub use app::*;
pub use body::*;
pub use certificate::*;
pub use conditions::*;
pub use destination::*;
pub use error::*;
pub use event::*;
pub use home::*;
pub use id::*;
pub use job::*;
pub use library::*;
pub use policy::*;
pub use request::*;
pub use sentence::*;
pub use space::*;
pub use status::*;
pub use time::*;
pub use timetable::*;
pub use waiting::*;

/// Derives what every type of a boundary has.
macro_rules! words {
    ($($item:item)*) => {
        $(
            #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, ts_rs::TS, utoipa::ToSchema)]
            $item
        )*
    };
}

/// Derives what a closed set of names has: `words!`, and copying, ordering and hashing.
macro_rules! names {
    ($($item:item)*) => {
        $(
            #[derive(
                Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord,
                serde::Serialize, serde::Deserialize, ts_rs::TS, utoipa::ToSchema,
            )]
            #[serde(rename_all = "snake_case")]
            $item
        )*
    };
}

pub(crate) use {names, words};
