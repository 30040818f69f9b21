//! The page in a real, headless Chromium.
#![allow(missing_docs, clippy::unwrap_used)]

mod chromium;
mod contrast;
mod counts;
mod keyboard;
mod mistakes;
mod phone;
mod pictures;
mod stage;

use chromium::Sight;
use serde_json::json;
use stage::Stage;

#[test]
fn the_page_loads_and_runs_without_a_complaint_and_asks_nobody_else() {
    let mut stage = Stage::new();
    let tab = stage.open(&Sight::DESKTOP);
    let begun = stage.evaluate(&tab, "clock.innerText");
    stage.wait_until(&tab, &format!("clock.innerText !== {begun}"));
    stage.press_escape(&tab);
    assert_eq!(stage.browser.complaints(&tab), Vec::<serde_json::Value>::new());

    let asked = stage.browser.asked(&tab);
    assert!(asked.iter().all(|address| address.starts_with(&stage.address)), "{asked:?}");
    for file in ["style.css", "chart.js", "icon.svg", "api/algorithms", "api/start", "api/step"] {
        assert!(asked.contains(&format!("{}{file}", stage.address)), "{file} of {asked:?}");
    }
}

#[test]
fn a_script_that_somebody_slipped_into_the_page_does_not_run() {
    let mut stage = Stage::new();
    let tab = stage.open(&Sight::DESKTOP);
    let slip =
        "{ const script = document.createElement('script'); script.textContent = 'window.slipped = true';
                  document.body.append(script); }";
    stage.evaluate(&tab, slip);
    assert_eq!(stage.evaluate(&tab, "window.slipped === undefined"), json!(true));
    let complaints = stage.browser.complaints(&tab);
    assert!(complaints.iter().any(|complaint| complaint.to_string().contains("Content Security Policy")));
}

#[test]
fn who_wants_less_motion_sees_what_came_of_it_and_starts_the_clock_himself() {
    let mut stage = Stage::new();
    let tab = stage.open(&Sight { is_calm: true, ..Sight::DESKTOP });
    assert_eq!(stage.evaluate(&tab, "clock.innerText"), "1:15.0");
    assert_eq!(stage.evaluate(&tab, "run.innerText.trim()"), "Start");
    stage.click(&tab, "#run");
    stage.wait_until(&tab, "clock.innerText !== '1:15.0'");
    assert_eq!(stage.evaluate(&tab, "run.innerText.trim()"), "Stop");
}

#[test]
fn nothing_on_the_page_moves_while_the_clock_runs_at_its_fastest() {
    let mut stage = Stage::new();
    for width in [Sight::DESKTOP.width, Sight::PHONE.width] {
        // All of the page is in sight: what moves elsewhere does not count.
        let tab = stage.open(&Sight { width, height: 4000, ..Sight::DESKTOP });
        for scenario in 1..=4 {
            stage.click(&tab, &format!("#scenarios button:nth-of-type({scenario})"));
            stage.choose(&tab, "speed", "60");
            stage.settle(&tab);
            let watch = "window.moved = []; window.watch?.disconnect();
                window.watch = new PerformanceObserver((list) => list.getEntries().forEach(({ sources }) =>
                    sources.forEach(({ node, previousRect, currentRect }) => moved.push([`${node?.nodeName} ${node?.className} ${node?.textContent}`, previousRect.toJSON(), currentRect.toJSON()]))));
                watch.observe({ type: 'layout-shift' });";
            stage.evaluate(&tab, watch);
            stage.wait_until(&tab, "Number.parseInt(clock.innerText) >= 4");
            assert_eq!(stage.evaluate(&tab, "moved"), json!([]), "scenario {scenario}");
        }
    }
}

#[test]
fn two_tabs_do_not_disturb_each_other() {
    let mut stage = Stage::new();
    let (first, second) = (stage.open_quiet(&Sight::DESKTOP), stage.open_quiet(&Sight::DESKTOP));
    stage.click(&first, "#burst");
    stage.wait_until(&first, "verdict.innerText.startsWith('Of 10 requests')");
    stage.click(&second, "#one");
    stage.wait_until(&second, "verdict.innerText === 'Of 1 request, A allowed 1 and B allowed 1.'");
    stage.click(&first, "#one");
    stage.wait_until(&first, "verdict.innerText === 'Of 11 requests, A allowed 10 and B allowed 10.'");
}

#[test]
fn a_page_whose_run_was_given_up_for_others_begins_another() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&Sight::DESKTOP);
    let many = "(async () => {
        const pane = { algorithm: 'gcra', limit: '1/s', burst: null, together: false };
        const body = JSON.stringify({ setting: { panes: [pane, pane], clients: 1, cost: 1 } });
        for (let number = 0; number < 40; number += 1) {
            await fetch('/api/start', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
        }
    })()";
    stage.evaluate(&tab, many);
    stage.click(&tab, "#one");
    stage.settle(&tab);
    stage.click(&tab, "#one");
    stage.wait_until(&tab, "verdict.innerText === 'Of 1 request, A allowed 1 and B allowed 1.'");
}
