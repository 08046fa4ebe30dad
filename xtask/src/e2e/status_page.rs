//! The status page in a browser, without a mouse. Its pictures: `target/status-page-light.png` and `-dark.png`.
//!
//! With `E2E_STATUS_PAGE=long` there is traffic for the whole minute that the charts show: for the picture in `docs/`.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::command::root;
use crate::support::activator::{Activator, choose};
use crate::support::browser::Browser;
use crate::support::http::get;

/// Services with the seconds after which they stop; each prints a line that would be a script in HTML.
const SERVICES: [(&str, u32); 6] = [
    ("blog", 60),
    ("feeds", 30),
    ("git", 90),
    ("notes", 600),
    ("photos", 45),
    ("wiki", 60),
];

/// What an instance prints.
const HOSTILE: &str =
    "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>";

/// How many revisions the large page has.
const MANY: usize = 1_000;

/// That the page shows the present state.
const LIVE: &str = "document.getElementById('stream').dataset.state === 'live'";

pub(crate) fn run() -> Result<()> {
    let mut browser = Browser::start()?;
    few(&mut browser)?;
    many(&mut browser)
}

/// A few services: what is shown of them, and that they can be woken and put to sleep.
fn few(browser: &mut Browser) -> Result<()> {
    let services = SERVICES.map(|(name, window)| service(name, window));
    let config = format!(
        "pod_name = \"home\"\n{}{FAILING}{ELSEWHERE}[admin]\nwrite = true\n",
        services.concat()
    );
    let mut activator = Activator::start(&config)?;
    browser.resize(1_280, 600)?;
    browser.prefer("light")?;
    browser.open(&format!("http://{}/", activator.admin))?;
    browser.wait_for(LIVE)?;
    browser.wait_for(&state("notes", "asleep"))?;

    held(browser, &activator)?;
    by_keys(browser)?;
    hostile(browser)?;
    pictures(browser, &activator)?;
    phone(browser)?;
    clean(browser)?;
    restart(browser, &mut activator)?;
    activator.stop()
}

/// A request is seen while it is held, and that it has ended.
fn held(browser: &mut Browser, activator: &Activator) -> Result<()> {
    let address = activator.http;
    let request = thread::spawn(move || get(address, "/?seconds=4", &choose("notes")));
    browser.wait_for(&cell("notes", "in_flight", "1"))?;
    browser.wait_for(&state("notes", "ready"))?;
    let answer = request.join().expect("a client does not panic")?;
    ensure!(answer.status == 200, "status {}", answer.status);
    browser.wait_for(&cell("notes", "in_flight", "0"))?;
    let why =
        "document.querySelector('[data-key=\"default/notes\"] .state-cell small').textContent";
    browser.wait_for(&format!("/stops in \\d+/.test({why})"))?;
    println!("of notes: {}", browser.value(why)?);
    Ok(())
}

/// Search, sorting, waking and putting to sleep, by the keyboard alone.
fn by_keys(browser: &mut Browser) -> Result<()> {
    browser.press("/")?;
    browser.write("notes")?;
    browser.wait_for("document.querySelectorAll('#rows tr').length === 1")?;
    browser.press("ArrowDown")?;
    browser.wait_for("document.activeElement.dataset.key === 'default/notes'")?;
    browser.press("Tab")?;
    browser.wait_for("document.activeElement.textContent === 'Sleep'")?;
    browser.press("Enter")?;
    browser.wait_for(&state("notes", "asleep"))?;
    browser.wait_for("document.activeElement.textContent === 'Wake'")?;
    browser.press("Enter")?;
    browser.wait_for(&state("notes", "ready"))?;
    browser.press("/")?;
    browser.press("Escape")?;
    browser.wait_for(&format!(
        "document.querySelectorAll('#rows tr').length === {}",
        SERVICES.len() + 2
    ))?;
    // The first header is next, and asked twice sorts from the end.
    browser.press("Tab")?;
    browser.press("Enter")?;
    browser.wait_for("document.activeElement.parentElement.ariaSort === 'descending'")?;
    browser.wait_for("document.querySelector('#rows tr').dataset.key === 'edge/api-00012'")?;
    browser.press("Enter")?;
    browser.wait_for("document.querySelector('#rows tr').dataset.key === 'default/blog'")
}

