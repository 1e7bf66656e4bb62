//! Opaque ids. Nobody may read a meaning out of one; what they are made from is the business of the crate that mints them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use utoipa::ToSchema;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS, ToSchema)]
            #[serde(transparent)]
            pub struct $name(pub String);

            impl $name {
                /// The id as text, as it stands in JSON and in a table.
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl std::fmt::Display for $name {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(&self.0)
                }
            }

            impl From<String> for $name {
                fn from(text: String) -> Self {
                    Self(text)
                }
            }

            impl From<&str> for $name {
                fn from(text: &str) -> Self {
                    Self(text.to_owned())
                }
            }
        )*
    };
}

id! {
    /// A program that asks for photos, or one of our own connectors.
    AppId;
    /// One photo or video as a person sees it.
    AssetId;
    /// A group of jobs that were asked for together.
    BatchId;
    /// An album of any kind.
    CollectionId;
    /// An account at a server.
    DestinationId;
    /// One resource to one destination.
    JobId;
    /// A question that waits for the person.
    PromptId;
    /// One file of an asset.
    ResourceId;
    /// A standing wish: keep a collection delivered to a destination.
    RuleId;
    /// A sign-in in the browser.
    SignInId;
    /// A folder that the person gave us.
    SourceId;
    /// A check of what could go to the trash.
    SpaceCheckId;
}
