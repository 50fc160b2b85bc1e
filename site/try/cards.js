// The third tab: cards and quiz with FSRS; progress stays in this browser, in the course's format.
"use strict";

const KEY = "transfer-learning-course-progress", WHAT = "progress of the transfer learning course";
const DAY = 86400000, NO_DATE = 365, LABELS = ["again", "hard", "good", "easy"];
let notice = "", session = { topic: null, item: null, shown: false, answers: 0 };

// Where progress lies: this browser's storage, or this page's memory where it is forbidden or full.
function inMemory() {
  const held = new Map();
  notice = "This browser keeps nothing for this page (its storage is full or switched off). Export your progress before you close it.";
  return { getItem: (key) => held.get(key) ?? null, setItem: (key, text) => held.set(key, text), removeItem: (key) => held.delete(key) };
}

let store = (() => {
  try {
    return window.localStorage;
  } catch {
    return inMemory();
  }
})();
const utc = (when = new Date()) => when.toISOString().replace("Z", "000+00:00");
const today = () => { const now = new Date(); return new Date(now - now.getTimezoneOffset() * 60000).toISOString().slice(0, 10); };

// The progress in a text; throws an Error that says what is wrong (helpers/practice/progress.py).
function parseProgress(text) {
  const whole = JSON.parse(text);
  if (whole?.what !== WHAT) throw new Error("it was written by another program");
  if (whole.schema !== 1) throw new Error(`it has schema ${whole.schema}, this page reads 1`);
  const time = (value) => typeof value === "string" && /(Z|\+00:00)$/.test(value) && !Number.isNaN(Date.parse(value));
  const fits = (review) => typeof review?.id === "string" && typeof review.item === "string" && time(review.at) && (review.after === "" || time(review.after))
    && [1, 2, 3, 4].includes(review.rating) && (review.sure === null || (Number.isInteger(review.sure) && review.sure >= 0 && review.sure <= 100)) && typeof review.right === "boolean";
  if (!Array.isArray(whole.reviews) || !whole.reviews.every(fits)) throw new Error("a review in it is broken");
  if (whole.interview !== null && !(/^\d{4}-\d\d-\d\d$/.test(whole.interview) && Date.parse(whole.interview))) throw new Error("its day of the interview is no date");
  return { what: WHAT, schema: 1, interview: whole.interview, entered: String(whole.entered ?? ""), reviews: whole.reviews };
}

// What is kept; a text that cannot be used is kept aside under another key, never overwritten.
function progress() {
  const text = store.getItem(KEY);
  if (text !== null) {
    try {
      return parseProgress(text);
    } catch (error) {
      const aside = `${KEY}.${Date.now()}.aside`, said = `The stored progress could not be used (${error.message}).`;
      try {
        store.setItem(aside, text);
        store.removeItem(KEY);
        notice = `${said} It is kept in this browser as ${aside}, and a new one is begun.`;
      } catch {  // no room for a copy: the original stays where it is
        store = inMemory();
        notice = `${said} It stays in this browser as ${KEY}. ${notice}`;
      }
    }
  }
  return { what: WHAT, schema: 1, interview: null, entered: "", reviews: [] };
}

function keep(whole) {
  const text = `${JSON.stringify(whole, null, 1)}\n`;
  try {
    store.setItem(KEY, text);
  } catch {
    store = inMemory();
    store.setItem(KEY, text);
  }
}

function joined(one, other) {
  const reviews = new Map([...one.reviews, ...other.reviews].map((review) => [review.id, review]));
  const last = other.entered > one.entered ? other : one;
  return { ...one, interview: last.interview, entered: last.entered, reviews: [...reviews.values()] };
}

// When a review counts as given, whatever the clock said (helpers.practice.schedule.counted_at).
function countedAt(review, reviews, now) {
  const at = new Date(review.at);
  if (at > now) return reviews.filter((other) => other.after >= review.at).reduce((least, other) => new Date(Math.min(least, new Date(other.at))), now);
  const after = review.after ? new Date(review.after) : at;
  return after <= now ? new Date(Math.max(at, after)) : at;
}

function daysLeft(interview) {
  return interview && interview >= today() ? Math.round((Date.parse(interview) - Date.parse(today())) / DAY) : NO_DATE;
}

