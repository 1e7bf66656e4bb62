//! The one place that prints: sentences for people, JSON for programs.
#![allow(clippy::print_stderr, reason = "a command line prints")]

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// A line for people.
pub(crate) fn line(text: impl AsRef<str>) {
    print(&printable(text.as_ref()));
}

/// What went wrong.
pub(crate) fn error(text: &str) {
    eprintln!("afterglow: {}", printable(text));
}

/// A line for people while a program reads the answer.
pub(crate) fn aside(text: &str) {
    eprintln!("{}", printable(text));
}

/// An answer as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Text that is no sentence: for another program, as it is.
pub(crate) fn text(text: &str) {
    print(text.trim_end_matches('\n'));
}

/// A reader that has read enough (`| head`) is no error; it ends the program, as it ends others (POSIX, SIGPIPE).
fn print(text: &str) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Whether somebody looks at a terminal, so that a bar may move on it.
pub(crate) fn is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Names of files are hostile: what could steer a terminal is replaced.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// Rows in columns as wide as they need to be.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).chain([head[column].chars().count()]).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let row = |cells: [&str; N]| {
        let cells: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end());
    };
    row(head);
    for cells in rows {
        row(std::array::from_fn(|column| cells[column].as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn a_file_name_cannot_steer_the_terminal() {
        assert_eq!(printable("IMG\x1b[2J\r.jpg"), "IMG\u{fffd}[2J\u{fffd}.jpg");
    }
}
