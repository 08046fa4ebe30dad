// The table: which rows there are and in which order, and those that can be seen, which are all that exist.

const rising = (of) => (a, b) => of(a) - of(b);
const byKey = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

const COLUMNS = [
  { id: "name", label: "Revision", compare: byKey, first: "ascending" },
  { id: "state", label: "State", compare: rising((row) => STATES.indexOf(stateOf(row))), first: "ascending" },
  { id: "in_flight", label: "In flight", kind: "number", compare: rising((row) => row.in_flight || 0) },
  { id: "queued", label: "Queued", kind: "number rare", compare: rising((row) => row.queued || 0) },
  { id: "requests", label: "Req/s", kind: "number", compare: rising((row) => last(row.history, 1)) },
  { id: "concurrency", label: "Concurrency", kind: "chart still wide", compare: rising((row) => sum(row.history, 0)) },
  { id: "rate", label: "Requests", kind: "chart still", compare: rising((row) => sum(row.history, 1)) },
  { id: "ready", label: "Ready", kind: "number rare", compare: rising((row) => instancesOf(row)[0]) },
  { id: "woken", label: "Last woken", kind: "wide still", compare: rising(wokenAt) },
];

// More rows than can be seen, above and below.
const BESIDE = 6;

const table = {
  sort: "name",
  direction: "ascending",
  terms: [],
  // The rows that match, in order.
  order: [],
  places: new Map(),
  // What `order` was made for.
  made: "",
  // The row that has, or would get, the focus.
  current: null,
  shown: new Map(),
  height: 44,
};

function makeHead() {
  for (const column of COLUMNS) {
    const button = make("button", { type: "button" }, column.label);
    const cell = make("th", { role: "columnheader", scope: "col", class: column.kind || "", "aria-sort": "none" }, button);
    button.addEventListener("click", () => sortBy(column));
    column.cell = cell;
    byId("head").append(cell);
  }
  byId("head").append(make("th", { role: "columnheader", scope: "col", class: "still write" }));
}

function sortBy(column) {
  const other = { ascending: "descending", descending: "ascending" };
  const first = column.first || "descending";
  table.direction = table.sort === column.id ? other[table.direction] : first;
  table.sort = column.id;
  render();
}

function search(text) {
  table.terms = text.toLowerCase().split(/\s+/).filter(Boolean);
  window.scrollTo({ top: Math.min(window.scrollY, rowsTop()) });
  render();
}

// The order stays as it is while somebody points at a row or has it in focus.
const isHeld = () => byId("rows").matches(":hover, :focus-within");

function arrange() {
  const wish = JSON.stringify([table.sort, table.direction, table.terms]);
  const matches = (row) => table.terms.every((term) => row.text.includes(term));
  const column = COLUMNS.find((it) => it.id === table.sort);
  if (wish === table.made && isHeld()) {
    const kept = table.order.filter((row) => model.rows.get(row.key) === row);
    if (kept.length === table.order.length && model.rows.size === table.known) return;
    const known = new Set(table.order);
    table.order = kept.concat([...model.rows.values()].filter((row) => !known.has(row) && matches(row)));
  } else {
    const sign = table.direction === "ascending" ? 1 : -1;
    table.order = [...model.rows.values()].filter(matches);
    table.order.sort((a, b) => sign * column.compare(a, b) || byKey(a, b));
    table.made = wish;
  }
  table.known = model.rows.size;
  table.places = new Map(table.order.map((row, place) => [row.key, place]));
}

const rowsTop = () => byId("rows").getBoundingClientRect().top + window.scrollY;

function renderRows() {
  arrange();
  const rows = byId("rows");
  const { order, places } = table;
  if (!places.has(table.current)) table.current = order.length ? order[0].key : null;
  table.height = parseFloat(getComputedStyle(rows).getPropertyValue("--row")) * parseFloat(getComputedStyle(document.documentElement).fontSize);
  const above = -rows.getBoundingClientRect().top;
  const from = Math.max(Math.floor(above / table.height) - BESIDE, 0);
  const to = Math.min(Math.ceil((above + window.innerHeight) / table.height) + BESIDE, order.length);
  const focused = rows.contains(document.activeElement) ? document.activeElement : null;
  const wanted = new Set();
  for (let place = from; place < to; place += 1) wanted.add(place);
  // The row in focus is kept, wherever it is.
  if (table.current !== null) wanted.add(places.get(table.current));
  const keys = new Set([...wanted].map((place) => order[place].key));
  for (const [key, shown] of table.shown) {
    if (!keys.has(key)) {
      shown.element.remove();
      table.shown.delete(key);
    }
  }
  let next = rows.firstChild;
  for (const place of [...wanted].sort((a, b) => a - b)) {
    const row = order[place];
    let shown = table.shown.get(row.key);
    if (!shown) {
      shown = makeRow(row.key);
      table.shown.set(row.key, shown);
    }
    if (shown.element === next) next = next.nextSibling;
    else rows.insertBefore(shown.element, next);
    drawRow(shown, row, place);
  }
  // An element that is moved loses the focus, one that is gone as well.
  if (focused && document.activeElement !== focused) {
    const shown = table.shown.get(table.current);
    const again = focused.isConnected ? focused : shown?.element;
    again?.focus({ preventScroll: true });
  }
  const height = `${order.length * table.height}px`;
  if (rows.style.height !== height) rows.style.height = height;
  setAttribute(byId("table"), "aria-rowcount", String(order.length + 1));
  for (const column of COLUMNS) {
    setAttribute(column.cell, "aria-sort", column.id === table.sort ? table.direction : "none");
  }
  const count = order.length === model.rows.size ? `${order.length}` : `${order.length} of ${model.rows.size}`;
  setText(byId("count"), model.complete ? count : "");
  byId("empty").hidden = !model.complete || order.length > 0;
  setText(byId("empty"), model.rows.size ? "No revision matches." : "There are no revisions.");
}

