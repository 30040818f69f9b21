//! What can be seen of an error.

use std::error::Error;
use std::fmt::Write as _;

/// Everything that an error and its causes tell, in words and to a programmer.
pub fn all_told(error: &(dyn Error + 'static)) -> String {
    let (mut told, mut next) = (String::new(), Some(error));
    while let Some(error) = next {
        let _written = write!(told, "{error} {error:?} {error:#?} ");
        next = error.source();
    }
    told
}
