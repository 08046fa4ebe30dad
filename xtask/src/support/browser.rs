//! Chromium without a screen, driven over its DevTools protocol. All waits have a bound.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use tungstenite::{Message, WebSocket};

use super::process::{Process, Scratch, wait_until};

/// How long the browser may take to respond to anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with one page. It is killed when this is dropped.
pub(crate) struct Browser {
    _process: Process,
    _profile: Scratch,
    socket: WebSocket<TcpStream>,
    /// That of the page.
    session: Option<String>,
    last_id: u64,
    /// Errors of the console, exceptions, and what the policy of the page has forbidden.
    problems: Vec<String>,
}

impl Browser {
    pub(crate) fn start() -> Result<Self> {
        let profile = Scratch::new("browser")?;
        let directory = profile.path("profile");
        let process = Process::start(
            Command::new("chromium")
                .args(["--headless", "--no-sandbox", "--disable-gpu"])
                .args(["--disable-dev-shm-usage", "--no-first-run"])
                .args(["--disable-background-networking", "--disable-sync"])
                .arg("--remote-debugging-port=0")
                .arg(format!("--user-data-dir={}", directory.display()))
                .arg("about:blank")
                .env("HOME", profile.path("home"))
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )?;
        let listening = wait_until("the browser does not listen", PATIENCE, || {
            let file = std::fs::read_to_string(directory.join("DevToolsActivePort"));
            let lines = file.ok().and_then(|it| {
                let (port, path) = it.split_once('\n')?;
                Some((port.parse::<u16>().ok()?, path.trim().to_owned()))
            });
            Ok(lines.filter(|(_, path)| !path.is_empty()))
        })?;
        let (port, path) = listening;
        let url = format!("ws://127.0.0.1:{port}{path}");
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (socket, _) = tungstenite::client(url, stream).context("DevTools")?;
        let mut browser = Self {
            _process: process,
            _profile: profile,
            socket,
            session: None,
            last_id: 0,
            problems: Vec::new(),
        };
        let page = browser.call("Target.createTarget", &json!({ "url": "about:blank" }))?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", &attach)?;
        browser.session = attached["sessionId"].as_str().map(ToOwned::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}))?;
        }
        Ok(browser)
    }

    /// Opens a page.
    pub(crate) fn open(&mut self, url: &str) -> Result<()> {
        let opened = self.call("Page.navigate", &json!({ "url": url }))?;
        ensure!(opened["errorText"].is_null(), "{url}: {opened}");
        Ok(())
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Result<Json> {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let outcome = self.call("Runtime.evaluate", &parameters)?;
        let failure = &outcome["exceptionDetails"];
        ensure!(failure.is_null(), "{expression}: {failure}");
        Ok(outcome["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    pub(crate) fn wait_for(&mut self, expression: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // While a page loads there is nothing to ask.
            if matches!(self.value(expression), Ok(Json::Bool(true))) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let text = self.value("document.body.innerText")?;
                bail!("after {PATIENCE:?} it is not true that {expression}: {text}");
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Presses a key: a character, or one by its name.
    pub(crate) fn press(&mut self, key: &str) -> Result<()> {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "End" => 35,
            "Home" => 36,
            "ArrowUp" => 38,
            "ArrowDown" => 40,
            _ => 0,
        };
        let text = match key {
            "Enter" => "\r",
            _ if code == 0 => key,
            _ => "",
        };
        let mut press = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
        if !text.is_empty() {
            press["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", &press)?;
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", &up)?;
        Ok(())
    }

    /// Presses one key for each character.
    pub(crate) fn write(&mut self, text: &str) -> Result<()> {
        text.chars().try_for_each(|it| self.press(&it.to_string()))
    }

    /// The size of the window, in pixels.
    pub(crate) fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.call("Emulation.setDeviceMetricsOverride", &size)?;
        Ok(())
    }

    /// What people prefer: `light` or `dark`.
    pub(crate) fn prefer(&mut self, scheme: &str) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "features": features });
        self.call("Emulation.setEmulatedMedia", &media)?;
        Ok(())
    }

    /// What can be seen, as a PNG.
    pub(crate) fn screenshot(&mut self) -> Result<Vec<u8>> {
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }))?;
        let data = shot["data"].as_str().context("no picture")?;
        Ok(STANDARD.decode(data)?)
    }

    /// All that went wrong in the page since the last call.
    pub(crate) fn problems(&mut self) -> Result<Vec<String>> {
        // What was before this has been read after it.
        self.value("1")?;
        Ok(std::mem::take(&mut self.problems))
    }

    fn call(&mut self, method: &str, parameters: &Json) -> Result<Json> {
        self.last_id += 1;
        let mut call = json!({ "id": self.last_id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            call["sessionId"] = session.as_str().into();
        }
        self.socket.send(Message::text(call.to_string()))?;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let Message::Text(text) = self.socket.read().context(method.to_owned())? else {
                continue;
            };
            let message: Json = serde_json::from_str(text.as_str())?;
            if message["id"] != self.last_id {
                self.notice(&message);
                continue;
            }
            let failure = &message["error"];
            ensure!(failure.is_null(), "{method}: {failure}");
            return Ok(message["result"].clone());
        }
        bail!("{method}: no response within {PATIENCE:?}")
    }

    fn notice(&mut self, event: &Json) {
        let parameters = &event["params"];
        let is_bad = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => parameters["type"] != "log",
            Some("Log.entryAdded") => parameters["entry"]["level"] != "verbose",
            _ => false,
        };
        if is_bad {
            self.problems.push(parameters.to_string());
        }
    }
}
