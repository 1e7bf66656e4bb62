//! The whole product, tested from outside.

pub mod fault_server;
