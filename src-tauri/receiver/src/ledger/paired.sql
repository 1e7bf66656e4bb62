-- Who may send because they were paired: by the SHA-256 of their token, never the token.
CREATE TABLE paired (
    sender TEXT PRIMARY KEY,
    token_sha256 BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
