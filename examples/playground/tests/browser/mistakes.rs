//! What cannot work is said where it stands, in limitra's own words.

use limitra::{Algorithm, RateLimiter, parse_many};

use crate::chromium::{Sight, Tab};
use crate::stage::Stage;

impl Stage {
    fn mistake(&mut self, tab: &Tab, pane: &str) -> String {
        let shown = format!("document.querySelector('[data-pane={pane}] .mistake').innerText");
        self.evaluate(tab, &shown).as_str().unwrap().to_owned()
    }
}

#[test]
fn a_limit_that_cannot_be_read_is_told_in_the_words_of_the_library() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&Sight::DESKTOP);
    for text in ["10 per minut", "ten", "0/s", "", "10/s; 20/s burst", "<b>1</b>/s"] {
        let expected = parse_many(text).unwrap_err().to_string();
        stage.set(&tab, "[data-pane=B] [name=limit]", text);
        stage.wait_until(
            &tab,
            &format!("document.querySelector('[data-pane=B] .mistake').innerText === {expected:?}"),
        );
        let marked = "[...document.querySelectorAll('[aria-invalid]')].map((field) => field.name).join()";
        assert_eq!(stage.evaluate(&tab, marked), "limit");
        assert_eq!(stage.mistake(&tab, "A"), "");
    }
    stage.set(&tab, "[data-pane=B] [name=limit]", "7/s");
    stage.wait_until(&tab, "!document.querySelector('[aria-invalid]')");
    assert_eq!(stage.mistake(&tab, "B"), "");
    stage.click(&tab, "#burst");
    stage.wait_until(&tab, "verdict.innerText === 'Of 10 requests, A allowed 10 and B allowed 7.'");
}

#[test]
fn a_burst_and_a_cost_that_cannot_work_are_told_too() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&Sight::DESKTOP);
    let bucket = RateLimiter::builder().algorithm(Algorithm::TokenBucket).notation("10 per minute");
    let expected = bucket.burst(-3).build().unwrap_err().to_string();
    stage.set(&tab, "[data-pane=A] [name=algorithm]", "token_bucket");
    stage.set(&tab, "[data-pane=A] [name=burst]", "-3");
    stage.wait_until(
        &tab,
        &format!("document.querySelector('[data-pane=A] .mistake').innerText === {expected:?}"),
    );
    stage.set(&tab, "[data-pane=A] [name=burst]", "3");
    stage.wait_until(&tab, "document.querySelector('[data-pane=A] .mistake').hidden");

    stage.set(&tab, "[name=cost]", "4");
    let told = "document.getElementById('traffic-mistake').innerText";
    stage.wait_until(
        &tab,
        &format!(
            "{told}.startsWith('a cost of 4 can never be allowed by a limit of 10 requests per 60s burst 3')"
        ),
    );
    stage.set(&tab, "[name=cost]", "3");
    stage.wait_until(&tab, &format!("{told} === ''"));
    stage.settle(&tab);
    stage.click(&tab, "#burst");
    stage.wait_until(&tab, "verdict.innerText === 'Of 10 requests, A allowed 1 and B allowed 3.'");
}

#[test]
fn traffic_that_is_too_much_is_refused_with_what_is_not() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&Sight::DESKTOP);
    stage.choose(&tab, "pattern", "steady");
    stage.set(&tab, "[name=seconds]", "1");
    stage.set(&tab, "[name=requests]", "201");
    let told = "document.getElementById('traffic-mistake').innerText";
    stage.wait_until(&tab, &format!("{told} === 'requests must be from 1 to 200, not 201'"));
    stage.set(&tab, "[name=requests]", "200");
    stage.wait_until(&tab, &format!("{told} === ''"));
    stage.choose(&tab, "pattern", "by_hand");
    stage.set(&tab, "[name=size]", "1001");
    stage.click(&tab, "#burst");
    stage.wait_until(&tab, &format!("{told} === 'at most 1000 at once, not 1001'"));
    assert_eq!(stage.evaluate(&tab, "verdict.innerText"), "Nothing sent yet.");
}
