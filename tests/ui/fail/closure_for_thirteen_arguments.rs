use limitra::{Error, rate_limit};

#[rate_limit(requests = 10, window = 60, key = |a0, _, _, _, _, _, _, _, _, _, _, _, _| a0)]
async fn create_post(a0: u8, a1: u8, a2: u8, a3: u8, a4: u8, a5: u8, a6: u8, a7: u8, a8: u8, a9: u8, a10: u8, a11: u8, a12: u8) -> Result<(), Error> {
    println!("{a0} {a1} {a2} {a3} {a4} {a5} {a6} {a7} {a8} {a9} {a10} {a11} {a12}");
    Ok(())
}

fn main() {}
