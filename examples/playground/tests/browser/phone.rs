//! On a screen of 360 points.

use serde_json::json;

use crate::chromium::Sight;
use crate::stage::Stage;

const CONTROLS: &str =
    "[...document.querySelectorAll('button, select, input')].filter((control) => control.checkVisibility())
    .map((control) => (control.type === 'radio' ? control.parentElement : control))";

#[test]
fn on_a_phone_nothing_scrolls_sideways_and_every_control_is_in_reach() {
    let mut stage = Stage::new();
    for scheme in ["light", "dark"] {
        let tab = stage.open(&Sight { scheme, is_calm: true, ..Sight::PHONE });
        for scenario in 1..=4 {
            stage.click(&tab, &format!("#scenarios button:nth-of-type({scenario})"));
            stage.settle(&tab);
            let wide = "[document.documentElement.scrollWidth, ...[...document.querySelectorAll('.scroll')].map((part) => part.scrollWidth - part.clientWidth)]";
            assert_eq!(stage.evaluate(&tab, wide), json!([360, 0, 0]), "scenario {scenario}");
            let outside = format!(
                "{CONTROLS}.map((control) => [control, control.getBoundingClientRect()])
                    .filter(([, {{ left, right, height }}]) => left < 0 || right > 360 || height < 43.9)
                    .map(([control, {{ left, right, height }}]) => [control.outerHTML, left, right, height])"
            );
            assert_eq!(stage.evaluate(&tab, &outside), json!([]), "scenario {scenario}");
        }
    }
}

#[test]
fn on_a_phone_the_buttons_stay_at_hand_wherever_one_is() {
    let mut stage = Stage::new();
    let tab = stage.open(&Sight { is_calm: true, ..Sight::PHONE });
    for place in ["0", "document.body.scrollHeight / 2", "document.body.scrollHeight"] {
        let seen = format!(
            "(() => {{ scrollTo(0, {place}); const {{ left, top, width, height }} = run.getBoundingClientRect();
                return run.contains(document.elementFromPoint(left + width / 2, top + height / 2)); }})()"
        );
        assert_eq!(stage.evaluate(&tab, &seen), json!(true), "scrolled to {place}");
    }
}

#[test]
fn a_long_name_of_a_limit_or_a_message_does_not_widen_the_page() {
    let mut stage = Stage::new();
    let tab = stage.open_quiet(&Sight::PHONE);
    stage.set(&tab, "[data-pane=A] [name=limit]", &"x".repeat(200));
    stage.wait_until(&tab, "!document.querySelector('[data-pane=A] .mistake').hidden");
    assert_eq!(stage.evaluate(&tab, "document.documentElement.scrollWidth"), json!(360));
    stage.set(&tab, "[data-pane=A] [name=limit]", "1/s; 2/m; 3/h; 4/d; 5/w; 6/month; 7/year");
    stage.wait_until(&tab, "document.querySelector('[data-pane=A] .mistake').hidden");
    stage.settle(&tab);
    stage.click(&tab, "#burst");
    stage.settle(&tab);
    assert_eq!(stage.evaluate(&tab, "document.documentElement.scrollWidth"), json!(360));
}
