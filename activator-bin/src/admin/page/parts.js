// Elements: made of text only, so that nobody's names or output are ever read as HTML.

const byId = (id) => document.getElementById(id);

// An element with attributes and children, which are elements or texts.
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Touches the page only where there is a change.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = SLOTS - 1;
const HEIGHT = 20;

// A small chart of the last minute.
function chart(label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const [base, area, line] = ["base", "area", "line"].map((name) => {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    svg.append(path);
    return path;
  });
  base.setAttribute("d", `M0 ${HEIGHT - 0.5}H${WIDTH}`);
  const draw = (history, which) => {
    const top = Math.max(...history.map((sample) => sample[which]), which ? 1 : 0.5);
    const from = SLOTS - history.length;
    const points = history.map((sample, at) => {
      const height = (sample[which] / top) * (HEIGHT - 3);
      return `${from + at} ${Math.round((HEIGHT - 1 - height) * 10) / 10}`;
    });
    const d = points.length ? `M${points.join("L")}` : "";
    if (line.getAttribute("d") === d) return;
    line.setAttribute("d", d);
    area.setAttribute("d", d ? `${d}V${HEIGHT}H${from}Z` : "");
    svg.setAttribute("aria-label", history.length ? `${label}: ${number(last(history, which))} now, ${number(top)} at most` : `${label}: none`);
  };
  svg.setAttribute("aria-label", `${label}: none`);
  return { svg, draw };
}

let saidUntil = 0;

// Shows a text for a moment, and has it read out.
function say(text) {
  setText(byId("said"), text);
  clearTimeout(saidUntil);
  saidUntil = setTimeout(() => setText(byId("said"), ""), 6000);
}
