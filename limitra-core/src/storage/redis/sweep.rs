//! Removes every record on one server, page by page.

use once_cell::sync::Lazy;

use ::redis::{Cmd, Pipeline, Value};

use super::command::Form;
use super::failure::Failed;
use super::scripts::Script;
use super::server::{Call, Server};

/// How many keys the server looks at for one page.
const PAGE: usize = 500;

/// Removes a value if it is a record, of whatever version; all are below 32, so no text is taken for one.
static REMOVE: Lazy<Script> = Lazy::new(|| {
    Script::new(
        "local head = redis.pcall('GETRANGE', KEYS[1], 0, 3)
if type(head) == 'table' and not string.find(head.err, 'WRONGTYPE', 1, true) then
  return head
end
if type(head) ~= 'string' or #head < 4 or string.sub(head, 1, 2) ~= 'LR' or string.byte(head, 3) > 31 then
  return 0
end
return redis.call('UNLINK', KEYS[1])"
            .to_owned(),
    )
});

/// Removes the records whose keys begin so; how many there were. `None` if an answer makes no sense.
pub(super) async fn sweep(server: &Server, beginning: &str) -> Result<Option<u64>, Failed> {
    let pattern = format!("{}*", escaped(beginning));
    let (mut cursor, mut removed) = (Vec::from(*b"0"), 0);
    loop {
        let mut scan = ::redis::cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(PAGE).arg("TYPE").arg("string");
        let Some((next, keys)) = page(server.ask(&scan).await?) else {
            return Ok(None);
        };
        for answer in remove(server, &keys).await? {
            match answer {
                Value::Int(count @ 0..=1) => removed += u64::from(count == 1),
                Value::ServerError(error) => return Err(Failed::Error(error.into())),
                _ => return Ok(None),
            }
        }
        if next == b"0" {
            return Ok(Some(removed));
        }
        cursor = next;
    }
}

/// One call for each key, sent together: in a cluster a script sees keys of one slot only.
async fn remove(server: &Server, keys: &[Vec<u8>]) -> Result<Vec<Value>, Failed> {
    let call = |key: &Vec<u8>, form: Form| -> Cmd {
        let mut command = form.of(&REMOVE, 1, key.len());
        command.arg(1).arg(key);
        command
    };
    let Some((first, rest)) = keys.split_first() else {
        return Ok(Vec::new());
    };
    // The first one teaches the server the script, if it has lost it.
    let mut answers = vec![
        server.run(&Call { words: &|form| call(first, form), read: &|answer| Ok(answer.clone()) }).await?,
    ];
    let mut pipeline = Pipeline::with_capacity(rest.len());
    for key in rest {
        pipeline.add_command(call(key, Form::Hash));
    }
    if !rest.is_empty() {
        answers.extend(server.ask_all(&pipeline).await?);
    }
    Ok(answers)
}

/// The next cursor and the keys.
fn page(answer: Value) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let Value::Array(parts) = answer else { return None };
    let [cursor, keys] = <[Value; 2]>::try_from(parts).ok()?;
    let Value::Array(keys) = keys else { return None };
    Some((bytes(cursor)?, keys.into_iter().map(bytes).collect::<Option<_>>()?))
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

/// The text for a pattern that it alone matches.
fn escaped(text: &str) -> String {
    let mut pattern = String::new();
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '^' | '-' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}