/// The output of an instance is text, whatever is in it.
fn hostile(browser: &mut Browser) -> Result<()> {
    browser.press("/")?;
    browser.write("notes")?;
    browser.press("ArrowDown")?;
    browser.press("Enter")?;
    let output = "document.querySelector('#details pre')?.textContent";
    browser.wait_for(&format!("{output}?.includes({HOSTILE:?}) === true"))?;
    ensure!(
        browser.value("document.title")? == "Activator",
        "it was run"
    );
    browser.press("Escape")?;
    browser.wait_for("document.activeElement.dataset.key === 'default/notes'")?;
    browser.press("/")?;
    browser.press("Escape")
}

fn pictures(browser: &mut Browser, activator: &Activator) -> Result<()> {
    let seconds = match std::env::var("E2E_STATUS_PAGE").as_deref() {
        Ok("long") => 62,
        _ => 5,
    };
    traffic(activator, Duration::from_secs(seconds))?;
    browser.wait_for(&state("grafana", "failed"))?;
    browser.wait_for(
        "document.querySelector('[data-key=\"default/blog\"] .line').getAttribute('d') !== ''",
    )?;
    browser.value("document.activeElement.blur()")?;
    for (scheme, background) in [("light", "rgb(255, 255, 255)"), ("dark", "rgb(15, 19, 24)")] {
        browser.prefer(scheme)?;
        let color = "getComputedStyle(document.body).backgroundColor";
        browser.wait_for(&format!("{color} === '{background}'"))?;
        let picture = browser.screenshot()?;
        std::fs::write(
            root().join(format!("target/status-page-{scheme}.png")),
            picture,
        )?;
    }
    browser.prefer("light")
}

/// Requests to most services, and to one that cannot start.
fn traffic(activator: &Activator, period: Duration) -> Result<()> {
    let (address, until) = (activator.http, Instant::now() + period);
    let ask = |name: &'static str, path: String| {
        thread::spawn(move || get(address, &path, &choose(name)))
    };
    // It has failed when the picture is taken, and is not tried again yet.
    let mut failing = Some("grafana");
    let mut round = 0_u64;
    while Instant::now() < until {
        // As uneven as traffic is.
        let wave = (round as f64 / 9.0).sin() + 1.0;
        for (service, name) in ["blog", "git", "wiki", "photos"].into_iter().enumerate() {
            if (round + service as u64).is_multiple_of(1 + service as u64) {
                ask(
                    name,
                    format!("/?seconds={:.2}", wave * 0.2 * (4 - service) as f64),
                );
            }
        }
        let is_late = until.saturating_duration_since(Instant::now()) < Duration::from_secs(4);
        if let Some(name) = failing.take_if(|_| is_late) {
            ask(name, "/".to_owned());
        }
        round += 1;
        thread::sleep(Duration::from_millis(250));
    }
    Ok(())
}

/// Nothing is wider than a phone.
fn phone(browser: &mut Browser) -> Result<()> {
    browser.resize(390, 800)?;
    browser.wait_for("innerWidth === 390 && document.documentElement.scrollWidth <= 390")?;
    browser.wait_for("document.querySelector('[data-key=\"default/blog\"] .state').getBoundingClientRect().width > 0")?;
    browser.resize(1_280, 600)
}

/// The page comes back with the activator, and shows what there is then.
fn restart(browser: &mut Browser, activator: &mut Activator) -> Result<()> {
    activator.restart()?;
    browser.wait_for(&state("notes", "asleep"))?;
    browser.wait_for(LIVE)?;
    // While nothing listens, the browser itself says so.
    let is_other =
        |it: &String| !it.contains("ERR_CONNECTION_REFUSED") && !it.contains("/v1/events");
    let problems: Vec<_> = browser.problems()?.into_iter().filter(is_other).collect();
    ensure!(problems.is_empty(), "{problems:#?}");
    Ok(())
}

