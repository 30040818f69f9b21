//! Everything without a mouse.

use serde_json::json;

use crate::chromium::{Sight, Tab};
use crate::stage::Stage;

impl Stage {
    /// Presses the tab key until this has the focus; the focus can be seen wherever it is on the way.
    fn go_to(&mut self, tab: &Tab, selector: &str) {
        for _ in 0..60 {
            self.browser.press(tab, "Tab");
            let seen = "(() => { const at = document.activeElement;
                const shown = at.type === 'radio' ? at.nextElementSibling : at;
                return at === document.body || getComputedStyle(shown).outlineStyle === 'solid'; })()";
            assert_eq!(self.evaluate(tab, seen), json!(true), "the focus can be seen");
            if self.evaluate(tab, &format!("document.activeElement.matches({selector:?})")) == json!(true) {
                return;
            }
        }
        panic!("{selector} cannot be reached");
    }
}

#[test]
fn a_burst_is_set_up_sent_and_stopped_by_keyboard_alone() {
    let mut stage = Stage::new();
    let tab = stage.open(&Sight::DESKTOP);
    stage.wait_until(&tab, "document.body.hasAttribute('data-running')");
    stage.press_escape(&tab);

    stage.go_to(&tab, "[name=pattern]");
    for _ in 0..3 {
        stage.browser.press(&tab, "ArrowRight");
    }
    stage.wait_until(&tab, "document.querySelector('[name=pattern]:checked').value === 'by_hand'");
    stage.go_to(&tab, "[name=size]");
    stage.browser.write(&tab, "20");
    stage.wait_until(&tab, "burst.innerText === 'Send 20'");
    stage.go_to(&tab, "#reset");
    stage.browser.press(&tab, "Enter");
    stage.wait_until(&tab, "verdict.innerText === 'Nothing sent yet.'");
    stage.go_to(&tab, "[data-pane=A] [name=limit]");
    stage.browser.write(&tab, "7 per minute");
    stage.wait_until(&tab, "document.querySelector('[data-pane=A] [data-is=over]').innerText === 'of 7'");
    stage.go_to(&tab, "#burst");
    stage.browser.press(&tab, "Enter");
    stage.wait_until(&tab, "verdict.innerText === 'Of 20 requests, A allowed 7 and B allowed 10.'");

    stage.go_to(&tab, "#run");
    stage.browser.press(&tab, " ");
    stage.wait_until(&tab, "document.body.hasAttribute('data-running') && clock.innerText !== '0:00.0'");
    stage.browser.press(&tab, "Escape");
    stage.wait_until(&tab, "!document.body.hasAttribute('data-running')");
    stage.settle(&tab);
    let stopped = stage.evaluate(&tab, "clock.innerText");
    stage.click(&tab, "#one");
    stage.settle(&tab);
    assert_eq!(stage.evaluate(&tab, "clock.innerText"), stopped);
}

#[test]
fn every_control_has_a_name() {
    let mut stage = Stage::new();
    let tab = stage.open(&Sight::DESKTOP);
    let nameless = "[...document.querySelectorAll('button, input, select, progress, svg[role=img]')].filter((control) =>
        !control.ariaLabel && !control.innerText?.trim() && ![...(control.labels ?? [])].some((label) => label.innerText.trim())
    ).map((control) => control.outerHTML)";
    assert_eq!(stage.evaluate(&tab, nameless), json!([]));
}
