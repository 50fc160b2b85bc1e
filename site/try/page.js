// What all tabs use: elements, drawings, the tabs and the address.
"use strict";

const TABS = ["try", "race", "cards", "about"];
const opened = {};  // tab -> what to do with the address when it is shown
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

// An element: el("p", { class: "small" }, "text", other elements). on...: a listener.
function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "line", "circle", "rect", "text", "g", "title"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null));
  return made;
}

const byId = (id) => document.getElementById(id);
const three = (value) => value.toFixed(3);
const percent = (value) => `${(100 * value).toFixed(1)} %`;

// A text whose code stands between backticks.
function rich(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

function table(head, rows) {
  const numeric = (cell) => ({ class: /^[-+\d]/.test(cell) ? "n" : false });
  return el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table" }, el("table", {},
    el("thead", {}, el("tr", {}, head.map((cell, i) => el("th", { scope: "col", ...numeric(rows[0][i]) }, cell)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, i) => (i ? el("td", numeric(cell), cell) : el("th", { scope: "row" }, cell))))))));
}

const MARKS = {  // as helpers/plots/style.py has them
  o: (x, y) => `M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z`, s: (x, y) => `M${x - 5} ${y - 5}h10v10h-10Z`,
  "^": (x, y) => `M${x} ${y - 7}l6 11h-12Z`, D: (x, y) => `M${x} ${y - 7}l7 7l-7 7l-7 -7Z`, v: (x, y) => `M${x} ${y + 7}l6 -11h-12Z`,
};

function mark(x, y, { color, rim, marker }) {
  return el("path", { d: MARKS[marker](x, y), fill: color, stroke: rim || color, "stroke-width": 1.5 });
}

// Drawings are as wide as the window lets them be; their text is as large as small text beside it.
function wide() {
  const scale = parseFloat(getComputedStyle(document.documentElement).fontSize) / 18;
  return Math.max(300, Math.min(680, (document.querySelector("main").clientWidth - 32) / scale));
}

function ticks(low, high) {
  const step = [0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((size) => (high - low) / size <= 6) ?? 10, found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9; k++) found.push(k * step);
  return found;
}

const label = (value) => String(Number(value.toFixed(2)));

// Lines with a mark at every point and a name: at their ends, or below where there is no room.
// lines: {name, color, rim, points: [[x, y, low?, high?]]}.
function lineChart({ lines, title, across, up, log = false, low, high }) {
  const W = wide(), narrow = W < 520, below = narrow ? 26 * lines.length : 0, H = 330 + below;
  const box = { left: 48, right: narrow ? 14 : 190, top: 34, bottom: 54 + below };
  const xs = lines.flatMap((line) => line.points.map((p) => p[0])), scale = log ? Math.log : (v) => v;
  const [x0, x1] = [scale(Math.min(...xs)), scale(Math.max(...xs))];
  const X = (v) => box.left + ((scale(v) - x0) / (x1 - x0 || 1)) * (W - box.left - box.right);
  const Y = (v) => H - box.bottom - ((v - low) / (high - low)) * (H - box.top - box.bottom);
  const told = lines.map((line) => `${line.name}: ${line.points.map((p) => `${p[0]}: ${p[1].toFixed(2)}`).join(", ")}`).join("; ");
  const svg = el("svg", { viewBox: `0 0 ${W} ${H}`, style: `width: ${W / 18}rem`, role: "img", "aria-label": `${title}. ${told}.` }, el("text", { x: 4, y: 18 }, up));
  for (const value of ticks(low, high)) {
    svg.append(el("line", { x1: box.left, x2: W - box.right, y1: Y(value), y2: Y(value), stroke: "#ddd" }),
      el("text", { x: box.left - 8, y: Y(value) + 5, "text-anchor": "end" }, label(value)));
  }
  let last = -Infinity;
  for (const x of [...new Set(xs)].sort((a, b) => a - b)) {
    if (X(x) - last < 34) continue;
    svg.append(el("text", { x: X(x), y: H - box.bottom + 22, "text-anchor": "middle" }, String(x)));
    last = X(x);
  }
  svg.append(el("text", { x: (box.left + W - box.right) / 2, y: H - box.bottom + 44, "text-anchor": "middle" }, across));
  const ends = lines.map((line) => Y(line.points.at(-1)[1]));
  [...ends.keys()].sort((a, b) => ends[a] - ends[b]).reduce((above, i) => (ends[i] = Math.max(ends[i], above + 20)), -Infinity);
  lines.forEach((line, i) => {
    const path = line.points.map((p, k) => `${k ? "L" : "M"}${X(p[0])} ${Y(p[1])}`).join(""), aside = 4 * (i - (lines.length - 1) / 2);
    for (const p of line.points) if (p[3] > p[2]) svg.append(el("line", { x1: X(p[0]) + aside, x2: X(p[0]) + aside, y1: Y(p[2]), y2: Y(p[3]), stroke: line.rim || line.color, "stroke-width": 2 }));
    if (line.rim) svg.append(el("path", { d: path, fill: "none", stroke: line.rim, "stroke-width": 5 }));
    svg.append(el("path", { d: path, fill: "none", stroke: line.color, "stroke-width": 3, "stroke-dasharray": line.dash || "none" }));
    if (line.points.length < 30) for (const p of line.points) svg.append(mark(X(p[0]), Y(p[1]), line));
    const y = narrow ? H - below + 18 + 26 * i : ends[i];
    if (narrow) svg.append(mark(12, y, line));
    svg.append(el("text", { x: narrow ? 28 : W - box.right + 14, y: y + 5 }, line.name));
  });
  return el("figure", {}, svg);
}

