-- A stored file. `placed` is 0 between the receipt's commit and the file's move from staging into its folder.
CREATE TABLE objects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sender TEXT NOT NULL,
    path TEXT NOT NULL UNIQUE COLLATE NOCASE,
    sha256 BLOB NOT NULL,
    length INTEGER NOT NULL,
    media_type TEXT,
    created_ms INTEGER NOT NULL,
    staged TEXT NOT NULL,
    placed INTEGER NOT NULL,
    UNIQUE (sender, sha256)
) STRICT;
CREATE INDEX objects_of_sender ON objects (sender, id);
CREATE INDEX objects_to_place ON objects (placed) WHERE placed = 0;

-- Which object an idempotency key stands for.
CREATE TABLE keys (
    sender TEXT NOT NULL,
    key TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (sender, key)
) STRICT, WITHOUT ROWID;

-- An upload resource; `acknowledged` bytes were told to the sender as stored, so losing them ends the upload.
CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    sender TEXT NOT NULL,
    key TEXT,
    length INTEGER,
    sha256 BLOB,
    name TEXT NOT NULL,
    modified_ms INTEGER,
    media_type TEXT,
    created_ms INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    outcome TEXT CHECK (outcome IN ('stored', 'mismatched')),
    received_sha256 BLOB,
    UNIQUE (sender, key)
) STRICT;
CREATE INDEX uploads_by_age ON uploads (created_ms);