// The scheduler's cards, worked out from the reviews: item -> card.
function schedule(whole, now = new Date()) {
  const longest = Math.max(1, daysLeft(whole.interview));
  const scheduler = FSRS.fsrs({ maximum_interval: longest, enable_fuzz: false, request_retention: 0.9, learning_steps: ["1m"], relearning_steps: ["1m"] });
  const cards = new Map(), dated = whole.reviews.map((review) => [countedAt(review, whole.reviews, now), review]);
  for (const [at, review] of dated.sort((a, b) => a[0] - b[0])) {
    const { card } = scheduler.next(cards.get(review.item) ?? FSRS.createEmptyCard(at), at, review.rating);
    card.due = new Date(Math.min(card.due, +at + longest * DAY));  // ts-fsrs adds days so that easy is later than good
    cards.set(review.item, card);
  }
  return { scheduler, cards, recall: (id, when) => (cards.has(id) ? scheduler.get_retrievability(cards.get(id), when, false) : 0) };
}

// What comes next of a topic: what is due until midnight, the shakiest first, then new ones, easy first.
function queue(items, whole, now = new Date()) {
  const { cards, recall } = schedule(whole, now), midnight = new Date(now).setHours(24, 0, 0, 0);
  const soon = (item) => cards.get(item.id).due <= now || cards.get(item.id).due < midnight;
  const due = items.filter((item) => cards.has(item.id) && soon(item)).sort((a, b) => recall(a.id, now) - recall(b.id, now));
  const fresh = items.filter((item) => !cards.has(item.id)).sort((a, b) => a.level - b.level);
  return { due, fresh, next: due.find((item) => cards.get(item.id).due <= now) ?? fresh[0] ?? due[0] };
}

// The number that was written (helpers.practice.cards.number), NaN where it is none.
function numberOf(text, unit) {
  let plain = text.trim();
  if (unit && plain.endsWith(unit)) plain = plain.slice(0, -unit.length).trim();
  plain = plain.replace("−", "-");
  const share = unit !== "%" && plain.endsWith("%");
  plain = plain.replace(/%$/, "").trim();
  if (!/^[+-]?(\d{1,3}(,\d{3})+|\d*)(\.\d*)?([eE][+-]?\d+)?$/.test(plain) || !/\d/.test(plain)) return NaN;
  return Number(plain.replaceAll(",", "")) / (share ? 100 : 1);
}

