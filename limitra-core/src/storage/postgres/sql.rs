//! The table, and what is asked of it.

use crate::error::ConfigurationError;

/// The table that is used if no other is named.
pub(super) const TABLE_NAME: &str = "limitra_records";
/// So that the index, whose name is longer, has one of its own.
const LONGEST_NAME: usize = 48;
/// How many expired rows are removed at once.
pub(super) const SWEPT: i64 = 128;
/// How many rows are looked at in one page of a reset.
const PAGE: u32 = 1000;

/// The statements, the table's name in each of them.
#[derive(Clone, Debug)]
pub(super) struct Sql {
    /// The table's name as the user wrote it.
    pub(super) table_name: String,
    /// Makes the table and its index if there is none.
    pub(super) create: String,
    /// Keys -> a row with nothing but the time, then key, value and version of each that there is.
    pub(super) load: String,
    /// Key, value, version, how long it is kept -> how many rows were written: one, or none if the key is taken.
    pub(super) insert: String,
    /// Key, value, version, the version expected, how long it is kept at least and at most -> how many rows were written.
    pub(super) update: String,
    /// The same in arrays, no version expected where there must be no row -> whether all were written; else none was.
    pub(super) swap: String,
    /// How many -> how many expired rows were removed.
    pub(super) sweep: String,
    /// Key.
    pub(super) delete: String,
    /// The key after which to begin, the least key that is beyond, the beginning of the keys -> the last key that was
    /// looked at, and how many rows were removed.
    pub(super) reset: String,
}

impl Sql {
    /// The statements for a table: a name, or a schema and a name.
    pub(super) fn new(table_name: &str) -> Result<Self, ConfigurationError> {
        let table = quoted(table_name)?;
        let name = table_name.rsplit('.').next().unwrap_or(table_name);
        // Where the end that is there is late enough and not too late it stays, so that the index needs no new entry
        // and the old version of the row can be pruned at once (a heap-only update).
        let micros = |parameter: &str| format!("now() + {parameter} * interval '1 microsecond'");
        let expires = |least: &str, most: &str| {
            let (least, most) = (micros(least), micros(most));
            format!(
                "CASE WHEN record.expires_at BETWEEN {least} AND {most} THEN record.expires_at ELSE {most} END"
            )
        };
        Ok(Self {
            table_name: table_name.to_owned(),
            create: format!(
                "SELECT pg_advisory_xact_lock(hashtext('limitra: create table'));\n{}",
                migration(&table, name)
            ),
            load: format!(
                "SELECT NULL::text, NULL::bytea, NULL::bigint, clock_timestamp() \
                 UNION ALL SELECT key, value, version, NULL FROM {table} WHERE key = ANY($1::text[])"
            ),
            insert: format!(
                "INSERT INTO {table} (key, value, version, expires_at) \
                 VALUES ($1::text, $2::bytea, $3::bigint, {}) ON CONFLICT (key) DO NOTHING",
                micros("$4::bigint")
            ),
            // A row that another one is changing is not waited for: its version would not be the one expected.
            update: format!(
                "WITH held AS MATERIALIZED (\
                   SELECT key FROM {table} WHERE key = $1::text AND version = $4::bigint FOR UPDATE SKIP LOCKED) \
                 UPDATE {table} AS record SET value = $2::bytea, version = $3::bigint, expires_at = {} \
                 FROM held WHERE record.key = held.key AND record.version = $4::bigint",
                expires("$5::bigint", "$6::bigint")
            ),
            // A key that somebody else takes meanwhile ends it by a unique violation, which undoes all of it. Locks on rows
            // are never waited for, keys are taken in one order: nobody waits for somebody who waits for him.
            swap: format!(
                "WITH given AS MATERIALIZED (\
                   SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) \
                   AS given (key, value, version, expected, least, most)), \
                 held AS MATERIALIZED (\
                   SELECT record.key FROM given JOIN {table} AS record \
                   ON record.key = given.key AND record.version = given.expected FOR UPDATE OF record SKIP LOCKED), \
                 ready AS MATERIALIZED (\
                   SELECT (SELECT count(*) FROM held) = (SELECT count(expected) FROM given) AND NOT EXISTS (\
                     SELECT FROM given JOIN {table} AS record ON record.key = given.key WHERE given.expected IS NULL) \
                   AS ready), \
                 updated AS (\
                   UPDATE {table} AS record SET value = given.value, version = given.version, expires_at = {} \
                   FROM given, ready WHERE ready.ready AND record.key = given.key AND record.version = given.expected \
                   RETURNING 1), \
                 inserted AS (\
                   INSERT INTO {table} (key, value, version, expires_at) \
                   SELECT given.key, given.value, given.version, {} FROM given, ready \
                   WHERE ready.ready AND given.expected IS NULL ORDER BY given.key COLLATE \"C\" RETURNING 1) \
                 SELECT (SELECT count(*) FROM updated) + (SELECT count(*) FROM inserted) = (SELECT count(*) FROM given)",
                expires("given.least", "given.most"),
                micros("given.most")
            ),
            sweep: format!(
                "DELETE FROM {table} WHERE key IN (\
                   SELECT key FROM {table} WHERE expires_at < now() ORDER BY expires_at \
                   LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"
            ),
            delete: format!("DELETE FROM {table} WHERE key = $1::text"),
            reset: format!(
                "WITH page AS MATERIALIZED (\
                   SELECT key FROM {table} WHERE ($1::text IS NULL OR key > $1::text) AND ($2::text IS NULL OR key < $2::text) \
                   AND starts_with(key, $3::text) ORDER BY key LIMIT {PAGE} FOR UPDATE), \
                 gone AS (\
                   DELETE FROM {table} AS record USING page WHERE record.key = page.key \
                   AND substring(record.value FROM 1 FOR 2) = '\\x4c52'::bytea RETURNING 1) \
                 SELECT (SELECT max(key) FROM page), (SELECT count(*) FROM gone)"
            ),
        })
    }
}

