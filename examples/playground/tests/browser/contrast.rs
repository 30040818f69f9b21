//! Text that can be read, in the light and in the dark.

use serde_json::json;

use crate::chromium::Sight;
use crate::stage::Stage;

/// All visible text whose contrast with what is behind it is below 4.5 (3 where it is large), by WCAG's formula.
const FAINT: &str = "(() => {
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = numbers(color).map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if ((numbers(color)[3] ?? 1) === 1) return color;
        }
        throw new Error('nothing is behind it');
    };
    const faint = [];
    let count = 0;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        const style = getComputedStyle(element);
        if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest('noscript, .hidden, option')) continue;
        count += 1;
        const ink = element.closest('svg') ? style.fill : style.color;
        const [a, b] = [light(ink), light(behind(element))].sort((a, b) => b - a);
        const size = parseFloat(style.fontSize);
        const enough = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
        if ((a + 0.05) / (b + 0.05) < enough) faint.push([texts.currentNode.data, ink, behind(element), (a + 0.05) / (b + 0.05)]);
    }
    for (const field of document.querySelectorAll('input:not([type=radio]), select')) {
        const [a, b] = [light(getComputedStyle(field).color), light(behind(field))].sort((a, b) => b - a);
        if ((a + 0.05) / (b + 0.05) < 4.5) faint.push([field.name, (a + 0.05) / (b + 0.05)]);
        const [c, d] = [light(getComputedStyle(field).borderTopColor), light(behind(field.parentElement))].sort((a, b) => b - a);
        if ((c + 0.05) / (d + 0.05) < 3) faint.push(['the edge of', field.name, (c + 0.05) / (d + 0.05)]);
    }
    for (const part of ['allowed', 'refused', 'left', 'base']) {
        const path = document.querySelector(`[data-pane=A] path.${part}`);
        const style = getComputedStyle(path);
        const [a, b] = [light(style.stroke === 'none' ? style.fill : style.stroke), light(behind(path.closest('article')))].sort((a, b) => b - a);
        if ((a + 0.05) / (b + 0.05) < 3) faint.push(['the drawn', part, (a + 0.05) / (b + 0.05)]);
    }
    return { faint, many: count > 80 };
})()";

#[test]
fn all_text_has_contrast_in_the_light_and_in_the_dark() {
    let mut stage = Stage::new();
    let mut pages = Vec::new();
    for scheme in ["light", "dark"] {
        let tab = stage.open(&Sight { scheme, is_calm: true, ..Sight::DESKTOP });
        assert_eq!(stage.evaluate(&tab, FAINT), json!({ "faint": [], "many": true }), "{scheme}");
        stage.set(&tab, "[data-pane=A] [name=limit]", "ten");
        stage.wait_until(&tab, "!document.querySelector('[data-pane=A] .mistake').hidden");
        assert_eq!(
            stage.evaluate(&tab, FAINT),
            json!({ "faint": [], "many": true }),
            "{scheme}, with a mistake"
        );
        pages.push(stage.evaluate(&tab, "getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(pages[0], pages[1], "they are two schemes");
}
