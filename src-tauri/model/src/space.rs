//! Freeing up space: files that a destination was found to hold just now, moved to the desktop's trash on the person's word.

use crate::{AssetId, CollectionId, DestinationId, Evidence, SpaceCheckId, Timestamp, names, words};

names! {
    /// Why an asset stays where it is.
    pub enum KeptReason {
        /// A file of it was delivered nowhere, or not to the proof that this needs.
        NotDelivered,
        /// It was only delivered to this computer.
        OnThisComputer,
        /// An upload of it has not ended.
        Wanted,
        /// Its folder is not connected, or a file of it is being written.
        Offline,
        /// Its folder cannot be written to.
        ReadOnly,
        /// It lies in the folder of a destination.
        DestinationFolder,
        /// A file is not what was delivered any more, or cannot be read.
        Changed,
        /// The destination does not hold it any more.
        NotHeld,
        /// The destination cannot show what it holds without a download.
        CannotBeAsked,
        /// The destination did not answer.
        Unreachable,
    }

    /// How far a check is.
    pub enum SpaceCheckState {
        /// It goes on.
        Running,
        /// It is done.
        Done,
        /// It ended before its end; `problem` says why.
        Failed,
    }
}

words! {
    /// Begins a check of what could go to the trash. Nothing is moved by it.
    #[derive(Default)]
    #[serde(default)]
    pub struct BeginSpaceCheck {
        /// Only what this destination holds, by id or name. A server at an address of this computer counts only if it is named here.
        pub destination_id: Option<DestinationId>,
        /// Only assets of this collection, by id or title.
        pub collection_id: Option<CollectionId>,
        /// Only assets taken before.
        pub taken_before: Option<Timestamp>,
        /// Only assets that the library first saw before.
        pub added_before: Option<Timestamp>,
        /// Offer at most so many assets: 1 to 10,000, else 1000.
        pub limit: Option<u32>,
        /// Have the files fetched back and compared where a destination shows no digest. Costs a download of each.
        pub read_back: bool,
    }

    /// A check, as far as it is.
    pub struct SpaceCheck {
        /// Names it, until its proofs are too old.
        pub id: SpaceCheckId,
        /// How far it is.
        pub state: SpaceCheckState,
        /// Why it failed.
        pub problem: Option<String>,
        /// Assets looked at.
        pub looked_at: u64,
        /// Assets to look at, before `taken_before`, `added_before` and `limit` leave some out.
        pub total: u64,
        /// What could go, once the check is done.
        pub assets: Vec<SpareAsset>,
        /// Bytes of it.
        pub byte_count: u64,
        /// What stays, by reason.
        pub kept: Vec<Kept>,
        /// Whether there may be more than `limit` let it offer.
        pub more: bool,
    }

    /// An asset whose every file a destination was just found to hold.
    pub struct SpareAsset {
        /// The asset.
        pub asset_id: AssetId,
        /// Name of its primary file.
        pub filename: String,
        /// Bytes of all its files.
        pub byte_count: u64,
        /// Its files, which go together.
        pub files: Vec<SpareFile>,
        /// Until when it may be moved: 15 minutes after the first of its files was asked for.
        pub valid_until: Timestamp,
    }

    /// A file that could go.
    pub struct SpareFile {
        /// Where it lies, for people.
        pub path: String,
        /// Bytes.
        pub byte_count: u64,
        /// Which destination holds it.
        pub destination_id: DestinationId,
        /// What that is called.
        pub destination_name: String,
        /// What it showed.
        pub evidence: Evidence,
        /// When.
        pub asked_at: Timestamp,
    }

    /// Assets that stay for one reason.
    pub struct Kept {
        /// Why.
        pub reason: KeptReason,
        /// How many assets.
        pub assets: u64,
        /// The same for people; where there is one, what the first of them was told.
        pub sentence: String,
    }

    /// The person's word: these assets of a check may go to the trash.
    pub struct MoveToTrash {
        /// Which.
        pub asset_ids: Vec<AssetId>,
    }

    /// What became of it.
    pub struct MovedToTrash {
        /// Every file, and of an asset that the check does not offer one entry without a path.
        pub files: Vec<TrashedFile>,
        /// Files that are in the trash now.
        pub moved: u64,
        /// Bytes of them.
        pub byte_count: u64,
    }

    /// One file.
    pub struct TrashedFile {
        /// Its asset.
        pub asset_id: AssetId,
        /// Where it lay.
        pub path: Option<String>,
        /// Bytes.
        pub byte_count: u64,
        /// Why it stayed; none if it is in the trash.
        pub problem: Option<String>,
    }
}

impl KeptReason {
    /// Why, as a person is told.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotDelivered => "not delivered, or not verified there by a digest",
            Self::OnThisComputer => "delivered only to this computer",
            Self::Wanted => "an upload of it has not ended",
            Self::Offline => "its folder is not connected, or it is being written",
            Self::ReadOnly => "its folder cannot be written to",
            Self::DestinationFolder => "it lies in the folder of a destination",
            Self::Changed => "the file changed or cannot be read",
            Self::NotHeld => "the destination does not hold it any more",
            Self::CannotBeAsked => "the destination shows no digest without a download",
            Self::Unreachable => "the destination did not answer",
        }
    }
}
