//! Photos as a person sees them, and the files behind them.

use crate::{AssetId, CollectionId, JobBadge, ResourceId, SourceId, Timestamp, names, words};

names! {
    /// What an asset is. Raw values are those of `PHAssetMediaType`.
    pub enum MediaType {
        /// Neither of the below.
        Unknown,
        /// A still picture.
        Image,
        /// A moving picture.
        Video,
        /// Sound alone.
        Audio,
    }

    /// What is special about an asset. A subset of `PHAssetMediaSubtype`, and `raw`.
    pub enum MediaSubtype {
        /// Much wider than high.
        Panorama,
        /// A picture of the screen.
        Screenshot,
        /// A still with a moment of video.
        Live,
        /// A camera's undeveloped data is among the resources.
        Raw,
        /// Moving, without sound, meant to loop.
        Animation,
        /// An edited version or a sidecar is among the resources.
        Edited,
    }

    /// What a file is to its asset. Names of `PHAssetResourceType`; an unknown kind is kept and delivered as it is.
    pub enum AssetResourceType {
        /// The original still.
        Photo,
        /// The original video.
        Video,
        /// The original sound.
        Audio,
        /// The partner of the still in another format: RAW beside JPEG.
        AlternatePhoto,
        /// The edited still.
        FullSizePhoto,
        /// The edited video.
        FullSizeVideo,
        /// What the editor wrote beside the file: an XMP or AAE sidecar.
        AdjustmentData,
        /// The still that an edit began from.
        AdjustmentBasePhoto,
        /// The video of a Live Photo.
        PairedVideo,
        /// The edited video of a Live Photo.
        FullSizePairedVideo,
        /// The video that a Live Photo's edit began from.
        AdjustmentBasePairedVideo,
        /// The video that an edit began from.
        AdjustmentBaseVideo,
        /// A small stand-in.
        PhotoProxy,
        /// Something newer than this program.
        Unknown,
    }

    /// Whether a file can be read now.
    pub enum SourceState {
        /// The file was there when last looked.
        Present,
        /// Its folder is unplugged or gone.
        Offline,
        /// It is being written, or was written since it was last read.
        Changing,
    }

    /// What an album is.
    pub enum CollectionKind {
        /// A folder on disk.
        Folder,
        /// Made by the person.
        Album,
        /// Made by a question: see [`SmartAlbum`].
        SmartAlbum,
    }

    /// The albums that fill themselves. The id of such a collection is `smart:` and this name.
    pub enum SmartAlbum {
        /// Everything.
        AllPhotos,
        /// Added in the last 30 days.
        Recents,
        /// Marked by the person.
        Favourites,
        /// Videos.
        Videos,
        /// Stills with a moment of video.
        LivePhotos,
        /// Assets with undeveloped camera data.
        Raw,
        /// Pictures of the screen.
        Screenshots,
        /// Much wider than high.
        Panoramas,
        /// Not yet delivered to every destination that a rule names for them, or named by no rule.
        NotBackedUp,
    }
}

impl SmartAlbum {
    /// Every smart album, in the order in which a sidebar lists them.
    pub const ALL: [Self; 9] = [
        Self::AllPhotos,
        Self::Recents,
        Self::Favourites,
        Self::Videos,
        Self::LivePhotos,
        Self::Raw,
        Self::Screenshots,
        Self::Panoramas,
        Self::NotBackedUp,
    ];

    /// The English title.
    pub fn title(self) -> &'static str {
        match self {
            Self::AllPhotos => "All Photos",
            Self::Recents => "Recents",
            Self::Favourites => "Favourites",
            Self::Videos => "Videos",
            Self::LivePhotos => "Live Photos",
            Self::Raw => "RAW",
            Self::Screenshots => "Screenshots",
            Self::Panoramas => "Panoramas",
            Self::NotBackedUp => "Not backed up",
        }
    }

    /// The id of the collection.
    pub fn id(self) -> CollectionId {
        let name = match self {
            Self::AllPhotos => "all_photos",
            Self::Recents => "recents",
            Self::Favourites => "favourites",
            Self::Videos => "videos",
            Self::LivePhotos => "live_photos",
            Self::Raw => "raw",
            Self::Screenshots => "screenshots",
            Self::Panoramas => "panoramas",
            Self::NotBackedUp => "not_backed_up",
        };
        CollectionId(format!("smart:{name}"))
    }

    /// The smart album that has this id.
    pub fn from_id(id: &CollectionId) -> Option<Self> {
        Self::ALL.into_iter().find(|album| &album.id() == id)
    }
}

