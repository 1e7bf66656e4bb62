//! macOS: the network's path (Network framework, `nw_path_monitor`) and low power mode (Foundation, `NSProcessInfo`). One of the two
//! files here that call foreign functions: there is no safe binding of the path monitor.
#![allow(unsafe_code, reason = "nw_path_monitor and NSNotificationCenter have no safe form")]

use std::{
    ffi::{c_int, c_void},
    ptr::NonNull,
};

use afterglow_model::{Metered, NetworkKind, Reachability};
use block2::{DynBlock, RcBlock};
use objc2::{
    available,
    rc::Retained,
    runtime::{NSObjectProtocol, ProtocolObject},
};
use objc2_foundation::{NSNotification, NSNotificationCenter, NSProcessInfo, NSProcessInfoPowerStateDidChangeNotification};
use tokio::sync::{mpsc, watch};

use super::facts::{NetworkManager, PowerProfile, Source};

/// `nw_path_monitor_t`, an object that is counted.
type Monitor = NonNull<c_void>;
/// `nw_path_t`, borrowed for the time of a call.
type Path = NonNull<c_void>;

// Network/path_monitor.h, Network/path.h, Network/interface.h and dispatch/queue.h of macOS 10.15 and later.
#[link(name = "Network", kind = "framework")]
unsafe extern "C" {
    fn nw_path_monitor_create() -> Option<Monitor>;
    fn nw_path_monitor_set_queue(monitor: Monitor, queue: NonNull<c_void>);
    fn nw_path_monitor_set_update_handler(monitor: Monitor, handler: &DynBlock<dyn Fn(Path)>);
    fn nw_path_monitor_start(monitor: Monitor);
    fn nw_path_monitor_cancel(monitor: Monitor);
    fn nw_release(object: NonNull<c_void>);
    fn nw_path_get_status(path: Path) -> c_int;
    fn nw_path_is_expensive(path: Path) -> bool;
    fn nw_path_is_constrained(path: Path) -> bool;
    fn nw_path_uses_interface_type(path: Path, kind: c_int) -> bool;
}

unsafe extern "C" {
    /// The queue of this priority; it lives as long as the process.
    fn dispatch_get_global_queue(identifier: isize, flags: usize) -> Option<NonNull<c_void>>;
}

/// `nw_path_status_t`.
const STATUS_SATISFIED: c_int = 1;
const STATUS_UNSATISFIED: c_int = 2;
/// `nw_interface_type_t`.
const TYPE_WIFI: c_int = 1;
const TYPE_CELLULAR: c_int = 2;
const TYPE_WIRED: c_int = 3;
/// `QOS_CLASS_UTILITY`, sys/qos.h.
const QOS_UTILITY: isize = 0x11;

/// Asks macOS to be told of changes, until this is dropped.
pub(super) struct Watch {
    monitor: Monitor,
    path: watch::Receiver<Option<NetworkManager>>,
    observer: Option<Retained<ProtocolObject<dyn NSObjectProtocol>>>,
}

// SAFETY: the monitor is an object of the Network framework, whose functions may be called from any thread; here only `drop` calls one,
// with the last reference. The observer is only handed back to the notification centre, which may be used from any thread (Apple,
// "Thread Safety Summary"). The receiver is `Send` and `Sync` itself.
unsafe impl Send for Watch {}
// SAFETY: as above; nothing of it is changed through a shared reference.
unsafe impl Sync for Watch {}

impl Watch {
    pub(super) fn start(changed: mpsc::UnboundedSender<Source>) -> Option<Self> {
        let (seen, path) = watch::channel(None);
        let told = changed.clone();
        // All that the block holds may be used from the queue's threads: a sender of each kind.
        let handler = RcBlock::new(move |path: Path| {
            seen.send_replace(Some(network(path)));
            // Nobody listens any more while the sensors end.
            let _ = told.send(Source::NetworkManager);
        });
        // SAFETY: a global queue is asked for with a documented class and the flags 0.
        let queue = unsafe { dispatch_get_global_queue(QOS_UTILITY, 0) }?;
        // SAFETY: takes nothing, and gives a new object that is ours, or none.
        let monitor = unsafe { nw_path_monitor_create() }?;
        // SAFETY: monitor and queue are live. The handler has the header's type, and the monitor takes a copy of its own. Both are set
        // before the start, as the header asks.
        unsafe {
            nw_path_monitor_set_queue(monitor, queue);
            nw_path_monitor_set_update_handler(monitor, &handler);
            nw_path_monitor_start(monitor);
        }
        Some(Self { monitor, path, observer: has_low_power_mode().then(|| observe(changed)) })
    }

    /// None until the first path was told, which is at once.
    pub(super) fn network(&self) -> Option<NetworkManager> {
        self.path.borrow().clone()
    }

    pub(super) fn power_profile(&self) -> Option<PowerProfile> {
        has_low_power_mode().then(|| PowerProfile { saver: NSProcessInfo::processInfo().isLowPowerModeEnabled() })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(observer) = &self.observer {
            // SAFETY: it is what the centre gave for an observer, and is given back once.
            unsafe { NSNotificationCenter::defaultCenter().removeObserver((**observer).as_ref()) };
        }
        // SAFETY: the monitor is live and ours, and not used after this. A handler under way keeps its block.
        unsafe {
            nw_path_monitor_cancel(self.monitor);
            nw_release(self.monitor);
        }
    }
}

/// macOS has it since 12.
fn has_low_power_mode() -> bool {
    available!(macos = 12.0)
}

fn observe(changed: mpsc::UnboundedSender<Source>) -> Retained<ProtocolObject<dyn NSObjectProtocol>> {
    let block = RcBlock::new(move |_: NonNull<NSNotification>| {
        let _ = changed.send(Source::PowerProfiles);
    });
    // SAFETY: no object and no queue are given, so the block is called on the thread that posts: it holds a sender, which is `Send`
    // and `Sync`. The name is a constant of Foundation.
    unsafe {
        NSNotificationCenter::defaultCenter().addObserverForName_object_queue_usingBlock(
            Some(NSProcessInfoPowerStateDidChangeNotification),
            None,
            None,
            &block,
        )
    }
}

/// What a path says. Low data mode is the person's word, "expensive" the system's guess: a phone's hotspot or a modem. The name of a
/// Wi-Fi would need the person's leave to know where they are.
fn network(path: Path) -> NetworkManager {
    // SAFETY: the path is live for the time of the handler, which this is called from; the functions only read it.
    let (status, expensive, constrained) =
        unsafe { (nw_path_get_status(path), nw_path_is_expensive(path), nw_path_is_constrained(path)) };
    // SAFETY: as above, with a type that the header names.
    let uses = |kind: c_int| unsafe { nw_path_uses_interface_type(path, kind) };
    NetworkManager {
        // A path that is satisfied leads out; whether a sign-in page stands before it is not said.
        reachability: match status {
            STATUS_SATISFIED => Reachability::Full,
            STATUS_UNSATISFIED => Reachability::None,
            _ => Reachability::Unknown,
        },
        metered: match (constrained, expensive) {
            (true, _) => Metered::Yes,
            (false, true) => Metered::GuessYes,
            (false, false) => Metered::GuessNo,
        },
        kind: if uses(TYPE_WIRED) {
            NetworkKind::Wired
        } else if uses(TYPE_WIFI) {
            NetworkKind::Wifi
        } else if uses(TYPE_CELLULAR) {
            NetworkKind::Cellular
        } else {
            NetworkKind::Unknown
        },
        name: None,
        key: None,
    }
}
