//! What the machine says and shows: power, network, session, tray, notifications, secrets
