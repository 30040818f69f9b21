//! What is allowed and refused, as the page shows it.

use limitra::Algorithm;
use serde_json::json;

use crate::chromium::Sight;
use crate::stage::Stage;

const CALM: Sight = Sight { is_calm: true, ..Sight::DESKTOP };

#[test]
fn a_burst_of_20_at_10_per_minute_shows_10_allowed_and_10_refused_under_every_algorithm() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&Sight::DESKTOP);
    stage.set(&tab, "[name=size]", "20");
    for (place, algorithm) in Algorithm::ALL.iter().enumerate() {
        let pane = if place % 2 == 0 { "A" } else { "B" };
        stage.set(&tab, &format!("[data-pane={pane}] [name=algorithm]"), algorithm.name());
        stage.wait_until(&tab, "verdict.innerText === 'Nothing sent yet.'");
        stage.settle(&tab);
        stage.click(&tab, "#burst");
        stage.wait_until(&tab, "verdict.innerText.startsWith('Of 20 requests')");
        let shown = stage.figures(&tab, pane);
        assert_eq!(
            shown,
            json!({ "allowed": "10", "refused": "10", "most": "10", "status": "429 Too Many Requests" }),
            "{algorithm}"
        );
        let heading = format!("document.querySelector('[data-pane={pane}] h2').textContent");
        assert_eq!(stage.evaluate(&tab, &heading), json!(format!("Pane {pane}: {algorithm}")));
        let drawn = format!(
            "['allowed', 'refused'].map((what) => document.querySelector(`[data-pane={pane}] path.${{what}}`).getBBox().height > 20)"
        );
        assert_eq!(stage.evaluate(&tab, &drawn), json!([true, true]), "{algorithm}");
    }
}

#[test]
fn at_a_boundary_a_fixed_window_lets_twice_as_many_pass() {
    let mut stage = Stage::new();
    let tab = stage.open(&CALM);
    let verdict = "Of 21 requests, A allowed 20 and B allowed 10.";
    assert_eq!(stage.evaluate(&tab, "verdict.innerText"), verdict);
    assert_eq!(stage.figures(&tab, "A")["most"], "19");
    assert_eq!(stage.figures(&tab, "B")["most"], "10");
    assert_eq!(
        stage.evaluate(&tab, "document.querySelector('[data-pane=A] [data-is=over]').innerText"),
        "▲ above 10"
    );
    let spoken = "At 75 seconds: A allowed 20 and refused 1. B allowed 10 and refused 11.";
    assert_eq!(stage.evaluate(&tab, "spoken.textContent"), spoken);
}

#[test]
fn each_scenario_shows_what_it_is_there_for() {
    let mut stage = Stage::new();
    let tab = stage.open(&CALM);
    for (place, verdict) in [
        (2, "Of 30 requests, A allowed 25 and B allowed 10."),
        (3, "Of 60 requests, A allowed 30 and B allowed 20."),
        (4, "Of 45 requests, A allowed 45 and B allowed 25."),
        (1, "Of 21 requests, A allowed 20 and B allowed 10."),
    ] {
        let button = format!("#scenarios button:nth-of-type({place})");
        stage.click(&tab, &button);
        stage.settle(&tab);
        assert_eq!(stage.evaluate(&tab, "verdict.innerText"), verdict);
        assert_eq!(stage.evaluate(&tab, &format!("document.querySelector('{button}').ariaPressed")), "true");
    }
}

#[test]
fn each_client_has_a_line_and_counts_alone_or_with_the_others() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&CALM);
    stage.set(&tab, "[name=clients]", "3");
    stage.set(&tab, "[data-pane=B] [name=together]", "yes");
    stage.wait_until(&tab, "document.querySelectorAll('[data-pane=B] tbody tr').length === 3");
    stage.settle(&tab);
    stage.set(&tab, "[name=size]", "6");
    stage.click(&tab, "#burst");
    stage.wait_until(&tab, "verdict.innerText === 'Of 18 requests, A allowed 18 and B allowed 10.'");
    let lines = "[...document.querySelectorAll('[data-pane=B] tbody tr')].map((row) => [...row.cells].slice(0, 4).map((cell) => cell.innerText.trim()))";
    let expected = json!([["1", "4", "2", "0"], ["2", "3", "3", "0"], ["3", "3", "3", "0"]]);
    assert_eq!(stage.evaluate(&tab, lines), expected);
}

#[test]
fn the_headers_are_those_of_the_last_response() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&CALM);
    stage.set(&tab, "[data-pane=A] [name=limit]", "2/minute; 5 per hour");
    stage.wait_until(
        &tab,
        "document.querySelector('[data-pane=A] tbody td:nth-child(5)').innerText.includes('per hour')",
    );
    let headers = "Object.fromEntries([...document.querySelectorAll('[data-pane=A] .response div')].map((line) => [...line.children].map((part) => part.innerText)))";
    stage.settle(&tab);
    stage.click(&tab, "#one");
    stage.settle(&tab);
    let allowed = stage.evaluate(&tab, headers);
    assert_eq!(allowed["HTTP/1.1"], "200 OK");
    assert_eq!(allowed["Retry-After:"], "not sent");
    assert_eq!(allowed["X-RateLimit-Remaining:"], "1");
    assert!(allowed["RateLimit:"].as_str().unwrap().contains("\"client-3600s\";r=4"), "{allowed}");
    stage.set(&tab, "[name=size]", "2");
    stage.click(&tab, "#burst");
    stage.settle(&tab);
    let refused = stage.evaluate(&tab, headers);
    assert_eq!(refused["HTTP/1.1"], "429 Too Many Requests");
    assert_eq!(refused["Retry-After:"], "60");
    for part in ["\"client-60s\";q=2;w=60", "\"client-3600s\";q=5;w=3600"] {
        assert!(refused["RateLimit-Policy:"].as_str().unwrap().contains(part), "{refused}");
    }
}
