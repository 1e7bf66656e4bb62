//! Two computers of one local network: the one that receives says that it is there, the one that sends looks for it, and a short code,
//! read off one screen and typed at the other, gives them a secret in common.
//!
//! Guarantees:
//! - Nothing is said to the network, and nothing listened to, but while it is asked for.
//! - The code never travels, and neither does the secret. Whoever listens, or answers in the receiver's place, learns nothing by which
//!   the code could be guessed other than by asking the receiver, and that takes five wrong answers at most.
//! - What the network says is bounded and shown without control characters.

mod code;
mod door;
mod mdns;
mod pairing;

pub use code::Code;
pub use door::{CODE_AGE_MAX, Door, Refused, TRIES_MAX};
pub use mdns::{Announcement, Found, NearbyError, announce, discover};
pub use pairing::{Agreed, Claim, Greeting, Side, Welcome};
