// Follows the events, and does what people ask for.

const EVENTS = "/v1/events";
// Something comes every 15 s at least.
const SILENCE = 40000;
// How long a page that nobody sees stays connected: browsers share a few connections among all pages.
const UNSEEN = 30000;

const stream = { source: null, seen: 0, again: 0, unseen: 0 };
// The revisions that a change was asked for, until there is a response.
const changing = new Set();

function connect() {
  disconnect();
  show("connecting", "connecting");
  const source = new EventSource(EVENTS);
  stream.source = source;
  stream.seen = Date.now();
  const take = (isSnapshot) => (event) => {
    stream.seen = Date.now();
    apply(isSnapshot, JSON.parse(event.data));
    if (model.complete) show("live", model.server.draining ? "draining" : "live");
    render();
  };
  source.addEventListener("snapshot", take(true));
  source.addEventListener("change", take(false));
  source.addEventListener("alive", () => (stream.seen = Date.now()));
  source.addEventListener("error", () => {
    if (stream.source !== source) return;
    if (source.readyState === EventSource.CLOSED) {
      // The server does not want one more reader now.
      show("lost", "refused, trying again");
      stream.again = setTimeout(connect, 10000);
    } else {
      show("lost", "reconnecting");
    }
  });
}

function disconnect() {
  clearTimeout(stream.again);
  stream.source?.close();
  stream.source = null;
}

function show(state, text) {
  setAttribute(byId("stream"), "data-state", state);
  setText(byId("stream"), text);
}

async function change(key, verb) {
  const row = model.rows.get(key);
  if (!row || changing.has(key)) return;
  changing.add(key);
  render();
  try {
    const response = await fetch(`${pathOf(row)}/${verb}`, { method: "POST", signal: AbortSignal.timeout(PATIENCE) });
    const text = await response.text();
    say(response.ok ? `${key}: ${verb === "wake" ? "waking" : "going to sleep"}` : `${key}: ${text.slice(0, 300)}`);
  } catch (error) {
    say(`${key}: ${error.message}`);
  }
  changing.delete(key);
  render();
}

function makeTotals() {
  const total = (label, more) => {
    const value = make("b", null, "\u2013");
    const note = make("small");
    byId("totals").append(make("div", { class: "total" }, make("span", null, label), value, ...(more ? [note] : [])));
    return { value, note };
  };
  const totals = {
    revisions: total("Revisions"),
    awake: total("Awake"),
    asleep: total("Asleep"),
    inFlight: total("In flight"),
    queued: total("Queued"),
    requests: total("Requests/s"),
    memory: total("Memory"),
  };
  totals.charts = ["Concurrency", "Requests/s"].map((label) => {
    const it = chart(`${label} of all revisions`);
    byId("totals").append(make("div", { class: "total" }, make("span", null, label), it.svg));
    return it;
  });
  return totals;
}

function drawTotals(totals) {
  const { totals: sums = {}, memory_bytes: memory } = model.server;
  setText(totals.revisions.value, number(sums.revisions || 0));
  setText(totals.awake.value, number(sums.awake || 0));
  setText(totals.asleep.value, number((sums.revisions || 0) - (sums.awake || 0)));
  setText(totals.inFlight.value, number(sums.in_flight || 0));
  setText(totals.queued.value, number(sums.queued || 0));
  setText(totals.requests.value, number(last(model.history, 1)));
  setText(totals.memory.value, memory ? `${Math.round(memory / 1048576)} MiB` : "\u2013");
  totals.charts.forEach((it, which) => it.draw(model.history, which));
}

function drawServer() {
  const { version, pod_name: pod, started, links = [] } = model.server;
  setText(byId("about"), `${version}, ${pod}, up ${since(started)}`);
  const texts = links.map((link) => {
    const confirmed = link.last_confirmed ? `, last confirmed ${since(link.last_confirmed)} ago` : "";
    const keys = `${link.pending_keys} revisions in the outbox`;
    const state = link.up ? "reachable" : `not reachable${link.failure ? `: ${link.failure}` : ""}`;
    return [link.up, link.peer, `${state}, ${keys}${confirmed}`];
  });
  if (!texts.length) {
    const isHere = [...model.rows.values()].some((row) => row.status);
    texts.push(["none", "Autoscaler", isHere ? "on this machine" : "none is configured"]);
  }
  const drawn = JSON.stringify(texts);
  if (byId("links").dataset.drawn === drawn) return;
  byId("links").dataset.drawn = drawn;
  byId("links").replaceChildren(...texts.map(([up, peer, text]) => make("li", { "data-up": up }, `${peer} `, make("small", null, text))));
}

let frame = 0;
let totals = null;

// Draws what has changed, once per frame.
function render() {
  if (!frame && !document.hidden) frame = requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  if (!model.complete) return;
  document.body.classList.toggle("read-only", !model.server.write);
  drawTotals(totals);
  drawServer();
  renderRows();
  drawDetails();
  if (!performance.getEntriesByName("shown").length) performance.mark("shown");
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  const isTyping = target.matches("input, textarea, select");
  if (key === "/" && !isTyping) {
    byId("search").focus();
    byId("search").select();
  } else if (key === "Escape" && details.parts) {
    closeAndReturn();
  } else if (key === "Escape" && target === byId("search")) {
    target.value = "";
    search("");
  } else if (key === "ArrowDown" && target === byId("search")) {
    focusRow(table.places.get(table.current) ?? 0);
  } else if (target.matches("tbody tr") && onRowKey(target.dataset.key, key)) {
    // Done.
  } else {
    return;
  }
  event.preventDefault();
}

function onRowKey(row, key) {
  const place = table.places.get(row);
  const page = Math.max(Math.floor(window.innerHeight / table.height) - 2, 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (key in steps) focusRow(place + steps[key]);
  else if (key === "Enter" || key === " ") open(row);
  else return false;
  return true;
}

function start() {
  makeHead();
  totals = makeTotals();
  byId("search").addEventListener("input", (event) => search(event.target.value));
  let counted = 0;
  byId("search").addEventListener("input", () => {
    clearTimeout(counted);
    counted = setTimeout(() => setText(byId("heard"), `${table.order.length} revisions`), 1000);
  });
  document.addEventListener("keydown", onKey);
  byId("rows").addEventListener("focusin", ({ target }) => (table.current = target.closest("tr").dataset.key));
  byId("rows").addEventListener("click", ({ target }) => {
    const row = target.closest("tr");
    if (row && !target.closest("button")) {
      table.current = row.dataset.key;
      open(row.dataset.key);
    }
  });
  window.addEventListener("scroll", render, { passive: true });
  window.addEventListener("resize", render);
  document.addEventListener("visibilitychange", () => {
    clearTimeout(stream.unseen);
    if (document.hidden) stream.unseen = setTimeout(disconnect, UNSEEN);
    else if (stream.source) render();
    else connect();
  });
  setInterval(() => {
    if (document.hidden) return;
    if (stream.source && Date.now() - stream.seen > SILENCE) connect();
    render();
  }, 1000);
  connect();
}

start();
