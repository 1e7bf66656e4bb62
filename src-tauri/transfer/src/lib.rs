//! Bytes to destinations: one driver, one small file per protocol
