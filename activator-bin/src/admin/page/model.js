// What is known: the snapshot of /v1/events and the changes since, and what follows from it for people.
// No DOM here.

const SLOTS = 60;
const NOTHING = [0, 0];

const model = {
  server: {},
  // Of all revisions together: pairs of concurrency and requests per second, the last one now.
  history: [],
  // By "namespace/name".
  rows: new Map(),
  // Rows whose history is not all zeros.
  moving: new Set(),
  // How far the clock of the server is ahead, in milliseconds.
  ahead: 0,
  // Whether the whole snapshot is here.
  complete: false,
  // Counts changes of which revisions there are.
  edition: 0,
};

function apply(isSnapshot, data) {
  if (isSnapshot) {
    model.server = {};
    model.history = [];
    model.rows.clear();
    model.moving.clear();
    model.edition += 1;
  }
  const slots = Math.min(data.slots || 0, SLOTS);
  move(model.history, slots);
  for (const row of model.moving) {
    move(row.history, slots);
    if (!row.history.length) model.moving.delete(row);
  }
  merge(model.server, data.server || {});
  if (isSnapshot) model.ahead = Date.parse(model.server.now) - Date.now();
  overwrite(model.history, data.history);
  for (const { namespace, name, history, ...changes } of data.revisions || []) {
    const row = rowOf(namespace, name);
    merge(row, changes);
    if (history) {
      overwrite(row.history, history);
      model.moving.add(row);
    }
    row.text = `${row.key} ${(row.hosts || []).join(" ")} ${stateOf(row)}`.toLowerCase();
  }
  for (const { namespace, name } of data.removed || []) {
    const row = model.rows.get(`${namespace}/${name}`);
    if (row) {
      model.rows.delete(row.key);
      model.moving.delete(row);
      model.edition += 1;
    }
  }
  model.complete = !data.more;
}

function rowOf(namespace, name) {
  const key = `${namespace}/${name}`;
  let row = model.rows.get(key);
  if (!row) {
    row = { key, namespace, name, history: [], text: "" };
    model.rows.set(key, row);
    model.edition += 1;
  }
  return row;
}

function merge(fields, changes) {
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete fields[name];
    else fields[name] = value;
  }
}

// Time passes without requests.
function move(history, slots) {
  if (!history.length) return;
  for (let slot = 0; slot < slots; slot += 1) history.push(NOTHING);
  history.splice(0, history.length - SLOTS);
  if (history.every(([concurrency, requests]) => !concurrency && !requests)) history.length = 0;
}

// What is told of ends now.
function overwrite(history, told) {
  if (!told) return;
  history.length = Math.max(history.length - told.length, 0);
  history.push(...told);
  history.splice(0, history.length - SLOTS);
}

const last = (history, which) => (history.length ? history[history.length - 1][which] : 0);
const sum = (history, which) => history.reduce((all, sample) => all + sample[which], 0);

// The states from the most urgent to the quietest, which is how they are sorted.
const STATES = ["failed", "set aside", "starting", "probing", "no backends", "draining", "stopping", "ready", "frozen", "asleep"];

function stateOf({ status, states }) {
  if (status) return status.state === "stopped" ? "asleep" : status.state;
  if (!states) return "asleep";
  if (states.ready || states.behind_service || states.unassigned) return "ready";
  if (states.probing) return "probing";
  return states.set_aside ? "set aside" : "no backends";
}

// How many instances are ready, and how many there are.
function instancesOf({ status, states }) {
  if (status) return [status.ready || 0, (status.instances || []).length];
  const counts = Object.entries(states || {});
  const total = counts.reduce((all, [, count]) => all + count, 0);
  return [total - (states?.probing || 0) - (states?.set_aside || 0), total];
}

// Why it is in its state, and what is next.
function whyOf(row) {
  const { status, states } = row;
  const state = stateOf(row);
  if (!status) {
    const counts = Object.entries(states || {}).map(([name, count]) => `${count} ${words(name)}`);
    return counts.join(", ") || (state === "asleep" ? "no request for minutes" : "nothing to send requests to");
  }
  const change = status.last_change;
  if (state === "failed") return `retry in ${until(status.failed?.until)}: ${status.failed?.why || "unknown"}`;
  if (state === "asleep") return change ? `since ${since(change.at)}: ${words(change.cause)}` : "not started yet";
  const instance = (status.instances || []).find((it) => it.state === status.state);
  const parts = [`for ${since(instance?.since)}`];
  if (status.next_stop) parts.push(`${status.next_stop.action === "freeze" ? "freezes" : "stops"} in ${until(status.next_stop.at)}`);
  else if (change && state !== "ready") parts.push(words(change.cause));
  return parts.join(", ");
}

const wokenAt = (row) => (row.status?.last_start ? Date.parse(row.status.last_start.at) : 0);

function wokenOf(row) {
  const start = row.status?.last_start;
  return start ? `${words(start.cause)}, ${since(start.at)} ago` : "";
}

const words = (name) => String(name).replaceAll("_", " ");
const now = () => Date.now() + model.ahead;
const since = (time) => duration(now() - Date.parse(time));
const until = (time) => duration(Date.parse(time) - now());

function duration(milliseconds) {
  const seconds = Math.max(Math.round(milliseconds / 1000), 0);
  if (Number.isNaN(seconds)) return "?";
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

function number(value) {
  const shown = Math.abs(value) < 10 ? Math.round(value * 10) / 10 : Math.round(value);
  return shown.toLocaleString("en").replaceAll(",", "\u202f");
}