function makeRow(key) {
  const cells = COLUMNS.map((column) => make("td", { role: "cell", class: `${column.id}-cell ${column.kind || ""}` }));
  const [name, state, inFlight, queued, requests, concurrency, rate, ready, woken] = cells;
  const nameText = make("span", { class: "name" });
  const hosts = make("small");
  name.append(nameText, hosts);
  const stateText = make("span", { class: "state" });
  const why = make("small");
  state.append(stateText, why);
  const charts = [chart("Concurrency in the last minute"), chart("Requests per second in the last minute")];
  concurrency.append(charts[0].svg);
  rate.append(charts[1].svg);
  woken.append(make("span"), make("small"));
  const button = make("button", { type: "button", class: "action" });
  const action = make("td", { role: "cell", class: "action-cell write" }, button);
  const element = make("tr", { role: "row", "data-key": key }, ...cells, action);
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    change(key, button.dataset.verb);
  });
  return { element, nameText, hosts, stateText, why, inFlight, queued, requests, charts, ready, woken, button };
}

function drawRow(shown, row, place) {
  const { element, button } = shown;
  const top = `translateY(${place * table.height}px)`;
  if (element.style.transform !== top) element.style.transform = top;
  setAttribute(element, "aria-rowindex", String(place + 2));
  const isCurrent = row.key === table.current;
  element.tabIndex = isCurrent ? 0 : -1;
  setAttribute(element, "aria-selected", String(row.key === details.key));
  setText(shown.nameText, row.key);
  setText(shown.hosts, (row.hosts || []).join(", "));
  const state = stateOf(row);
  setAttribute(shown.stateText, "data-state", state);
  setText(shown.stateText, state);
  const why = whyOf(row);
  setText(shown.why, why);
  if (shown.why.title !== why) shown.why.title = why;
  drawNumber(shown.inFlight, row.in_flight || 0);
  drawNumber(shown.queued, row.queued || 0);
  drawNumber(shown.requests, last(row.history, 1));
  shown.charts.forEach((it, which) => it.draw(row.history, which));
  const [ready, total] = instancesOf(row);
  setText(shown.ready, total ? `${ready} of ${total}` : "\u2013");
  setText(shown.woken.firstChild, row.status?.last_start ? words(row.status.last_start.cause) : "");
  setText(shown.woken.lastChild, row.status?.last_start ? `${since(row.status.last_start.at)} ago` : "");
  const verb = isUp(row) ? "sleep" : "wake";
  button.hidden = !row.status;
  button.tabIndex = isCurrent ? 0 : -1;
  button.dataset.verb = verb;
  // Not disabled, which would take the focus away.
  setAttribute(button, "aria-disabled", String(changing.has(row.key)));
  setText(button, verb === "wake" ? "Wake" : "Sleep");
  setAttribute(button, "aria-label", `${verb === "wake" ? "Wake" : "Put to sleep"} ${row.key}`);
}

// Whether there is an instance that could be put to sleep.
const isUp = (row) => ["ready", "starting"].includes(stateOf(row));

function drawNumber(cell, value) {
  setText(cell, number(value));
  cell.classList.toggle("zero", value === 0);
}

// Moves the focus to a row of the order, and the window so that it can be seen.
function focusRow(place) {
  const { order } = table;
  if (!order.length) return;
  const to = Math.min(Math.max(place, 0), order.length - 1);
  table.current = order[to].key;
  const top = rowsTop() + to * table.height;
  const head = byId("head").offsetHeight;
  if (top - head < window.scrollY) window.scrollTo({ top: top - head });
  else if (top + table.height > window.scrollY + window.innerHeight) window.scrollTo({ top: Math.ceil(top + table.height - window.innerHeight) });
  renderRows();
  table.shown.get(table.current)?.element.focus({ preventScroll: true });
}