// How an item is asked and judged: {body, answer() -> {right, said, why: [nodes]}, or a sentence}.
function asked(item) {
  if (item.kind === "choice") {
    const many = item.choices.filter((choice) => choice.right).length > 1, mixed = shuffled(item.choices);
    const inputs = mixed.map(() => el("input", { type: many ? "checkbox" : "radio", name: "choice" }));
    const body = el("fieldset", {}, el("legend", {}, many ? "More than one is right" : "One is right"), mixed.map((choice, i) => el("label", {}, inputs[i], " ", rich(choice.text))));
    return { body, answer: () => (inputs.some((input) => input.checked)
      ? { right: mixed.every((choice, i) => choice.right === inputs[i].checked), why: mixed.map((choice) => el("p", {}, el("b", {}, choice.right ? "✔ " : "✘ "), rich(`${choice.text}: ${choice.why}`))) }
      : "Nothing is chosen yet. Choose an answer, then check it.") };
  }
  if (item.kind === "numeric") {
    const input = el("input", { type: "text", inputmode: "decimal", "aria-label": "Your number" });
    return { body: el("p", {}, input, ` ${item.unit}`), answer: () => {
      const given = numberOf(input.value, item.unit);
      if (Number.isNaN(given)) return `"${input.value}" cannot be read as a number. Write it like 0.86 or 4,652,008.`;
      return { right: Math.abs(given - item.value) <= item.tolerance + 1e-12, why: [el("p", {}, el("b", {}, `${item.value.toLocaleString("en-GB", { maximumSignificantDigits: 15 })} ${item.unit} (± ${item.tolerance}). `), rich(item.why))] };
    } };
  }
  if (item.kind === "order") {
    let steps = shuffled(item.steps);
    if (steps.every((step, i) => step === item.steps[i])) steps = [...steps.slice(1), steps[0]];
    const list = el("ol", { class: "steps" }), draw = (focus) => {
      list.replaceChildren(...steps.map((step, i) => el("li", {}, el("button", { "aria-label": `Up: ${step}`, disabled: i === 0, onclick: () => move(i, -1) }, "↑"), " ", el("button", { "aria-label": `Down: ${step}`, disabled: i === steps.length - 1, onclick: () => move(i, 1) }, "↓"), " ", rich(step))));
      if (focus != null) (list.children[focus[0]].children[focus[1]].disabled ? list.children[focus[0]].children[1 - focus[1]] : list.children[focus[0]].children[focus[1]]).focus();
    };
    const move = (i, by) => { [steps[i], steps[i + by]] = [steps[i + by], steps[i]]; draw([i + by, by < 0 ? 0 : 1]); };
    draw();
    return { body: list, answer: () => {
      let pairs = 0, kept = 0;
      for (let i = 0; i < steps.length; i++) for (let j = i + 1; j < steps.length; j++) { pairs++; kept += steps.indexOf(item.steps[i]) < steps.indexOf(item.steps[j]); }
      return { right: kept === pairs, said: `${Math.round((100 * kept) / pairs)} % of all pairs of steps stand in the right order.`, why: [el("ol", {}, item.steps.map((step) => el("li", {}, rich(step)))), el("p", {}, rich(item.why))] };
    } };
  }
  if (item.kind === "predict") {
    const input = el("textarea", { rows: 3, cols: 40, "aria-label": "What it prints" }), words = (text) => text.split(/\s+/).filter(Boolean).join(" ");
    return { body: el("div", {}, el("pre", { tabindex: 0 }, item.code), input), answer: () => (input.value.trim()
      ? { right: words(input.value) === words(item.output), why: [el("pre", { tabindex: 0 }, item.output), el("p", {}, rich(item.why))] }
      : "Nothing is written yet. Write what it prints, then check it.") };
  }
  if (item.kind === "spoken") {
    const boxes = item.checklist.map(() => el("input", { type: "checkbox" })), enough = Math.ceil((2 / 3) * item.checklist.length);
    const why = [["Weak", item.weak], ["What it misses", item.weak_misses], ["Solid", item.solid], ["Strong", item.strong]].map(([name, text]) => el("p", {}, el("b", {}, `${name}: `), rich(text)));
    const follow = item.follow_ups.map((one) => el("details", {}, el("summary", {}, rich(one.question)), el("p", {}, rich(one.answer))));
    return { body: el("p", { class: "small" }, `Say it aloud, in about ${Math.round(item.words / 2.5)} seconds, then compare.`),
      answer: () => ({ right: () => boxes.filter((box) => box.checked).length >= enough, said: `Tick what you said; from ${enough} of ${boxes.length} points on it counts as right.`,
        why: [el("fieldset", {}, el("legend", {}, "You said"), boxes.map((box, i) => el("label", {}, box, " ", rich(item.checklist[i])))), ...why, ...follow] }) };
  }
  return { body: null, answer: () => ({ right: null, said: "Judge it yourself.", why: [el("p", {}, rich(item.answer))] }) };
}

function shuffled(values) {
  return values.map((value) => [Math.random(), value]).sort((a, b) => a[0] - b[0]).map((pair) => pair[1]);
}

function rate(item, rating, right) {
  const whole = progress(), at = utc(), newest = whole.reviews.reduce((most, review) => (review.at > most ? review.at : most), "");
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  whole.reviews.push({ id, item: item.id, at, after: newest > at ? newest : "", rating, sure: null, right });
  keep(whole);
  session = { ...session, item: null, answers: session.answers + 1 };
  opened.cards(address()[1]);
  byId("question")?.focus();
}

function cardBox(item) {
  const { body, answer } = asked(item), said = el("p", { role: "status" }), after = el("div");
  const check = el("button", { class: "big", onclick: () => {
    const outcome = answer();
    if (typeof outcome === "string") { said.textContent = outcome; return; }
    const { right, why } = outcome, sure = typeof right === "boolean";
    const isRight = (rating) => (typeof right === "function" ? right() : right ?? rating > 1);
    check.hidden = true;
    said.replaceChildren(...(sure ? [el("span", { class: right ? "right" : "wrong" }, right ? "Right. " : "Not right. ")] : []), outcome.said ?? "");
    after.replaceChildren(...why, readOn(item), el("p", {}, "How was it? (keys 1 to 4)"),
      el("p", { class: "row", id: "ratings" }, LABELS.map((name, i) => el("button", { onclick: () => rate(item, i + 1, isRight(i + 1)) }, `${i + 1} ${name}`))));
    byId("ratings").firstChild.focus();
  } }, ["flashcard", "spoken"].includes(item.kind) ? "Show the answer" : "Check");
  return el("div", { class: "card" }, el("p", { class: "small" }, `${item.topic}, ${item.kind}`), el("h2", { id: "question", tabindex: -1 }, rich(item.question)), body, el("p", { class: "row" }, check), said, after);
}