words! {
    /// A folder that the person gave us.
    pub struct Source {
        /// Stable for this folder.
        pub id: SourceId,
        /// Absolute path, as text for people. Bytes that are no UTF-8 are shown replaced.
        pub path: String,
        /// Whether it is there now.
        pub online: bool,
        /// Assets with at least one file in it.
        pub assets: u64,
        /// Whether changes are seen at once. If not, `watch_problem` says why and the folder is looked through at intervals.
        pub watched: bool,
        /// Why watching failed, for people.
        pub watch_problem: Option<String>,
        /// When a scan last went through all of it.
        pub scanned_at: Option<Timestamp>,
        /// Files that could not be read in the last scan.
        pub unreadable: u64,
    }

    /// A folder that probably holds photos, offered at the first run.
    pub struct SuggestedSource {
        /// Absolute path.
        pub path: String,
        /// Photos and videos counted in it; counting stops at 100,000.
        pub photos: u64,
    }

    /// How far a scan is.
    pub struct ScanProgress {
        /// The folder being looked through.
        pub source_id: SourceId,
        /// Files found so far.
        pub found: u64,
        /// Files whose content is known.
        pub indexed: u64,
        /// Whether the walk has ended, so that `found` is final.
        pub counted: bool,
        /// Whether all is indexed.
        pub finished: bool,
    }

    /// Where a photo was taken, WGS 84 degrees.
    pub struct Location {
        /// North positive, -90 to 90.
        pub latitude: f64,
        /// East positive, -180 to 180.
        pub longitude: f64,
    }

    /// One photo or video as a person sees it.
    pub struct Asset {
        /// Derived from the content of the primary resource: the same after a move, a rename or a rebuilt index.
        pub id: AssetId,
        /// What it is.
        pub media_type: MediaType,
        /// What is special about it.
        pub media_subtypes: Vec<MediaSubtype>,
        /// When it was taken, by its metadata, else the file's modification time.
        pub creation_date: Timestamp,
        /// When the library first saw it.
        pub added_date: Timestamp,
        /// Width as shown, orientation applied. 0 if unknown.
        pub pixel_width: u32,
        /// Height as shown, orientation applied. 0 if unknown.
        pub pixel_height: u32,
        /// Length of a video in milliseconds.
        pub duration_ms: Option<u64>,
        /// EXIF orientation of the original, 1 to 8 (EXIF 2.32, tag 0x0112).
        pub orientation: u8,
        /// Maker and model.
        pub camera: Option<String>,
        /// Where it was taken.
        pub location: Option<Location>,
        /// Marked by the person.
        pub is_favorite: bool,
        /// Name of the primary resource.
        pub filename: String,
        /// Bytes of all resources.
        pub byte_count: u64,
    }

    /// One file of an asset.
    pub struct AssetResource {
        /// Derived from the file's content and its part in the asset.
        pub id: ResourceId,
        /// The asset it belongs to.
        pub asset_id: AssetId,
        /// Its part in the asset.
        pub resource_type: AssetResourceType,
        /// Name on disk.
        pub original_filename: String,
        /// Media type, by content.
        pub content_type: String,
        /// Size in bytes.
        pub byte_count: u64,
        /// SHA-256 of the content, lower-case hexadecimal.
        pub sha256: String,
        /// Whether it can be read now.
        pub source_state: SourceState,
        /// Absolute paths of every place that holds these bytes, for people.
        pub paths: Vec<String>,
    }

    /// An asset as a tile of the grid shows it.
    pub struct AssetTile {
        /// The asset.
        pub id: AssetId,
        /// Image or video.
        pub media_type: MediaType,
        /// Badges.
        pub media_subtypes: Vec<MediaSubtype>,
        /// When it was taken.
        pub creation_date: Timestamp,
        /// Width as shown; 0 if unknown.
        pub pixel_width: u32,
        /// Height as shown; 0 if unknown.
        pub pixel_height: u32,
        /// Length of a video.
        pub duration_ms: Option<u64>,
        /// Marked by the person.
        pub is_favorite: bool,
        /// Name of the primary resource, for screen readers.
        pub filename: String,
        /// A thumbhash (21 bytes or so, base64) to show until the thumbnail is there.
        pub thumb_hash: Option<String>,
        /// Where it stands on its way; none if no job is about it.
        pub badge: Option<JobBadge>,
    }

    /// A run of a grid: one month.
    pub struct MonthSection {
        /// `2026-05`, by local time at the camera.
        pub month: String,
        /// Assets in it.
        pub count: u64,
    }

    /// A page of a grid.
    pub struct AssetPage {
        /// Assets, newest first.
        pub assets: Vec<AssetTile>,
        /// Position of the first of them in the collection.
        pub offset: u64,
        /// Assets in the collection.
        pub total: u64,
    }

    /// An album of any kind.
    pub struct AssetCollection {
        /// Stable id.
        pub id: CollectionId,
        /// What it is called.
        pub title: String,
        /// What it is.
        pub kind: CollectionKind,
        /// Which smart album, if it is one.
        pub smart_album: Option<SmartAlbum>,
        /// The folder it belongs to, if it is one.
        pub source_id: Option<SourceId>,
        /// Assets in it.
        pub count: u64,
    }

    /// A place in the history of the library. Opaque; kept by the reader, handed back to ask what changed since.
    pub struct ChangeToken(pub String);

    /// What changed in the library between two tokens.
    pub struct PersistentChanges {
        /// Assets new since the token.
        pub inserted: Vec<AssetId>,
        /// Assets of which something changed.
        pub updated: Vec<AssetId>,
        /// Assets gone.
        pub deleted: Vec<AssetId>,
        /// Where to go on.
        pub change_token: ChangeToken,
        /// Whether there is more after `change_token`.
        pub more: bool,
    }
}