/// The SQL that makes a table of this name and its index, for those who run their migrations themselves.
pub(super) fn migration_of(table_name: &str) -> Result<String, ConfigurationError> {
    let name = table_name.rsplit('.').next().unwrap_or(table_name);
    Ok(migration(&quoted(table_name)?, name))
}

fn migration(table: &str, name: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (\n    \
             key text COLLATE \"C\" PRIMARY KEY,\n    \
             value bytea NOT NULL,\n    \
             version bigint NOT NULL,\n    \
             expires_at timestamptz NOT NULL\n\
         ) WITH (fillfactor = 70);\n\
         CREATE INDEX IF NOT EXISTS \"{name}_expires_at\" ON {table} (expires_at);\n"
    )
}

/// The name as it stands in SQL. It is quoted, and nothing that would end the quotes is let in.
fn quoted(table_name: &str) -> Result<String, ConfigurationError> {
    let is_name = |part: &str| {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        part.len() <= LONGEST_NAME
            && part.chars().all(is_letter)
            && part.starts_with(|first: char| !first.is_ascii_digit())
    };
    let parts: Vec<&str> = table_name.split('.').collect();
    if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
        return Err(ConfigurationError::StorageOption {
            name: "table_name",
            value: table_name.to_owned(),
            expected: "a table's name, or a schema and a name with a dot between, each of at most 48 ASCII letters, digits and underscores",
        });
    }
    Ok(format!("\"{}\"", parts.join("\".\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_be_more_than_a_name_is_none() {
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a.b.c",
            "1a",
            "a b",
            "a-b",
            "a\"b",
            "a;DROP TABLE b",
            "a'b",
            "a\\b",
            "a\0",
            "é",
        ] {
            let error = Sql::new(name).expect_err(name);
            assert!(error.to_string().contains("table_name"), "{error}");
        }
        assert!(Sql::new(&"a".repeat(48)).is_ok() && Sql::new(&"a".repeat(49)).is_err());
    }

    #[test]
    fn a_name_is_quoted_wherever_it_stands() {
        let sql = Sql::new("limits.Order").expect("a name");
        for statement in
            [&sql.create, &sql.load, &sql.insert, &sql.update, &sql.swap, &sql.sweep, &sql.delete, &sql.reset]
        {
            assert!(statement.contains("\"limits\".\"Order\""), "{statement}");
        }
        assert!(sql.create.contains("INDEX IF NOT EXISTS \"Order_expires_at\" ON \"limits\".\"Order\""));
    }
}
