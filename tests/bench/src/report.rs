//! limitra beside its peers, as a table.

use std::fmt::Write as _;

use crate::goals::goal;
use crate::row::Row;

/// A table of these rows: each figure of limitra, and each of a peer in the same case beside it.
pub(crate) fn table<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let rows: Vec<&Row> = rows.collect();
    let mut text =
        "| case | subject | limitra | beside | | ratio | goal |\n|---|---|--:|---|--:|--:|---|\n".to_owned();
    for ours in rows.iter().filter(|row| is_ours(row)) {
        let peers = rows.iter().filter(|row| !is_ours(row) && row.is_comparable(ours));
        let mut is_alone = true;
        for peer in peers {
            is_alone = false;
            let ratio = Some(ours.times_better(peer)).filter(|ratio| ratio.is_finite());
            let ratio = ratio.map(|ratio| format!("{ratio:.2}x")).unwrap_or_default();
            line(&mut text, ours, &peer.subject, &shown(peer), &ratio, goal(ours, Some(peer)));
        }
        let own = goal(ours, None);
        if is_alone || own.is_some() {
            line(&mut text, ours, "", "", "", own);
        }
    }
    text
}

fn line(text: &mut String, ours: &Row, peer: &str, value: &str, ratio: &str, goal: Option<(String, bool)>) {
    let goal =
        goal.map(|(goal, is_reached)| format!("{goal}: {}", if is_reached { "yes" } else { "**no**" }));
    let (case, metric, subject) = (&ours.case, &ours.metric, &ours.subject);
    let at = ours.at.map(|at| format!(" at {at}")).unwrap_or_default();
    writeln!(
        text,
        "| {case}{at}: {metric} | {subject} | {} | {peer} | {value} | {ratio} | {} |",
        shown(ours),
        goal.unwrap_or_default()
    )
    .unwrap();
}

/// Where a peer is ahead, as a list: only what is limitra's plain way, not an option of it.
pub(crate) fn behind<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let rows: Vec<&Row> = rows.collect();
    let mut text = String::new();
    for ours in rows.iter().filter(|row| row.subject == "limitra") {
        for peer in rows.iter().filter(|row| !is_ours(row) && row.is_comparable(ours)) {
            let ratio = peer.times_better(ours);
            // What differs by less than this is alike.
            if ratio > 1.05 && ratio.is_finite() {
                let (case, metric) = (&ours.case, &ours.metric);
                writeln!(text, "* {case}, {metric}: {} is {ratio:.2}x ahead", peer.subject).unwrap();
            }
        }
    }
    if text.is_empty() { "* Nowhere in this run.\n".to_owned() } else { text }
}

pub(crate) fn is_ours(row: &Row) -> bool {
    row.subject.starts_with("limitra")
}

/// A figure with its unit.
pub(crate) fn shown(row: &Row) -> String {
    figure(row.value, &row.unit)
}

/// A value with its unit.
pub(crate) fn figure(value: f64, unit: &str) -> String {
    match (unit, value.abs()) {
        ("/s", 1e6..) => format!("{:.2} M/s", value / 1e6),
        ("/s", 1e3..) => format!("{:.1} k/s", value / 1e3),
        ("us", 1e3..) => format!("{:.1} ms", value / 1e3),
        ("ns", 1e3..) => format!("{:.2} us", value / 1e3),
        ("allocations" | "instructions", _) => format!("{value:.0}"),
        (_, 100.0..) => format!("{value:.0} {unit}"),
        _ => format!("{value:.1} {unit}"),
    }
}
