//! The collection and what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use ::mongodb::bson::spec::BinarySubtype;
use ::mongodb::bson::{Binary, Bson, Document, RawBsonRef, RawDocument, doc, serialize_to_document};
use ::mongodb::options::{ReadConcern, ReadPreference, SelectionCriteria};
use ::mongodb::{Client, Collection, Database};
use tokio::sync::oneshot;

use super::failure::Failure;
use crate::storage::register::Stored;
use crate::time::Micros;

/// The name that MongoDB itself gives to this index.
const INDEX_NAME: &str = "expireAt_1";
/// No record's version: that of one that is not there.
const NO_VERSION: i64 = -1;
const DUPLICATE_KEY: i32 = 11000;

/// The documents of one collection: `{_id: key, version: int64, value: binary, expireAt: date}`.
///
/// Whatever writes is sent as a plain command, which the driver never repeats, whatever `retryWrites` says.
#[derive(Clone)]
pub(super) struct Records {
    database: Database,
    collection: Collection<Document>,
    write_concern: Option<Document>,
    /// Closed once the runtime is gone.
    runtime: Arc<oneshot::Sender<()>>,
}

/// The range of `_id` of the records with one prefix: from, and up to but not including.
pub(super) struct Range {
    from: String,
    to: Option<String>,
}

impl Records {
    /// Belongs to the runtime that it is called in.
    pub(super) fn new(client: &Client, database: &str, collection: &str) -> Self {
        let database = client.database(database);
        let collection = database.collection(collection);
        let (runtime, gone) = oneshot::channel();
        // Ends with the last clone of this, or is dropped with its runtime.
        tokio::spawn(gone);
        let write_concern = client.write_concern().and_then(|concern| serialize_to_document(concern).ok());
        Self { database, collection, write_concern, runtime: Arc::new(runtime) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.runtime.is_closed()
    }

    pub(super) async fn ping(&self) -> Result<(), Failure> {
        self.database.run_command(doc! { "ping": 1 }).await?;
        Ok(())
    }

    /// Creates the index by which the server removes what has expired, if it is not there.
    pub(super) async fn create_index(&self) -> Result<(), Failure> {
        let index = doc! { "key": { "expireAt": 1 }, "name": INDEX_NAME, "expireAfterSeconds": 0 };
        let created = self.database.run_command(doc! {
            "createIndexes": self.collection.name(),
            "indexes": [index],
        });
        match created.await {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::of_index(error)),
        }
    }

    /// A record, and what time it is on the server. The answer is one document, whether the record is there or not.
    pub(super) async fn load(&self, key: &str) -> Result<(Option<Stored>, Option<Micros>), Failure> {
        let asked = self.collection.aggregate([
            doc! { "$match": { "_id": key } },
            doc! { "$facet": { "found": [{ "$limit": 1 }] } },
            doc! { "$addFields": { "now": "$$NOW" } },
        ]);
        // Another member, or a majority, may not know the last write yet.
        let asked = asked.selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        let mut answer = asked.read_concern(ReadConcern::local()).await?;
        if !answer.advance().await? {
            // Of a database that does not exist a router says nothing at all.
            return Ok((None, None));
        }
        let answer = answer.current();
        let now = answer.get_datetime("now").map_err(|_| Failure::Malformed("now"))?;
        let now = u64::try_from(now.timestamp_millis()).map_err(|_| Failure::Malformed("now"))?;
        let found = answer.get_array("found").map_err(|_| Failure::Malformed("found"))?;
        let stored = match found.into_iter().next() {
            None => None,
            Some(found) => {
                let found = found.ok().and_then(RawBsonRef::as_document);
                Some(found.and_then(stored).ok_or(Failure::Foreign)?)
            }
        };
        Ok((stored, Some(Micros::new(now.saturating_mul(1000)))))
    }