// A row for each score: its mark and its interval.
function intervalChart({ rows, title, low, high, chance }) {
  const W = wide(), narrow = W < 520, step = narrow ? 62 : 44, left = narrow ? 14 : 180, H = 70 + step * rows.length;
  const X = (v) => left + ((v - low) / (high - low)) * (W - left - 24);
  const told = rows.map((row) => `${row.name}: ${three(row.score)}, ${three(row.lo)} to ${three(row.hi)}`).join("; ");
  const svg = el("svg", { viewBox: `0 0 ${W} ${H}`, style: `width: ${W / 18}rem`, role: "img", "aria-label": `${title}. ${told}.` });
  for (const value of ticks(low, high)) {
    svg.append(el("line", { x1: X(value), x2: X(value), y1: 8, y2: H - 52, stroke: "#ddd" }), el("text", { x: X(value), y: H - 32, "text-anchor": "middle" }, label(value)));
  }
  if (chance > low) svg.append(el("line", { x1: X(chance), x2: X(chance), y1: 8, y2: H - 52, stroke: "#767676", "stroke-dasharray": "5 4" }));
  svg.append(el("text", { x: narrow ? 4 : (left + W) / 2, y: H - 8, "text-anchor": narrow ? "start" : "middle" }, title));
  rows.forEach((row, i) => {
    const y = (narrow ? 42 : 28) + step * i;
    svg.append(el("text", { x: 4, y: narrow ? y - 16 : y + 5 }, row.name), el("line", { x1: X(Math.max(row.lo, low)), x2: X(Math.min(row.hi, high)), y1: y, y2: y, stroke: row.rim || row.color, "stroke-width": 4 }), mark(X(Math.max(row.score, low)), y, row));
  });
  return el("figure", {}, svg);
}

function save(name, text, type = "application/json") {
  const address = URL.createObjectURL(new Blob([text], { type }));
  el("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// A script of this folder, once; a page that was double-clicked can load nothing else.
const loading = {};
function script(name) {
  return (loading[name] ??= new Promise((done, failed) => {
    document.body.append(el("script", { src: name, onload: () => done(), onerror: () => { delete loading[name]; failed(new Error(`${name} could not be loaded. Copy the whole folder of the page.`)); } }));
  }));
}

function address() {
  const given = new URLSearchParams(location.hash.slice(1)), first = [...given.keys()][0];
  return [TABS.includes(first) ? first : "try", given];
}

function setAddress(values) {
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value != null)).toString().replace(/=(?=&|$)/g, "");
  if (location.hash.slice(1) === text) return;
  history.pushState(null, "", `#${text}`);
}

function show() {
  const [tab, given] = address();
  for (const name of TABS) {
    const chosen = name === tab;
    byId(name).hidden = !chosen;
    byId(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${name}`).tabIndex = chosen ? 0 : -1;
  }
  opened[tab]?.(given);
}

for (const name of TABS) byId(`tab-${name}`).addEventListener("click", () => { setAddress({ [name]: "" }); show(); });
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  const next = TABS[(TABS.indexOf(address()[0]) + by + TABS.length) % TABS.length];
  byId(`tab-${next}`).click();
  byId(`tab-${next}`).focus();
});
addEventListener("popstate", show);  // also when the address is edited
addEventListener("DOMContentLoaded", show);
