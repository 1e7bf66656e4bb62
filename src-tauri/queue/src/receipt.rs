//! The ledger: what every destination holds, with its proof. It outlives the jobs.

use afterglow_model::{DestinationId, JobId, Receipt, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use crate::text::{self, Digest, Word};
use crate::{Queue, QueueError};

pub(crate) const SCHEMA: &str = "
CREATE TABLE receipt (
    seq INTEGER PRIMARY KEY,
    destination_id TEXT NOT NULL REFERENCES destination (id),
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    -- Empty for what the destination is to hold once; the job's id for an upload with a name or a URL of its own.
    slot TEXT NOT NULL,
    job_id TEXT NOT NULL,
    byte_count INTEGER NOT NULL,
    remote_id TEXT NOT NULL,
    evidence TEXT NOT NULL,
    delivered_at INTEGER NOT NULL,
    UNIQUE (destination_id, sha256, slot)
) STRICT;
CREATE INDEX receipt_order ON receipt (destination_id, seq);
CREATE INDEX receipt_time ON receipt (delivered_at, byte_count);
";

/// A page of the ledger, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiptPage {
    /// Them.
    pub receipts: Vec<Receipt>,
    /// Hand this back for the next page.
    pub cursor: Option<String>,
}

/// What was delivered in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delivered {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Queue {
    /// The ledger of a destination, also of one that was removed.
    pub async fn receipts(&self, id: &DestinationId, cursor: Option<&str>, limit: u32) -> Result<ReceiptPage, QueueError> {
        let (id, before) = (id.clone(), position(cursor)?);
        self.read(move |db| {
            let mut page =
                db.prepare_cached("SELECT * FROM receipt WHERE destination_id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3")?;
            let rows =
                page.query_map(params![id.as_str(), before, limit], |row| Ok((row.get::<_, i64>("seq")?, receipt_row(row)?)))?;
            let (seqs, receipts): (Vec<_>, Vec<_>) = rows.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
            Ok(ReceiptPage { cursor: next(&seqs, limit), receipts })
        })
        .await
    }

    /// The server's names for contents that a destination holds, in the order of their SHA-256 in hexadecimal; none for what it does not.
    pub async fn remote_ids(&self, id: &DestinationId, sha256: &[String]) -> Result<Vec<Option<String>>, QueueError> {
        let (id, sha256) = (id.clone(), sha256.to_vec());
        self.read(move |db| {
            let mut found =
                db.prepare_cached("SELECT remote_id FROM receipt WHERE destination_id = ?1 AND sha256 = ?2 AND slot = ''")?;
            let mut name =
                |hex: &String| Ok(found.query_row(params![id.as_str(), text::digest(hex)?], |row| row.get(0)).optional()?);
            sha256.iter().map(&mut name).collect()
        })
        .await
    }

    /// What destinations that are still there hold of these contents, by the ledger, the best proof first.
    pub async fn holdings(&self, sha256: &[String]) -> Result<Vec<Receipt>, QueueError> {
        let sha256 = sha256.to_vec();
        self.read(move |db| {
            let mut found = db.prepare_cached(
                "SELECT receipt.* FROM destination JOIN receipt ON receipt.destination_id = destination.id
                 WHERE receipt.sha256 = ?1 AND receipt.slot = '' AND destination.removed_at IS NULL",
            )?;
            let mut receipts = Vec::new();
            for hex in &sha256 {
                receipts.extend(found.query_map([text::digest(hex)?], receipt_row)?.collect::<Result<Vec<_>, _>>()?);
            }
            receipts.sort_by_key(|receipt| std::cmp::Reverse((receipt.evidence, receipt.delivered_at)));
            Ok(receipts)
        })
        .await
    }

    /// What was delivered at or after `since`.
    pub async fn delivered_since(&self, since: Timestamp) -> Result<Delivered, QueueError> {
        self.read(move |db| {
            let mut sum =
                db.prepare_cached("SELECT count(*), coalesce(sum(byte_count), 0) FROM receipt WHERE delivered_at >= ?1")?;
            Ok(sum.query_row([since.0], |row| Ok(Delivered { files: row.get(0)?, bytes: row.get(1)? }))?)
        })
        .await
    }
}

/// The position that a cursor stands for; past the newest without one.
pub(crate) fn position(cursor: Option<&str>) -> Result<i64, QueueError> {
    let Some(cursor) = cursor else { return Ok(i64::MAX) };
    cursor.parse().map_err(|_| QueueError::Invalid(format!("“{cursor}” is not a cursor of a former page.")))
}

/// The cursor after a page: none if the page was not full.
pub(crate) fn next(seqs: &[i64], limit: u32) -> Option<String> {
    let full = u32::try_from(seqs.len()).is_ok_and(|rows| rows >= limit);
    seqs.last().filter(|_| full).map(i64::to_string)
}

/// Enters a delivery, unless the ledger has it; true if it is new, and the destination's counts want it. Part of the commit that ends the job.
pub(crate) fn enter(db: &Connection, slot: &str, receipt: &Receipt) -> Result<bool, QueueError> {
    let mut add = db.prepare_cached(
        "INSERT INTO receipt (destination_id, sha256, slot, job_id, byte_count, remote_id, evidence, delivered_at)
         VALUES (:destination_id, :sha256, :slot, :job_id, :byte_count, :remote_id, :evidence, :delivered_at)
         ON CONFLICT (destination_id, sha256, slot) DO NOTHING",
    )?;
    let added = add.execute(named_params! {
        ":destination_id": receipt.destination_id.as_str(), ":sha256": text::digest(&receipt.sha256)?, ":slot": slot,
        ":job_id": receipt.job_id.as_str(), ":byte_count": receipt.byte_count, ":remote_id": receipt.remote_id,
        ":evidence": Word(receipt.evidence), ":delivered_at": receipt.delivered_at.0,
    })?;
    Ok(added > 0)
}

/// Whether the destination holds this content.
pub(crate) fn holds(db: &Connection, destination: &DestinationId, sha256: &Digest) -> Result<bool, QueueError> {
    let mut found = db.prepare_cached("SELECT 1 FROM receipt WHERE destination_id = ?1 AND sha256 = ?2 AND slot = ''")?;
    Ok(found.exists(params![destination.as_str(), sha256])?)
}

pub(crate) fn receipt_row(row: &Row<'_>) -> rusqlite::Result<Receipt> {
    let Word(evidence) = row.get("evidence")?;
    Ok(Receipt {
        job_id: JobId(row.get("job_id")?),
        destination_id: DestinationId(row.get("destination_id")?),
        sha256: text::hex(&row.get("sha256")?),
        byte_count: row.get("byte_count")?,
        remote_id: row.get("remote_id")?,
        evidence,
        delivered_at: Timestamp(row.get("delivered_at")?),
    })
}
