//! The whole product, tested from outside.

pub mod fault_server;
mod http;
pub mod model_server;
pub mod process;
pub mod proxy;
pub mod servers;
pub mod simulation;
pub mod stage;
pub mod tls;
