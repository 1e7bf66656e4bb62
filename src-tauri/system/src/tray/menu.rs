//! The menu as a value.

use afterglow_model::PauseRequest;

use super::{TrayAction, TrayView};

/// One line of the menu.
#[derive(Debug, Clone, PartialEq)]
pub enum MenuEntry {
    /// Can be chosen.
    Item {
        /// Its text.
        label: String,
        /// What choosing it means.
        action: TrayAction,
    },
    /// Opens further entries.
    Menu {
        /// Its text.
        label: String,
        /// They.
        entries: Vec<MenuEntry>,
    },
    /// A line between groups.
    Separator,
}

/// The menu of a view: what is true, what can be done about it, then the windows, then the end.
pub fn menu(view: &TrayView) -> Vec<MenuEntry> {
    let mut entries = vec![item(&view.sentence, TrayAction::OpenUploads)];
    if view.can_upload_anyway {
        entries.push(item("Upload anyway", TrayAction::UploadAnyway));
    }
    entries.push(MenuEntry::Separator);
    entries.push(if view.paused { item("Resume", TrayAction::Resume) } else { pause() });
    entries.push(MenuEntry::Separator);
    entries.push(item("Open Afterglow", TrayAction::Open));
    entries.push(item("Drop window", TrayAction::DropWindow));
    entries.push(item("Settings", TrayAction::Settings));
    entries.push(MenuEntry::Separator);
    entries.push(item("Quit", TrayAction::Quit));
    entries
}

fn pause() -> MenuEntry {
    let entries = vec![
        item("For 1 hour", TrayAction::Pause(PauseRequest::For { seconds: 3600 })),
        item("Until tomorrow", TrayAction::Pause(PauseRequest::UntilTomorrow)),
        item("Until plugged in", TrayAction::Pause(PauseRequest::UntilPluggedIn)),
        item("Until I resume", TrayAction::Pause(PauseRequest::Indefinitely)),
    ];
    MenuEntry::Menu { label: "Pause".to_owned(), entries }
}

fn item(label: &str, action: TrayAction) -> MenuEntry {
    MenuEntry::Item { label: label.to_owned(), action }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TrayIcon;

    fn labels(view: &TrayView) -> Vec<String> {
        let label = |entry| match entry {
            MenuEntry::Item { label, .. } => label,
            MenuEntry::Menu { label, entries } => format!("{label} ({})", entries.len()),
            MenuEntry::Separator => "—".to_owned(),
        };
        menu(view).into_iter().map(label).collect()
    }

    #[test]
    fn the_menu_offers_what_helps_now() {
        let mut view = TrayView {
            icon: TrayIcon::Waiting,
            sentence: "Waiting: this network is metered.".to_owned(),
            can_upload_anyway: true,
            paused: false,
        };
        assert_eq!(
            labels(&view),
            [
                "Waiting: this network is metered.",
                "Upload anyway",
                "—",
                "Pause (4)",
                "—",
                "Open Afterglow",
                "Drop window",
                "Settings",
                "—",
                "Quit"
            ]
        );
        view.paused = true;
        view.can_upload_anyway = false;
        assert_eq!(labels(&view)[1..3], ["—", "Resume"]);
    }
}
