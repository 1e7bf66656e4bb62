//! How an app describes the requests that carry its file, where a protocol of ours does not.
//!
//! Values may hold `{{name}}`, which becomes, at the moment of sending: `filename`, `byte_count`, `content_type`, `created_at` (RFC 3339),
//! `sha256` and `sha1` (lower-case hexadecimal), `key` (the idempotency key), and of the answer of the job that goes first
//! `after.status`, `after.header.NAME`, and `after.json.POINTER` (RFC 6901).

use std::collections::BTreeMap;

use crate::{names, words};

names! {
    /// How a request that carries content is made.
    #[derive(Default)]
    pub enum RequestMethod {
        /// `POST`.
        #[default]
        Post,
        /// `PUT`.
        Put,
        /// `PATCH`.
        Patch,
    }

    /// A digest that a server may state.
    pub enum DigestAlgorithm {
        /// SHA-256.
        Sha256,
        /// SHA-1.
        Sha1,
    }
}

words! {
    /// The requests that carry the file.
    #[derive(Eq, Default)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    pub enum JobBody {
        /// IETF resumable uploads, created at the URL.
        #[default]
        Resumable,
        /// tus 1.0, created at the URL.
        Tus,
        /// One request whose content is the file's bytes, as PhotoKit makes it.
        Raw {
            /// How.
            #[serde(default)]
            method: RequestMethod,
            /// What makes its answer a success.
            #[serde(default)]
            success: SuccessRule,
        },
        /// One request that carries the file in a form (`multipart/form-data`, RFC 7578).
        Multipart {
            /// How.
            #[serde(default)]
            method: RequestMethod,
            /// The name of the file's part.
            file_field: String,
            /// The other parts, before the file, in this order.
            #[serde(default)]
            fields: Vec<FormField>,
            /// What makes its answer a success.
            #[serde(default)]
            success: SuccessRule,
        },
        /// The file in parts, each `PUT` to a URL that somebody has signed, as buckets take them. All of one origin with the job's URL.
        PresignedParts {
            /// Bytes of every part but the last.
            part_bytes: u64,
            /// Where each part goes, in order; as many as the file needs.
            part_urls: Vec<String>,
            /// The request that makes the parts one; none if the last part does.
            complete: Option<CompletingRequest>,
            /// What makes the answer to that request, or to the last part, a success.
            #[serde(default)]
            success: SuccessRule,
        },
    }

    /// A part of a form.
    #[derive(Eq)]
    pub struct FormField {
        /// Its name.
        pub name: String,
        /// Its value; may hold `{{name}}`.
        pub value: String,
    }

    /// The request after the last part.
    #[derive(Eq)]
    pub struct CompletingRequest {
        /// Where to.
        pub url: String,
        /// How.
        #[serde(default)]
        pub method: RequestMethod,
        /// Its media type.
        pub content_type: String,
        /// What stands in its content for each part; may hold `{{number}}`, from 1, and `{{etag}}`, as the answer to the part said.
        pub part: String,
        /// Its content; `{{parts}}` is all of those in a row.
        pub content: String,
    }

    /// What makes an answer a success, beside that it came after the whole file was sent.
    #[derive(Eq, Default)]
    #[serde(default)]
    pub struct SuccessRule {
        /// Statuses; empty for every 2xx.
        pub status: Vec<u16>,
        /// Header fields that have to be there, each with the value that it must have; an empty value for any.
        pub headers: BTreeMap<String, String>,
        /// A digest of the content that the answer has to state. Then the delivery is verified, else accepted.
        pub digest: Option<DigestRule>,
    }

    /// Where an answer states the digest of what was received, in hexadecimal or Base64.
    #[derive(Eq)]
    pub struct DigestRule {
        /// Which digest.
        pub algorithm: DigestAlgorithm,
        /// The header field; else `json`.
        pub header: Option<String>,
        /// The place in the body (RFC 6901).
        pub json: Option<String>,
    }
}
