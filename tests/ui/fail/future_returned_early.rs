use limitra::{Error, rate_limit};
use std::pin::Pin;

#[rate_limit(requests = 10, window = 60)]
fn create_post(text: String) -> Pin<Box<dyn Future<Output = Result<(), Error>>>> {
    let is_empty = || return text.is_empty();
    if is_empty() {
        return Box::pin(async { Ok(()) });
    }
    Box::pin(async move {
        if text.len() > 100 {
            return Ok(());
        }
        Ok(())
    })
}

fn main() {}
