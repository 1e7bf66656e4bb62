//! The servers that the suite is put to, by their documents: one file for each protocol.

mod draft;
mod folder;
mod google;
mod immich;
mod nextcloud;
mod request;
mod s3;
mod tus;
mod webdav;
