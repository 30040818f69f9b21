//! The program, a browser, and what a person does there.

use std::net::Ipv4Addr;

use limitra_examples_playground::service;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::chromium::{Chromium, Sight, Tab};

/// The program on a free port, and a browser.
pub(crate) struct Stage {
    pub(crate) browser: Chromium,
    pub(crate) address: String,
    _runtime: Runtime,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, service()).await });
        Self { browser: Chromium::start(), address, _runtime: runtime }
    }

    /// The page, loaded and with its first scenario.
    pub(crate) fn open(&mut self, sight: &Sight) -> Tab {
        self.browser.open(&self.address, sight)
    }

    /// The page with its clock stopped, nothing sent, and nothing that is sent by itself.
    pub(crate) fn open_quiet(&mut self, sight: &Sight) -> Tab {
        let tab = self.open(sight);
        self.press_escape(&tab);
        self.choose(&tab, "pattern", "by_hand");
        self.click(&tab, "#reset");
        self.wait_until(&tab, "verdict.innerText === 'Nothing sent yet.'");
        tab
    }

    pub(crate) fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        self.browser.evaluate(tab, expression)
    }

    pub(crate) fn wait_until(&mut self, tab: &Tab, condition: &str) {
        self.browser.wait_until(tab, condition);
    }

    pub(crate) fn click(&mut self, tab: &Tab, selector: &str) {
        self.evaluate(tab, &format!("document.querySelector({selector:?}).click()"));
    }

    /// Chooses one of several radio buttons.
    pub(crate) fn choose(&mut self, tab: &Tab, name: &str, value: &str) {
        self.click(tab, &format!("[name={name}][value='{value}']"));
    }

    /// Sets a field as a person would: it says that it has changed.
    pub(crate) fn set(&mut self, tab: &Tab, selector: &str, value: &str) {
        let set = format!(
            "{{ const field = document.querySelector({selector:?}); field.value = {value:?};
                field.dispatchEvent(new Event('input', {{ bubbles: true }})); }}"
        );
        self.evaluate(tab, &set);
    }

    /// Waits until all that was asked for is there and shown.
    pub(crate) fn settle(&mut self, tab: &Tab) {
        self.evaluate(tab, "new Promise((resolve) => setTimeout(resolve))");
        self.wait_until(tab, "!document.body.hasAttribute('data-asking')");
    }

    /// What one side shows.
    pub(crate) fn figures(&mut self, tab: &Tab, pane: &str) -> Value {
        let text = |part: &str| format!("document.querySelector('[data-pane={pane}] {part}').innerText");
        self.evaluate(
            tab,
            &format!(
                "({{ allowed: {}, refused: {}, most: {}, status: {} }})",
                text("[data-is=allowed]"),
                text("[data-is=refused]"),
                text("[data-is=most]"),
                text(".response dd"),
            ),
        )
    }

    pub(crate) fn press_escape(&mut self, tab: &Tab) {
        self.browser.press(tab, "Escape");
        self.wait_until(tab, "!document.body.hasAttribute('data-running')");
    }

    /// A PNG of the whole page.
    pub(crate) fn picture(&mut self, tab: &Tab) -> Vec<u8> {
        decoded(&self.browser.picture(tab))
    }
}

/// The bytes of a text in base 64.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0, |bits, byte| bits << 6 | digit(*byte)) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}
