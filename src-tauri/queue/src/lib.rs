//! What must not be lost: apps, grants, rules, jobs, receipts
