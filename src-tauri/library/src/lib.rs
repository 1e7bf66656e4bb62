//! Photos on disk to assets: scan, watch, metadata, pairing, albums, changes, thumbnails
