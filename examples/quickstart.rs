//! An async function with a limit, in a few seconds:
//!
//! ```text
//! cargo run --example quickstart
//! LIMITRA_REDIS_URL=redis://127.0.0.1:6379 cargo run --example quickstart
//! ```

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use limitra::{Error, LimitraConfig, rate_limit};

/// At most 3 posts in 2 seconds, for each user.
#[rate_limit(requests = 3, window = 2, key = "user", decision = decision)]
async fn create_post(user: &str, text: &str) -> Result<(), Error> {
    // This runs only when the call is allowed; `decision` says what is left.
    println!("   {user} posts {text:<9} allowed, {} left", decision.remaining());
    Ok(())
}

/// At most 2 searches a second and 3 a minute, for everybody together. A search that one limit refuses uses up none
/// of the other.
#[rate_limit(limits = [(2, 1), (3, 60)], algorithm = "fixed_window", decision = decision)]
async fn search(word: &str) -> Result<(), Error> {
    println!("   search for {word:<8} allowed, {} left", decision.remaining());
    Ok(())
}

async fn tour() -> Result<(), Error> {
    println!("1. At most 3 posts in 2 seconds, for each user:");
    println!("   #[rate_limit(requests = 3, window = 2, key = \"user\")]\n");
    let mut wait = Duration::ZERO;
    for text in ["one", "two", "three", "four", "five"] {
        wait = refusal(&format!("ada posts {text}"), create_post("ada", text).await)?;
    }

    println!("\n2. Another user has a counter of her own:\n");
    refusal("eve posts one", create_post("eve", "one").await)?;

    println!("\n3. The error says how long to wait, and that is exactly long enough:\n");
    pause(wait).await;
    refusal("ada posts six", create_post("ada", "six").await)?;

    println!(
        "\n4. Several limits at once, all or nothing; without a key there is one counter for everybody:"
    );
    println!("   #[rate_limit(limits = [(2, 1), (3, 60)])]\n");
    for word in ["one", "two"] {
        refusal(&format!("search for {word}"), search(word).await)?;
    }
    pause(refusal("search for three", search("three").await)?).await;
    for word in ["four", "five"] {
        refusal(&format!("search for {word}"), search(word).await)?;
    }
    Ok(())
}

/// Prints a refusal, and says how long to wait; zero if there was none. Any other error ends the tour.
fn refusal(what: &str, answer: Result<(), Error>) -> Result<Duration, Error> {
    match answer {
        Ok(()) => Ok(Duration::ZERO),
        Err(Error::RateLimitExceeded(exceeded)) => {
            println!("   {what:<19} REFUSED: {exceeded}");
            Ok(exceeded.retry_after)
        }
        Err(error) => Err(error),
    }
}

async fn pause(wait: Duration) {
    println!("   .. waiting {:.3} s ..", wait.as_secs_f64());
    tokio::time::sleep(wait).await;
}

async fn run() -> Result<(), Error> {
    // Counters in Redis outlive this program; a suffix of its own lets each run start afresh.
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let config = LimitraConfig::from_env()?.project("quickstart").suffix(started.as_millis().to_string());

    // `init` does no I/O; the handle that it returns tells whether the storage can be reached.
    let limitra = config.init()?;
    println!("limitra counts in {} here.\n", limitra.storage().name());
    limitra.check().await?;

    tour().await?;
    if limitra.storage().name() == "memory" {
        println!(
            "\nThe same on Redis: LIMITRA_REDIS_URL=redis://127.0.0.1:6379 cargo run --example quickstart"
        );
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Storage(error)) => {
            eprintln!("Redis does not answer: {error}");
            eprintln!(
                "Start one (redis-server), mend LIMITRA_REDIS_URL, or leave it out to count in memory."
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
