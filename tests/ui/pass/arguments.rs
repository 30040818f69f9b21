//! Every way in which a function can take its arguments.
#![deny(warnings, clippy::pedantic)]
#![allow(clippy::needless_pass_by_value)]

use limitra::{Error, rate_limit};
use std::fmt::Display;

struct Path<T>(T);
struct Json<T> {
    inner: T,
}

#[rate_limit(requests = 10, window = 60, key = "id")]
async fn a_name_in_a_pattern(
    Path(id): Path<u64>,
    Json { inner: mut text }: Json<String>,
) -> Result<String, Error> {
    text.push_str(&id.to_string());
    Ok(text)
}

#[rate_limit(requests = 10, window = 60, key = ("id", |whole: &Path<Key>, _| whole.0, 0))]
async fn a_whole_and_its_name(Path(mut id): Path<Key>, _: u8) -> Result<u64, Error> {
    id.0 += 1;
    Ok(id.0)
}

#[derive(Clone, Copy)]
struct Key(u64);

impl Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Display for Path<Key> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[rate_limit(requests = 10, window = 60, key = 1)]
async fn an_index_of_a_wildcard(_: u8, _: u64) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, key = ("first", 1, "pair.0"))]
async fn parts((first, second): (u8, u8), mut other: String, pair: &(u64, u64)) -> Result<u64, Error> {
    other.push('x');
    Ok(u64::from(first + second) + pair.1)
}

#[rate_limit(requests = 10, window = 60, key = "name")]
async fn generic<'a, T, const N: usize>(
    name: &'a str,
    items: [T; N],
    shown: impl Display + 'a,
) -> Result<&'a str, Error>
where
    T: Display,
{
    println!("{} {shown}", items.len());
    Ok(name)
}

#[rate_limit(requests = 10, window = 60, key = "shown")]
async fn opaque(shown: impl Display) -> impl Into<Result<u8, Error>> {
    println!("{shown}");
    Ok::<u8, Error>(1)
}

#[rate_limit(requests = 10, window = 60, key = "bound")]
async fn bound_whole(bound @ Key(inner): Key) -> Result<u64, Error> {
    Ok(inner + bound.0)
}

#[rate_limit(requests = 10, window = 60, key = "_unused")]
async fn underscored(_unused: u64) -> Result<(), Error> {
    Ok(())
}

#[rate_limit(requests = 10, window = 60, key = "buffer.len")]
async fn mutable(buffer: &mut Buffer) -> Result<(), Error> {
    buffer.len += 1;
    Ok(())
}

struct Buffer {
    len: u64,
}

pub fn main() {
    let mut buffer = Buffer { len: 0 };
    let text = Json { inner: String::new() };
    drop(a_name_in_a_pattern(Path(1), text));
    drop(a_whole_and_its_name(Path(Key(1)), 2));
    drop(an_index_of_a_wildcard(1, 2));
    drop(parts((1, 2), String::new(), &(1, 2)));
    drop(generic("ada", [1], 2));
    drop(opaque(1));
    drop(bound_whole(Key(1)));
    drop(underscored(1));
    drop(mutable(&mut buffer));
}