function readOn(item) {
  const at = item.link && `${item.link.to.replace(/^notebooks\//, "").replace(".ipynb", "")}${item.link.section ? `, "${item.link.section}"` : ""}`;
  return el("p", { class: "small" }, [at && `Read on: ${at}.`, item.source && `Source: ${item.source}.`].filter(Boolean).join(" "));
}

function aboutDay(interview) {
  if (!interview) return "";
  return interview < today() ? " That day has passed; enter the next one." : ` ${daysLeft(interview)} days to the interview, and no card waits longer.`;
}

function progressBox(whole) {
  // While a year is typed every digit is a change: the field must stay, and its year have four.
  const about = el("span", {}, aboutDay(whole.interview));
  const day = el("input", { type: "date", id: "interview", value: whole.interview ?? "", min: today(), max: "9999-12-31", onchange: () => {
    if (day.validity.rangeOverflow) return;
    keep({ ...progress(), interview: day.value || null, entered: utc() });
    about.textContent = aboutDay(day.value);
  } });
  const said = el("p", { role: "status" }), erase = el("button", { onclick: () => { erase.hidden = true; sure.hidden = false; sure.focus(); } }, "Erase");
  const sure = el("button", { hidden: true, onclick: () => { store.removeItem(KEY); session.answers = 0; notice = "Your progress is erased."; opened.cards(address()[1]); } }, "Erase all answers for good");
  const file = el("input", { type: "file", accept: ".json,application/json", onchange: async () => {
    try {
      const before = progress(), both = joined(before, parseProgress(await file.files[0].text()));
      keep(both);
      notice = `${both.reviews.length - before.reviews.length} new answers were taken in.`;
      opened.cards(address()[1]);
    } catch (error) {
      said.textContent = `This file holds no progress (${error.message}). Choose one that Export wrote.`;
    }
  } });
  return el("div", {}, el("h2", {}, "Your progress"), el("p", {}, el("label", { for: "interview" }, "Day of the interview "), day, about),
    el("p", { class: "row" }, el("button", { onclick: () => save("progress.json", `${JSON.stringify(progress(), null, 1)}\n`) }, "Export"), el("label", { class: "button" }, "Import", file), erase, sure), said);
}

opened.cards = (given) => {
  const { cards: items } = window.COURSE_LESSONS, topics = [...new Set(items.map((item) => item.topic))].sort();
  const topic = topics.includes(given.get("cards")) ? given.get("cards") : "", mine = items.filter((item) => !topic || item.topic === topic);
  const whole = progress(), { due, fresh, next } = queue(mine, whole);
  if (session.topic !== topic || !session.item) session = { ...session, topic, item: next ?? null };
  const choice = el("select", { id: "topic", onchange: () => { setAddress({ cards: choice.value }); opened.cards(address()[1]); byId("topic").focus(); } }, el("option", { value: "" }, "all topics"), topics.map((one) => el("option", { selected: one === topic }, one)));
  const said = notice;
  notice = "";
  byId("cards").replaceChildren(
    el("h1", {}, "What will they ask?"),
    el("p", {}, "Answer, compare, and say how it was; a schedule (FSRS) brings each card back when you are about to forget it."),
    el("p", {}, el("label", { for: "topic" }, "Topic "), choice),
    el("p", { class: "small", role: "status" }, `${due.length} due today, ${fresh.length} new, ${session.answers} answered now. ${said}`),
    session.item ? cardBox(session.item) : el("p", {}, "Nothing is due today. Come back tomorrow, or choose another topic."), progressBox(whole));
};

addEventListener("keydown", (event) => {
  if (event.repeat && event.target.closest?.("#cards button")) event.preventDefault();  // a held Enter is one answer
  const buttons = byId("ratings")?.children, place = ["1", "2", "3", "4"].indexOf(event.key);
  if (buttons && place >= 0 && !event.repeat && address()[0] === "cards" && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.matches("input[type=text], input[type=date], textarea")) buttons[place].click();
});
