//! Where photos go, and what was proved there.

use crate::{
    AppId, AssetResourceType, CollectionId, DestinationId, Failure, JobId, RuleId, Timestamp, UploadJobOptions, names, words,
};

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

    /// Where a server shows what is sent to it, if it knows such a thing.
    #[derive(Default)]
    pub enum Visibility {
        /// Among all photos.
        #[default]
        Timeline,
        /// Apart from them.
        Archive,
        /// Only behind a code.
        Locked,
    }

    /// Which versions of an edited photo go to a destination.
    #[derive(Default)]
    pub enum Versions {
        /// The original, what came of it by editing, and what the editor wrote beside it.
        #[default]
        Both,
        /// What the camera wrote, and what the editor wrote beside it.
        Originals,
        /// What came of it by editing instead of the original; the original where there is none.
        Edits,
    }

    /// How the objects of a bucket are named.
    #[derive(Default)]
    pub enum Layout {
        /// As people look for them: by date, and by their own names.
        #[default]
        Names,
        /// By their content, `sha256/ab/<64 digits>.<extension>`: a name that is changed makes no second object.
        Content,
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
        /// It shows another certificate than the one that is trusted.
        CertificateChanged,
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
        /// What the server calls itself, and its version; none if it does not say.
        pub server: Option<String>,
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
        /// How the objects of a bucket are named. Another layout later renames nothing.
        pub layout: Layout,
        /// Whether each delivery is read back and compared, where that is possible.
        pub read_back: bool,
        /// Which versions of edited photos go there. Another wish later takes nothing back.
        pub versions: Versions,
        /// The certificate that is trusted although nobody vouches for it: SHA-256 of its DER form, lower-case hexadecimal.
        pub certificate: Option<String>,
        /// Whether photos and password may go unencrypted, as far as they stay in the local network.
        pub cleartext: bool,
        /// Further addresses of the same server, such as the one from outside of the home. They are tried in their order.
        pub addresses: Vec<String>,
        /// Addresses that it had before, newest first: what was delivered is named by them. Nothing is sent there.
        pub former_addresses: Vec<String>,
        /// What the server said of itself when it was tested, where it can be asked without a password. By it a server that is reached
        /// unencrypted at another address is known again.
        pub identity: Option<String>,
        /// Whether the albums of the library are made there as well, with what was delivered of them.
        pub albums: bool,
        /// Where the server shows photos.
        pub visibility: Visibility,
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
        /// Whether the secret store has a credential of it.
        pub has_credential: bool,
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

impl Connector {
    /// Whether its servers know photos, not files alone. Then what shows an asset goes before what stands beside it, and a Live Photo's video
    /// before its still; what an editor wrote beside a photo goes in the photo's own upload, and in no other way; there are albums; and they
    /// can be told where to show photos.
    pub fn knows_assets(self) -> bool {
        match self {
            Self::Immich => true,
            Self::Resumable
            | Self::Archive
            | Self::Tus
            | Self::Nextcloud
            | Self::Webdav
            | Self::S3
            | Self::GooglePhotos
            | Self::Folder => false,
        }
    }
}

impl Destination {
    /// Its addresses, in the order in which they are tried.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.url).chain(&self.config.addresses).map(String::as_str)
    }
}

impl Versions {
    /// Whether a file of this kind goes, from an asset whose files are of `all` these kinds.
    pub fn include(self, kind: AssetResourceType, all: &[AssetResourceType]) -> bool {
        use AssetResourceType as Kind;
        let edited = |edit: Kind| all.contains(&edit);
        match (self, kind) {
            (Self::Both, _) => true,
            (Self::Originals, Kind::FullSizePhoto | Kind::FullSizeVideo | Kind::FullSizePairedVideo) => false,
            (Self::Edits, Kind::Photo | Kind::AlternatePhoto | Kind::AdjustmentBasePhoto) => !edited(Kind::FullSizePhoto),
            (Self::Edits, Kind::Video | Kind::AdjustmentBaseVideo) => !edited(Kind::FullSizeVideo),
            // The moment that belongs to another still than the one that goes would stand alone.
            (Self::Edits, Kind::PairedVideo | Kind::AdjustmentBasePairedVideo) => {
                !edited(Kind::FullSizePairedVideo) && !edited(Kind::FullSizePhoto)
            }
            (Self::Edits, Kind::AdjustmentData) => false,
            (
                Self::Originals,
                Kind::Photo
                | Kind::Video
                | Kind::Audio
                | Kind::AlternatePhoto
                | Kind::AdjustmentData
                | Kind::AdjustmentBasePhoto
                | Kind::PairedVideo
                | Kind::AdjustmentBasePairedVideo
                | Kind::AdjustmentBaseVideo
                | Kind::PhotoProxy
                | Kind::Unknown,
            )
            | (
                Self::Edits,
                Kind::Audio
                | Kind::FullSizePhoto
                | Kind::FullSizeVideo
                | Kind::FullSizePairedVideo
                | Kind::PhotoProxy
                | Kind::Unknown,
            ) => true,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_of_an_asset_are_chosen_as_a_whole() {
        use AssetResourceType::{AdjustmentData, AlternatePhoto, FullSizePairedVideo, FullSizePhoto, PairedVideo, Photo, Video};
        let going = |versions: Versions, all: &[AssetResourceType]| -> Vec<AssetResourceType> {
            all.iter().copied().filter(|kind| versions.include(*kind, all)).collect()
        };
        let edited = [Photo, AlternatePhoto, PairedVideo, FullSizePhoto, AdjustmentData];
        assert_eq!(going(Versions::Both, &edited), edited);
        assert_eq!(going(Versions::Originals, &edited), [Photo, AlternatePhoto, PairedVideo, AdjustmentData]);
        assert_eq!(going(Versions::Edits, &edited), [FullSizePhoto]);
        let moving = [Photo, PairedVideo, FullSizePhoto, FullSizePairedVideo];
        assert_eq!(going(Versions::Edits, &moving), [FullSizePhoto, FullSizePairedVideo]);
        for unedited in [vec![Photo, PairedVideo], vec![Photo, AlternatePhoto], vec![Video]] {
            assert_eq!(going(Versions::Edits, &unedited), unedited);
            assert_eq!(going(Versions::Originals, &unedited), unedited);
        }
    }
}
