//! Bytes to destinations: one driver, one small file per protocol.
//!
//! [`Transfer`] delivers one [`Order`] at a time per call, as many calls at once as the caller likes. What holds for each:
//! memory is constant whatever the file's size · a file is sent as the one version that it was when it was opened, or not at all ·
//! nothing is completed before its digest was compared and its session stored in the caller's [`Journal`] · after any doubt the
//! server is asked first · credentials go to the account's own server only, unencrypted ones no further than the local network · a silent line is left, a stop is obeyed at once.
//!
//! [`Delivery`] is the driver itself, for a [`Destination`] of another crate's: the simulator's model servers are such.
//!
//! Read `driver` and `steps` for the order of things, `resumable` for the protocol, `failure` for what each error means. No database and no
//! policy is in here: when to try again is the scheduler's business.

mod again;
mod another;
mod bandwidth;
mod buffers;
mod cached;
mod certificate;
mod dav;
mod destination;
mod driver;
mod failure;
mod fields;
mod folder;
mod google;
mod identity;
mod immich;
mod line;
mod name;
mod near;
mod nextcloud;
mod notes;
mod order;
mod pair;
mod payload;
mod proxies;
mod reading;
mod request;
mod response;
mod resumable;
mod route;
mod s3;
mod sign_in;
mod source;
mod steps;
mod transfer;
mod trial;
mod trust;
mod tus;
mod webdav;
mod wire;

pub use again::{Again, Holding};
pub use destination::{Begun, Content, Destination, Held, Proof, Setback, Sha1Wanted};
pub use driver::{Delivery, End};
pub use fields::Limits;
pub use google::oauth::Consent;
pub use nextcloud::login::Login;
pub use notes::Notebook;
pub use order::{
    Account, Album, Companions, Delivered, Described, Journal, JournalError, Mirrored, Order, Outcome, Pin, Progress, Session,
    Sidecar,
};
pub use pair::Paired;
pub use payload::{Blocks, Payload};
pub use proxies::{DesktopProxy, Way};
pub use reading::Reading;
pub use request::template::{filled_url, unknown_name};
pub use sign_in::{OauthClient, SignedIn};
pub use transfer::{SetupError, Transfer, TransferOptions};
