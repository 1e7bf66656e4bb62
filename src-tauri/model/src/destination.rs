//! Where photos go, and what was proved there.

use crate::{AppId, CollectionId, DestinationId, Failure, JobId, RuleId, Timestamp, UploadJobOptions, names, words};

names! {
    /// The protocol of a destination.
    pub enum Connector {
        /// IETF resumable uploads for HTTP.
        Resumable,
        /// An archive on this computer: a folder that the service itself receives into.
        Archive,
        /// tus 1.0, the older protocol of resumable uploads.
        Tus,
        /// Immich.
        Immich,
        /// Nextcloud and ownCloud, with chunked uploads.
        Nextcloud,
        /// Any WebDAV server, such as a NAS.
        Webdav,
        /// A bucket of S3, or of a store that speaks its protocol.
        S3,
        /// Google Photos, which accepts and proves nothing.
        GooglePhotos,
        /// A folder or drive.
        Folder,
    }

    /// How much a destination proved of a delivery, weakest first.
    pub enum Evidence {
        /// The server said yes.
        Accepted,
        /// The server holds as many bytes as were sent.
        Sized,
        /// The server computed the digest of what it holds, and it is ours.
        Hashed,
        /// The bytes were read back and compared.
        ReadBack,
    }

    /// Whether a destination can be sent to.
    pub enum DestinationState {
        /// Nothing speaks against it.
        Ready,
        /// It did not accept the credential. Its queue is kept.
        AuthRequired,
        /// It does not answer.
        Unreachable,
        /// It has no room left.
        QuotaExceeded,
    }
}

words! {
    /// What was learnt of a server by asking it.
    pub struct Capabilities {
        /// The best grade it can give without a download.
        pub evidence: Evidence,
        /// Largest upload in bytes.
        pub max_size: Option<u64>,
        /// Largest request body in bytes.
        pub max_append_size: Option<u64>,
        /// Whether an interrupted upload goes on where it stopped.
        pub resumable: bool,
        /// When it was asked.
        pub probed_at: Timestamp,
    }

    /// What a connector has to know beyond the address. Nothing of it is secret; what is missing has a usual value.
    #[derive(Default)]
    #[serde(default)]
    pub struct DestinationConfig {
        /// The account: a user's name, the id of an access key or of an OAuth client.
        pub user: Option<String>,
        /// Folder beneath which photos are put, with `/` between its parts; of a bucket, the prefix of its
        /// keys; of Google Photos, the title of an album.
        pub folder: Option<String>,
        /// Region of a bucket.
        pub region: Option<String>,
        /// Whether a bucket's name is in the path instead of the host's name; none for what its address suggests.
        pub path_style: Option<bool>,
        /// Whether each delivery is read back and compared, where that is possible.
        pub read_back: bool,
    }

    /// An account at a server.
    pub struct Destination {
        /// Stable id.
        pub id: DestinationId,
        /// What the person calls it; unique.
        pub name: String,
        /// Its protocol.
        pub connector: Connector,
        /// Where uploads are created; of an archive, its folder as a `file:` URL.
        pub url: String,
        /// What its connector has to know beyond the address.
        pub config: DestinationConfig,
        /// Its own rules, beyond the person's settings.
        pub options: UploadJobOptions,
        /// The app that answers for its photos' visibility: a connector of ours, or another program.
        pub app_id: AppId,
        /// Whether it can be sent to.
        pub state: DestinationState,
        /// What stands against it, if anything.
        pub problem: Option<Failure>,
        /// What it can do; none before the first test.
        pub capabilities: Option<Capabilities>,
        /// When it was added.
        pub created_at: Timestamp,
        /// Files delivered.
        pub delivered: u64,
        /// Bytes delivered.
        pub delivered_bytes: u64,
    }

    /// A standing wish: keep this collection delivered to that destination.
    pub struct Rule {
        /// Stable id.
        pub id: RuleId,
        /// What to deliver.
        pub collection_id: CollectionId,
        /// Its title when last seen.
        pub collection_title: String,
        /// Where to.
        pub destination_id: DestinationId,
        /// When it was made.
        pub created_at: Timestamp,
    }

    /// Proof of delivery.
    pub struct Receipt {
        /// The job that delivered it.
        pub job_id: JobId,
        /// Where it is.
        pub destination_id: DestinationId,
        /// SHA-256 of the bytes sent, lower-case hexadecimal.
        pub sha256: String,
        /// Size in bytes.
        pub byte_count: u64,
        /// The server's name for it: a URL or an id.
        pub remote_id: String,
        /// What was proved.
        pub evidence: Evidence,
        /// When.
        pub delivered_at: Timestamp,
    }

    /// What a test upload showed.
    pub struct DestinationTest {
        /// What it can do.
        pub capabilities: Capabilities,
        /// Bytes that the account may still store; none if there is no limit or the server does not tell.
        pub room: Option<u64>,
        /// Milliseconds for the whole test.
        pub took_ms: u64,
        /// One sentence for people: what it can prove.
        pub sentence: String,
    }
}

impl Evidence {
    /// How a delivery of this grade is said to a person.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Accepted => "accepted by the server",
            Self::Sized => "delivered, size confirmed",
            Self::Hashed => "delivered, verified by digest",
            Self::ReadBack => "delivered, read back and compared",
        }
    }
}
