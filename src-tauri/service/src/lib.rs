//! The background service: wires library, queue, scheduler, transfers and system; the local API
