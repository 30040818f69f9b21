//! The file of rows, and what is said of them all.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Value, json};

use crate::row::Row;

/// Rows, and by what they were had.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// For each group: the machine, the date, the versions and the command.
    pub(crate) about: Vec<(String, String)>,
    pub(crate) rows: Vec<Row>,
}

impl Rows {
    pub(crate) fn read(file: &Path) -> io::Result<Self> {
        Ok(Self::parse(&fs::read_to_string(file)?))
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut rows = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let value: Value = serde_json::from_str(line).expect("a line of JSON");
            if let (Some(group), Some(about)) = (value["about"].as_str(), value["text"].as_str()) {
                rows.about.push((group.to_owned(), about.to_owned()));
            } else {
                rows.rows.push(Row::from_json(&value).expect("a row"));
            }
        }
        rows
    }

    /// Puts a group in the place of what there was of it.
    pub(crate) fn replace(&mut self, group: &str, about: String, rows: Vec<Row>) {
        self.about.retain(|(name, _)| name != group);
        self.about.push((group.to_owned(), about));
        self.rows.retain(|row| row.group != group);
        self.rows.extend(rows);
    }

    pub(crate) fn of_group<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.group == group)
    }

    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let about = self.about.iter().map(|(group, text)| json!({ "about": group, "text": text }));
        let lines = about.chain(self.rows.iter().map(Row::to_json));
        let text = lines.map(|line| line.to_string() + "\n").collect::<String>();
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, text)
    }
}