    /// Writes a record if it has the expected version, or if it is not there and none is expected. Whether it did.
    pub(super) async fn swap(
        &self,
        key: &str,
        expected: Option<i64>,
        version: i64,
        bytes: &[u8],
        keep: Duration,
    ) -> Result<bool, Failure> {
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let value = Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() };
        let update = doc! {
            // One that is there has a version, so that it is not found, and its `_id` cannot be inserted again.
            "q": { "_id": key, "version": expected.unwrap_or(NO_VERSION) },
            "u": [{ "$set": {
                "version": version,
                "value": value,
                "expireAt": { "$add": ["$$NOW", keep] },
            } }],
            "upsert": expected.is_none(),
        };
        match self.write(doc! { "update": self.collection.name(), "updates": [update] }).await {
            Ok(changed) => Ok(changed == 1),
            Err(Failure::Write { code: DUPLICATE_KEY, .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), Failure> {
        let delete = doc! { "q": { "_id": key }, "limit": 1 };
        self.write(doc! { "delete": self.collection.name(), "deletes": [delete] }).await.map(drop)
    }

    /// The `_id` of the record that is so many behind the first of the range, if there are so many.
    pub(super) async fn nth(&self, range: &Range, count: i64) -> Result<Option<String>, Failure> {
        let answer = self.database.run_command(doc! {
            "find": self.collection.name(),
            "filter": range.filter(),
            "projection": { "_id": 1 },
            "sort": { "_id": 1 },
            "skip": count,
            "limit": 1,
            "singleBatch": true,
        });
        let answer = answer.await?;
        let found = answer.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        let found = found.map_err(|_| Failure::Malformed("cursor"))?;
        let id = |found: &Bson| Some(found.as_document()?.get_str("_id").ok()?.to_owned());
        Ok(found.first().and_then(id))
    }

    /// Removes the records of a range; how many there were.
    pub(super) async fn delete_range(&self, range: &Range) -> Result<u64, Failure> {
        let delete = doc! { "q": range.filter(), "limit": 0 };
        self.write(doc! { "delete": self.collection.name(), "deletes": [delete] }).await
    }

    /// Runs a command that writes; how many documents it was about.
    async fn write(&self, mut command: Document) -> Result<u64, Failure> {
        if let Some(write_concern) = self.write_concern.as_ref().filter(|concern| !concern.is_empty()) {
            command.insert("writeConcern", write_concern.clone());
        }
        let answer = self.database.run_command(command).await?;
        let errors = answer.get_array("writeErrors").ok();
        let error = errors.and_then(|errors| errors.first()?.as_document());
        // Of the two the first says that nothing was done, the second that too few members have heard of it.
        if let Some(error) = error.or(answer.get_document("writeConcernError").ok()) {
            let message = error.get_str("errmsg").unwrap_or_default().to_owned();
            let code = error.get_i32("code").map_err(|_| Failure::Malformed("code"))?;
            return Err(Failure::Write { code, message });
        }
        let count = answer.get_i32("n").map_err(|_| Failure::Malformed("n"))?;
        u64::try_from(count).map_err(|_| Failure::Malformed("n"))
    }
}

impl Range {
    /// Of all keys that begin like this.
    pub(super) fn of(beginning: &str) -> Self {
        let to = beginning.char_indices().next_back().and_then(|(place, last)| {
            let next = char::from_u32(u32::from(last) + 1)?;
            Some(format!("{}{next}", beginning.get(..place)?))
        });
        Self { from: beginning.to_owned(), to }
    }

    /// What is before this one.
    pub(super) fn before(&self, end: String) -> Self {
        Self { from: self.from.clone(), to: Some(end) }
    }

    /// What is left from this one on.
    pub(super) fn from(self, start: String) -> Self {
        Self { from: start, to: self.to }
    }

    fn filter(&self) -> Document {
        // A comparison with text finds text only.
        let mut id = doc! { "$gte": &self.from };
        if let Some(to) = &self.to {
            id.insert("$lt", to);
        }
        doc! { "_id": id, "version": { "$type": "long" }, "value": { "$type": "binData" } }
    }
}

/// A document as it was written by [`Records::swap`].
fn stored(document: &RawDocument) -> Option<Stored> {
    let version = u64::try_from(document.get_i64("version").ok()?).ok()?;
    let bytes = document.get_binary("value").ok()?.bytes.to_vec();
    Some(Stored { bytes, version })
}
