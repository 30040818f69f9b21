//! What docs/observability.md says that there is, is there.

use std::collections::BTreeMap;
use std::path::Path;

use metrics::Unit;

use crate::recorder::Kept;

#[test]
fn the_page_lists_every_metric_with_its_kind_and_unit() {
    let (kept, _guard) = Kept::here();
    limitra::describe_metrics();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/observability.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `limitra_"));
    let listed: BTreeMap<String, (String, bool)> = rows
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            (cells[0].trim_matches('`').to_owned(), (cells[1].to_owned(), cells[2] == "seconds"))
        })
        .collect();
    let described: BTreeMap<String, (String, bool)> = kept
        .described()
        .into_iter()
        .map(|(name, (kind, unit))| (name, (kind.to_owned(), unit == Some(Unit::Seconds))))
        .collect();
    assert!(described.len() > 10);
    assert_eq!(listed, described);
}
