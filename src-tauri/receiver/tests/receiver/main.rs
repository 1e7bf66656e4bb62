//! The receiver as senders meet it: real sockets, real files.

mod appending;
mod connections;
mod crashes;
mod creating;
mod objects;
mod support;
