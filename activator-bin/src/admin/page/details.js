// One revision in full, with the output of its instances, asked for while it is shown.

const ASK_EVERY = 2000;
const PATIENCE = 10000;

const details = {
  key: null,
  // Its parts, while it is shown.
  parts: null,
  timer: 0,
  // The last response as text, and whether one is awaited.
  text: "",
  asking: false,
};

function open(key) {
  if (details.key === key) return;
  close();
  details.key = key;
  const name = make("h2", { id: "details-name", tabindex: "-1" }, key);
  const shut = make("button", { type: "button", class: "action", "aria-label": "Close details" }, "Close");
  shut.addEventListener("click", closeAndReturn);
  const actions = make("div", { class: "actions write" });
  for (const [verb, label] of [["wake", "Wake"], ["sleep", "Put to sleep"]]) {
    const button = make("button", { type: "button", class: "action" }, label);
    button.addEventListener("click", () => change(key, verb));
    actions.append(button);
  }
  const facts = make("dl");
  const backends = make("div");
  const instances = make("div");
  const problem = make("p");
  byId("details").replaceChildren(make("div", { class: "title" }, name, shut), actions, problem, facts, backends, instances);
  byId("details").hidden = false;
  details.parts = { actions, problem, facts, backends, instances, outputs: new Map() };
  details.text = "";
  name.focus({ preventScroll: true });
  ask();
  render();
}

function close() {
  clearTimeout(details.timer);
  details.key = null;
  details.parts = null;
  byId("details").hidden = true;
  byId("details").replaceChildren();
}

function closeAndReturn() {
  const place = table.places.get(details.key);
  close();
  render();
  if (place === undefined) byId("search").focus();
  else focusRow(place);
}

const pathOf = ({ namespace, name }) => `/v1/revisions/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;

async function ask() {
  clearTimeout(details.timer);
  const { key, parts } = details;
  const row = model.rows.get(key);
  if (row && !document.hidden && !details.asking) {
    details.asking = true;
    try {
      const response = await fetch(pathOf(row), { signal: AbortSignal.timeout(PATIENCE) });
      const text = await response.text();
      if (details.parts === parts) {
        setText(parts.problem, response.ok ? "" : text.slice(0, 300));
        if (response.ok && text !== details.text) fill(parts, JSON.parse(text));
        details.text = text;
      }
    } catch (error) {
      if (details.parts === parts) setText(parts.problem, `Not known now: ${error.message}`);
    } finally {
      details.asking = false;
    }
  }
  if (details.parts) details.timer = setTimeout(ask, ASK_EVERY);
}

function fill(parts, shown) {
  fillBackends(parts.backends, shown);
  const instances = shown.status?.instances || [];
  const indices = new Set(instances.map((it) => it.index));
  for (const [index, part] of parts.outputs) {
    if (!indices.has(index)) {
      part.element.remove();
      parts.outputs.delete(index);
    }
  }
  for (const instance of instances) {
    let part = parts.outputs.get(instance.index);
    if (!part) {
      const heading = make("h3");
      const output = make("pre", { tabindex: "0", role: "log", "aria-live": "off", "aria-label": `Output of instance ${instance.index}` });
      part = { element: make("section", null, heading, output), heading, output };
      parts.outputs.set(instance.index, part);
      parts.instances.append(part.element);
    }
    const { heading, output } = part;
    setText(heading, [`Instance ${instance.index}: ${instance.state} for ${since(instance.since)}`, instance.pid && `process ${instance.pid}`].filter(Boolean).join(", "));
    const isAtEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 4;
    setText(output, [instance.output].flat().join("\n") || "no output");
    if (isAtEnd) output.scrollTop = output.scrollHeight;
  }
}

function fillBackends(part, shown) {
  const states = new Map((shown.backend_states || []).map((it) => [it.address, it]));
  const all = shown.status ? [] : shown.backends || [];
  const list = make("ul");
  for (const address of all.slice(0, 100)) {
    const it = states.get(address);
    // Those of a revision that sleeps are not probed.
    list.append(make("li", null, it ? `${address}: ${words(it.state)}` : address));
  }
  if (all.length > 100) list.append(make("li", null, `and ${all.length - 100} more`));
  part.replaceChildren(...(all.length ? [make("h3", null, "Backends"), list] : []));
}

// What follows from events.
function drawDetails() {
  const { key, parts } = details;
  if (!parts) return;
  const row = model.rows.get(key);
  if (!row) {
    if (model.complete) setText(parts.problem, "It is no longer there.");
    return;
  }
  const [wake, sleep] = parts.actions.children;
  parts.actions.hidden = !row.status;
  for (const button of [wake, sleep]) setAttribute(button, "aria-disabled", String(changing.has(key)));
  const status = row.status || {};
  const counts = (of) => Object.entries(of || {}).map(([cause, count]) => `${count} ${words(cause)}`).join(", ");
  const facts = [
    ["State", `${stateOf(row)}, ${whyOf(row)}`],
    ["Hosts", (row.hosts || []).join(", ")],
    ["Load", `${row.in_flight || 0} in flight, ${row.queued || 0} queued, ${number(last(row.history, 1))} requests/s`],
    ["Wanted", row.status ? `${status.wanted || 0} for the load, ${status.ready || 0} ready` : ""],
    ["Last woken", wokenOf(row)],
    ["Last change", status.last_change ? `${words(status.last_change.cause)}, ${since(status.last_change.at)} ago` : ""],
    ["Start took", status.start_seconds ? `${number(status.start_seconds)} s` : ""],
    ["Starts", counts(status.starts)],
    ["Stops", counts(status.stops)],
  ].filter(([, text]) => text);
  const all = JSON.stringify(facts);
  if (parts.drawn === all) return;
  parts.drawn = all;
  parts.facts.replaceChildren(...facts.flatMap(([term, text]) => [make("dt", null, term), make("dd", null, text)]));
}
