//! A Chromium of a test's own, spoken to through a pipe in the protocol of its developer tools.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a browser on a busy machine may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Its third and fourth files are the pipe: at its end, also when the test is killed, the browser ends by itself.
const START: &str = r#"folder=$1; shift; exec "$@" 3<&0 4>&1 </dev/null >/dev/null 2>"$folder/log""#;

/// A browser with a folder of its own; both go with this value.
pub(crate) struct Chromium {
    browser: Child,
    /// Given back before the end is awaited.
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// What came while an answer was awaited.
    events: Vec<Value>,
    last: u64,
    folder: PathBuf,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name =
            format!("limitra-chromium-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a temporary folder cannot be made");
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        let mut browser = Command::new("sh")
            .args(["-c", START, "chromium"])
            .arg(&folder)
            .arg(program)
            .args(["--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage"])
            // Root, as which containers run, may not have the sandbox; only our own page is opened.
            .args([
                "--no-sandbox",
                "--no-first-run",
                "--disable-extensions",
                "--disable-background-networking",
            ])
            .args(["--disable-background-timer-throttling", "--disable-renderer-backgrounding"])
            .arg("--disable-backgrounding-occluded-windows")
            .arg(format!("--user-data-dir={}", folder.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh cannot be run");
        let output = browser.stdout.take().expect("a piped output");
        let input = browser.stdin.take();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("Chromium speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self { browser, input, messages, events: Vec::new(), last: 0, folder }
    }

    /// Opens a tab at an address, this wide and high; it is loaded when this returns.
    pub(crate) fn open(&mut self, address: &str, sight: &Sight) -> Tab {
        let target =
            self.ask(None, "Target.createTarget", &json!({ "url": "about:blank", "newWindow": true }));
        let target = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.ask(None, "Target.attachToTarget", &target);
        let tab = Tab { session: attached["sessionId"].as_str().expect("a session").to_owned() };
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            self.ask(Some(&tab), domain, &json!({}));
        }
        let size = json!({
            "width": sight.width, "height": sight.height, "deviceScaleFactor": 1, "mobile": sight.width < 600,
        });
        self.ask(Some(&tab), "Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": sight.scheme },
            { "name": "prefers-reduced-motion", "value": if sight.is_calm { "reduce" } else { "no-preference" } },
        ] });
        self.ask(Some(&tab), "Emulation.setEmulatedMedia", &features);
        self.ask(Some(&tab), "Page.navigate", &json!({ "url": address }));
        self.wait_until(&tab, "document.body?.dataset.ready === 'yes'");
        tab
    }

    /// What an expression comes to in a tab; a promise is awaited.
    pub(crate) fn evaluate(&mut self, tab: &Tab, expression: &str) -> Value {
        let question = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask(Some(tab), "Runtime.evaluate", &question);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds, looked at whenever the page is drawn; one that cannot be worked out does not.
    pub(crate) fn wait_until(&mut self, tab: &Tab, condition: &str) {
        let milliseconds = PATIENCE.as_millis();
        let waiting = format!(
            "new Promise((resolve) => {{
                const begun = performance.now();
                const holds = () => {{ try {{ return {condition}; }} catch {{ return false; }} }};
                const look = () => {{
                    if (holds()) resolve('');
                    else if (performance.now() - begun > {milliseconds}) resolve(document.body.innerText);
                    else requestAnimationFrame(look);
                }};
                look();
            }})"
        );
        let seen = self.evaluate(tab, &waiting);
        assert!(seen == "", "never: {condition}\nthe page says: {seen}");
    }

    /// Presses a key as a hand would.
    pub(crate) fn press(&mut self, tab: &Tab, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            " " => (32, " "),
            "ArrowRight" => (39, ""),
            "ArrowLeft" => (37, ""),
            _ => (0, key),
        };
        let down = if text.is_empty() { "rawKeyDown" } else { "keyDown" };
        let name = if key == " " { "Space" } else { key };
        for kind in [down, "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": name, "windowsVirtualKeyCode": code,
                "text": if kind == "keyUp" { "" } else { text },
            });
            self.ask(Some(tab), "Input.dispatchKeyEvent", &event);
        }
    }

    /// Writes into what has the focus, in place of what is selected.
    pub(crate) fn write(&mut self, tab: &Tab, text: &str) {
        self.ask(Some(tab), "Input.insertText", &json!({ "text": text }));
    }

    /// A picture of the whole page.
    pub(crate) fn picture(&mut self, tab: &Tab) -> String {
        let whole = json!({ "format": "png", "captureBeyondViewport": true });
        let answer = self.ask(Some(tab), "Page.captureScreenshot", &whole);
        answer["data"].as_str().expect("a picture").to_owned()
    }

    /// What the browser has complained of in a tab so far: errors, warnings, requests that failed.
    pub(crate) fn complaints(&mut self, tab: &Tab) -> Vec<Value> {
        // All events before this answer are here when it is.
        self.evaluate(tab, "0");
        let is_complaint = |event: &&Value| {
            let parameters = &event["params"];
            event["sessionId"] == tab.session.as_str()
                && match event["method"].as_str() {
                    Some("Runtime.consoleAPICalled") => parameters["type"] != "log",
                    Some("Runtime.exceptionThrown" | "Network.loadingFailed" | "Log.entryAdded") => true,
                    Some("Network.responseReceived") => {
                        parameters["response"]["status"].as_u64().is_none_or(|status| status >= 400)
                    }
                    _ => false,
                }
        };
        self.events.iter().filter(is_complaint).cloned().collect()
    }

    /// The addresses of everything that a tab has asked for.
    pub(crate) fn asked(&mut self, tab: &Tab) -> Vec<String> {
        self.evaluate(tab, "0");
        let requests = self.events.iter().filter(|event| {
            event["sessionId"] == tab.session.as_str() && event["method"] == "Network.requestWillBeSent"
        });
        requests.filter_map(|event| event["params"]["request"]["url"].as_str().map(str::to_owned)).collect()
    }

    fn ask(&mut self, tab: Option<&Tab>, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut question = json!({ "id": self.last, "method": method, "params": parameters });
        if let Some(tab) = tab {
            question["sessionId"] = json!(tab.session);
        }
        let mut line = question.to_string().into_bytes();
        line.push(0);
        let input = self.input.as_mut().expect("it is running");
        // Whether it still hears is known by its answer.
        let _ = input.write_all(&line).and_then(|()| input.flush());
        let deadline = Instant::now() + PATIENCE * 2;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(message) = self.messages.recv_timeout(left) else {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!(
                    "no answer to {method} from Chromium (./tests/run installs it, CHROMIUM names another): {log}"
                );
            };
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // At the end of its pipe it goes by itself; one that does not is made to.
        drop(self.input.take());
        while self.messages.recv_timeout(Duration::from_secs(10)).is_ok() {}
        let _ = self.browser.kill();
        let _ = self.browser.wait();
        remove(&self.folder);
    }
}

/// Its last processes may still write there.
fn remove(folder: &Path) {
    for _ in 0..100 {
        if fs::remove_dir_all(folder).is_ok() || !folder.exists() {
            return;
        }
        std::thread::yield_now();
    }
}

/// A tab.
pub(crate) struct Tab {
    session: String,
}

/// How a tab is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scheme: &'static str,
    /// Whether motion is reduced, so that nothing runs before it is started.
    pub(crate) is_calm: bool,
}

impl Sight {
    pub(crate) const DESKTOP: Self = Self { width: 1280, height: 900, scheme: "light", is_calm: false };
    pub(crate) const PHONE: Self = Self { width: 360, height: 740, scheme: "light", is_calm: false };
}
