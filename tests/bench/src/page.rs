//! The published pages: their tables and pictures say what the published rows say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::command::published;
use crate::curves;
use crate::picture::draw;
use crate::report;
use crate::row::Row;
use crate::rows::Rows;
use crate::sizing;

/// A file and what it should hold.
pub(crate) type Page = (PathBuf, String);

/// Writes every page and picture anew; says which.
pub(crate) fn write() -> io::Result<Vec<PathBuf>> {
    let pages = pages(&Rows::read(&published().join("rows.jsonl"))?)?;
    for (file, text) in &pages {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)?;
    }
    Ok(pages.into_iter().map(|(file, _)| file).collect())
}

fn pages(rows: &Rows) -> io::Result<Vec<Page>> {
    let docs = published().join("..");
    let mut pages = pictures(rows, &docs.join("pictures"));
    for name in ["performance.md", "sizing.md"] {
        let file = docs.join(name);
        let text = filled(&fs::read_to_string(&file)?, |part| part_of(part, rows));
        pages.push((file, text));
    }
    Ok(pages)
}

/// The text of a part of a page.
fn part_of(name: &str, rows: &Rows) -> String {
    match name.split_once(' ') {
        Some(("about", group)) => {
            let about = rows.about.iter().find(|(name, _)| name == group);
            about.map_or_else(
                || "Not measured yet.\n".to_owned(),
                |(_, about)| format!("Measured on {about}.\n"),
            )
        }
        Some(("table", group)) => report::table(rows.of_group(group)),
        Some(("behind", group)) => report::behind(rows.of_group(group)),
        Some(("sizing", part)) => sizing::part(part, rows),
        _ => panic!("a page has a part {name:?}, which nobody knows"),
    }
}

/// A page with each `<!-- name -->` .. `<!-- end -->` filled anew.
fn filled(page: &str, part: impl Fn(&str) -> String) -> String {
    let (mut text, mut is_inside) = (String::new(), false);
    for line in page.lines() {
        let name = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        if name == Some("end") {
            is_inside = false;
        }
        if !is_inside {
            text += line;
            text.push('\n');
        }
        if let Some(name) = name.filter(|name| *name != "end") {
            is_inside = true;
            text += "\n";
            text += &part(name);
            text += "\n";
        }
    }
    text
}

fn pictures(rows: &Rows, folder: &Path) -> Vec<Page> {
    let picture = |name: &str, case: &str, metric: &str, title: &str, across: &str| {
        let rows: Vec<&Row> =
            rows.of_group(curves::GROUP).filter(|row| row.case == case && row.metric == metric).collect();
        (folder.join(format!("{name}.svg")), draw(title, across, &rows))
    };
    let (time, busy) = ("time per decision", "server time per decision");
    vec![
        picture("keys", curves::KEYS, time, "Time per decision in memory, by number of keys", "keys"),
        picture("rules", curves::RULES, time, "Time per decision in memory, by number of rules", "rules"),
        picture(
            "rules-redis",
            curves::RULES,
            busy,
            "Redis server time per decision, by number of rules",
            "rules",
        ),
        picture(
            "moving-window",
            curves::MOVING_WINDOW,
            time,
            "Time per decision in memory, by the limit of a moving window with a full log",
            "hits in a window",
        ),
        picture(
            "moving-window-redis",
            curves::MOVING_WINDOW,
            busy,
            "Redis server time per decision, by the limit of a moving window with a full log",
            "hits in a window",
        ),
        picture(
            "tasks",
            curves::TASKS,
            "decisions a second",
            "Decisions a second on one Redis, by concurrent tasks",
            "tasks",
        ),
        picture(
            "tasks-p99",
            curves::TASKS,
            "p99",
            "99th percentile of a decision on one Redis, by concurrent tasks",
            "tasks",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_page_is_replaced_and_the_rest_kept() {
        let page = "before\n<!-- name -->\nold\n<!-- end -->\nafter\n";
        let filled = filled(page, |name| format!("{name} anew\n"));
        assert_eq!(filled, "before\n<!-- name -->\n\nname anew\n\n<!-- end -->\nafter\n");
    }

    #[test]
    fn the_published_tables_and_pictures_are_what_the_published_rows_say() {
        let rows = Rows::read(&published().join("rows.jsonl")).unwrap();
        for (file, text) in pages(&rows).unwrap() {
            let kept = fs::read_to_string(&file).unwrap_or_default();
            assert!(kept == text, "{}: cargo run -p limitra-bench -- draw", file.display());
        }
    }
}