/// Many revisions, which the page may not change.
fn many(browser: &mut Browser) -> Result<()> {
    let section = |index| {
        format!(
            "[[revision]]\nnamespace = \"default\"\nname = \"service-{index:04}\"\nhosts = [\"s{index}.example.org\"]\nbackends = [\"127.0.0.1:9\"]\n"
        )
    };
    let config: String = (0..MANY).map(section).collect();
    let activator = Activator::start(&format!("{config}{}", service("notes", 60)))?;
    browser.open(&format!("http://{}/", activator.admin))?;
    browser.wait_for(LIVE)?;
    let shown = "performance.getEntriesByName('shown')[0].startTime";
    println!(
        "{MANY} revisions are shown after {:.0} ms",
        browser.value(shown)?.as_f64().context("a time")?
    );
    browser.wait_for(&format!(
        "document.getElementById('count').textContent === '{}'",
        MANY + 1
    ))?;
    let rows = browser.value("document.querySelectorAll('#rows tr').length")?;
    ensure!(rows.as_u64().is_some_and(|rows| rows < 60), "{rows} rows");
    browser.wait_for(
        "[...document.querySelectorAll('.action')].every((it) => !it.checkVisibility())",
    )?;

    browser.press("/")?;
    browser.press("ArrowDown")?;
    browser.press("End")?;
    browser.wait_for("document.activeElement.dataset.key === 'default/service-0999'")?;
    browser.wait_for("document.activeElement.getBoundingClientRect().bottom <= innerHeight")?;
    // What happens elsewhere moves neither the focus nor the window.
    let place = browser.value("scrollY")?;
    get(activator.http, "/", &choose("notes"))?;
    browser.wait_for("document.getElementById('totals').innerText.match(/Awake\\s+1/) !== null")?;
    ensure!(browser.value("scrollY")? == place, "it has scrolled");
    ensure!(browser.value("document.activeElement.dataset.key")? == "default/service-0999");
    browser.press("/")?;
    browser.write("s77.example")?;
    browser.wait_for("document.getElementById('rows').innerText.includes('service-0077')")?;
    browser.wait_for(&format!(
        "document.getElementById('count').textContent === '1 of {}'",
        MANY + 1
    ))?;
    browser.press("Escape")?;
    clean(browser)?;
    activator.stop()
}

/// Nothing went wrong in the page.
fn clean(browser: &mut Browser) -> Result<()> {
    let problems = browser.problems()?;
    ensure!(problems.is_empty(), "{problems:#?}");
    Ok(())
}

/// That a revision is in a state.
fn state(name: &str, state: &str) -> String {
    format!(
        "document.querySelector('[data-key=\"default/{name}\"] .state')?.textContent === '{state}'"
    )
}

/// That a cell of a revision has a text.
fn cell(name: &str, column: &str, text: &str) -> String {
    format!(
        "document.querySelector('[data-key=\"default/{name}\"] .{column}-cell')?.textContent === '{text}'"
    )
}

fn service(name: &str, window: u32) -> String {
    let script = root().join("e2e/one_machine.py").display().to_string();
    let start = format!("echo \"$0\"; exec python3 {script} \"$1\" /dev/null");
    let command = ["sh", "-c", &start, HOSTILE, "{port}"];
    format!(
        "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\nhosts = [\"{name}.example.org\"]\ncommand = {command:?}\nmax_scale = 3\nstable_window = \"{window}s\"\n"
    )
}

const FAILING: &str = r#"
[[revision]]
namespace = "default"
name = "grafana"
hosts = ["grafana.example.org"]
command = ["sh", "-c", "echo no such database; exit 3"]
max_scale = 1
restart_backoff = "1m"
max_restarts = 0
"#;

/// A revision whose backends are started elsewhere.
const ELSEWHERE: &str = r#"
[[revision]]
namespace = "edge"
name = "api-00012"
hosts = ["api.example.org"]
backends = ["127.0.0.1:9", "127.0.0.1:10"]
"#;
