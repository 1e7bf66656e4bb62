//! Who may see what.

use crate::{AppId, AssetId, DestinationId, PromptId, Timestamp, names, words};

names! {
    /// Names of `PHAuthorizationStatus`.
    pub enum AuthorizationStatus {
        /// The person was not asked yet.
        NotDetermined,
        /// The person said no, or took it back.
        Denied,
        /// A selection.
        Limited,
        /// The whole library.
        Authorized,
    }

    /// What kind of program asks.
    pub enum AppKind {
        /// One of our own connectors; it came with a destination.
        Connector,
        /// Another program.
        External,
    }
}

words! {
    /// Someone who asks for photos, and what the person answered.
    pub struct App {
        /// Stable id.
        pub id: AppId,
        /// What it calls itself, or the destination's name.
        pub name: String,
        /// Ours or another's.
        pub kind: AppKind,
        /// Path of the program that paired, as the system saw it.
        pub executable: Option<String>,
        /// What it may see.
        pub status: AuthorizationStatus,
        /// Assets in the selection of a limited grant.
        pub selected: u64,
        /// URL bases that it may send to, as shown in the prompt.
        pub url_bases: Vec<String>,
        /// The destination of a connector.
        pub destination_id: Option<DestinationId>,
        /// Bytes sent for it.
        pub bytes_sent: u64,
        /// When it first asked.
        pub created_at: Timestamp,
        /// When it last did something.
        pub last_used_at: Option<Timestamp>,
    }

    /// The person's answer.
    #[serde(tag = "access", rename_all = "snake_case")]
    pub enum AccessAnswer {
        /// These photos only.
        Selected {
            /// Which.
            asset_ids: Vec<AssetId>,
        },
        /// The whole library, also what comes later.
        Full,
        /// Nothing.
        Deny,
    }

    /// A question that waits for the person.
    pub struct Prompt {
        /// Stable id.
        pub id: PromptId,
        /// Who asks.
        pub app_id: AppId,
        /// What it calls itself.
        pub app_name: String,
        /// Path of the program, as the system saw it.
        pub executable: Option<String>,
        /// Where it may send, if the person agrees.
        pub url_bases: Vec<String>,
        /// When it asked.
        pub created_at: Timestamp,
    }

    /// Something an app did or was told.
    pub struct AppLogEntry {
        /// When.
        pub at: Timestamp,
        /// One sentence.
        pub sentence: String,
    }
}
