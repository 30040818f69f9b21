use limitra::{Error, rate_limit};

#[rate_limit(r#"10/minute;	1.5/second"#)]
async fn create_post() -> Result<(), Error> {
    Ok(())
}

fn main() {}
