// The first tab: images in, a worker computes, and what came out is shown.
"use strict";

const HEADS = {
  pretrained: { name: "pretrained features", color: "#0072B2", marker: "o" },
  random: { name: "random weights", color: "#666666", marker: "s" },
  pixels: { name: "raw pixels", color: "#E69F00", rim: "#986900", marker: "^" },
};
const FEWEST = 2, MOST = 6, HIDDEN = /^\.|^(thumbs\.db|desktop\.ini)$/i;
let worker = null, working = false, running = false, turn = 0, classes = [], lastResult = null;

function told(text) {
  byId("say").textContent = text;
}

function addClass(name = "", items = []) {
  const mine = { name: el("input", { type: "text", value: name || `class ${classes.length + 1}` }), items };
  const count = el("span", { class: "small" }), number = classes.length + 1;
  mine.add = (files) => {
    mine.items.push(...[...files].filter((file) => !HIDDEN.test(file.name)));
    count.textContent = `${mine.items.length} image${mine.items.length === 1 ? "" : "s"}`;
  };
  mine.name.setAttribute("aria-label", `Name of class ${number}`);
  const input = el("input", { type: "file", multiple: true, accept: "image/*,.dcm,.tif,.tiff", "aria-label": `Images of class ${number}`, onchange: () => { mine.add(input.files); input.value = ""; } });
  const box = el("div", { class: "class", role: "group", "aria-label": `Class ${number}` }, mine.name,
    el("p", { class: "row" }, el("label", { class: "button" }, "Choose images", input), count));
  dropsInto(box, async (entries) => mine.add((await filesOf(entries)).map(([, file]) => file)));
  mine.add([]);
  classes.push(mine);
  byId("classes").append(box);
  byId("add-class").disabled = classes.length >= MOST;
}

function clearClasses() {
  classes = [];
  byId("classes").replaceChildren();
}

function dropsInto(box, take) {
  box.addEventListener("dragover", (event) => { event.preventDefault(); event.stopPropagation(); box.classList.add("over"); });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    box.classList.remove("over");
    const dropped = [...event.dataTransfer.items].filter((item) => item.kind === "file");
    take(dropped.map((item) => item.getAsFileSystemHandle?.() ?? item.webkitGetAsEntry?.() ?? item.getAsFile()))
      .catch((error) => told(`What was dropped cannot be read (${error.message}). Take it with Choose a folder or Choose images.`));
  });
}

// What was dropped, as [path of folders, file]. Chromium gives handles: in a page that was
// double-clicked it refuses to read entries, which is what other browsers have.
async function filesOf(entries, above = []) {
  const found = [];
  for (const given of entries) {
    const entry = await given;
    if (entry instanceof File) found.push([above, entry]);
    else if (entry.kind === "file") found.push([above, await entry.getFile()]);
    else if (entry.kind === "directory") for await (const one of entry.values()) found.push(...await filesOf([one], [...above, entry.name]));
    else if (entry.isFile) found.push([above, await new Promise((done, failed) => entry.file(done, failed))]);
    else {
      const reader = entry.createReader();
      for (;;) {  // a hundred at a time
        const some = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (!some.length) break;
        found.push(...await filesOf(some, [...above, entry.name]));
      }
    }
  }
  return found;
}

// Classes by the folder in which a file lies: the sub-folders of what was dropped.
function takeFolders(found) {
  const byFolder = new Map();
  for (const [path, file] of found) {
    const name = path.at(-1);
    if (name && !HIDDEN.test(file.name)) byFolder.set(name, [...(byFolder.get(name) ?? []), file]);
  }
  if (byFolder.size < FEWEST || byFolder.size > MOST) {
    told(byFolder.size ? `This folder has ${byFolder.size} sub-folder${byFolder.size === 1 ? "" : "s"} with files; each is a class, and there must be two to six.`
      : "Drop a folder with one sub-folder for each class here, or images into the boxes of their classes.");
    return;
  }
  clearClasses();
  for (const [name, files] of [...byFolder].sort()) addClass(name, files);
  start();
}

function ownItems() {
  const used = classes.filter((one) => one.items.length);
  return { names: used.map((one) => one.name.value.trim() || "unnamed"),
    items: used.flatMap((one, label) => one.items.map((file) => ({ blob: file, name: file.name, label }))) };
}

function sampleItems() {
  const { names, items } = window.COURSE_SAMPLE;
  return { names, items: items.map(({ png, ...item }) => ({ ...item,
    blob: new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))], { type: "image/png" }) })) };
}

// Returns the number of what goes on from here: whoever waited meanwhile with another number is late.
function busy(on) {
  working = on;
  running = false;
  byId("progress").hidden = byId("stop").hidden = !on;
  for (const id of ["take-sample", "start"]) byId(id).disabled = on;
  return ++turn;
}

function finish(text) {
  busy(false);
  told(text);
}

// End the thread in the middle of its work; the next images start a new one.
function stop(text) {
  worker?.terminate();
  worker = null;
  finish(text);
}

// Run the worker over {names, items}; what it says is shown as it comes.
async function run(chosen) {
  if (running) stop("");  // a folder was dropped in the middle of it
  byId("result").replaceChildren();
  byId("loss").replaceChildren();
  byId("bar").value = 0;
  byId("progress-text").textContent = "";
  const mine = busy(true), began = performance.now(), losses = [];
  told("Loading the network.");
  try {
    await script("network.js");
  } catch (error) {
    return mine === turn ? stop(error.message) : null;
  }
  if (mine !== turn) return;  // stopped meanwhile, or other images were taken
  const { worker: source, ...assets } = window.COURSE_NETWORK, fresh = !worker;
  worker ??= new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  worker.onerror = (event) => stop(`The computation broke off: ${event.message || "the worker could not start"}.`);
  let quarter = 0;
  worker.onmessage = ({ data }) => {
    if (data.kind === "progress") {
      byId("bar").value = data.done / data.total;
      byId("progress-text").textContent = `${data.done} of ${data.total} images, about ${Math.ceil(data.left)} s left`;
      if (Math.floor((4 * data.done) / data.total) > quarter) {  // read out four times, not fifty
        quarter = Math.floor((4 * data.done) / data.total);
        told(`${data.done} of ${data.total} images described.`);
      }
    } else if (data.kind === "stage") {
      told(`${data.text}.`);
      byId("progress-text").textContent = data.text;
    } else if (data.kind === "loss") {
      losses.push([data.turn, data.loss]);
      if (losses.length % 3 === 0) drawLoss(losses);
    } else if (data.kind === "result") {
      data.seconds = (performance.now() - began) / 1000;
      data.losses = losses;
      lastResult = data;
      finish(`Done in ${data.seconds.toFixed(0)} s.`);
      showResult(data, chosen.items);
    } else {
      (data.kind === "refused" ? finish : stop)(data.text);
      if (data.problems?.length) byId("result").replaceChildren(problemList(data.problems));
    }
  };
  running = true;
  worker.postMessage({ ...chosen, assets: fresh ? assets : null });
}

function drawLoss(losses) {
  const high = Math.max(...losses.map((point) => point[1]));
  byId("loss").replaceChildren(lineChart({ lines: [{ ...HEADS.pretrained, name: "training loss", points: losses }],
    title: "Training loss of the head", across: "step", up: "loss", low: 0, high }));
}

const oneOf = (list) => (list.length < 3 ? list.join(" and ") : `${list.slice(0, -1).join(", ")} and ${list.at(-1)}`);

// What it means, in two sentences.
function meaning({ classes: k, n, found, ahead }) {
  const { score, lo, hi } = found.pretrained, range = `95 % interval ${three(lo)} to ${three(hi)}`;
  const first = k === 2
    ? `On ${n.held} held-out images the head on pretrained features has an AUC of ${three(score)} (${range}): of 100 pairs, one image of each class, it puts about ${Math.round(100 * score)} in the right order.`
    : `On ${n.held} held-out images the head on pretrained features names the right one of ${k} classes for ${percent(score)} (${range}).`;
  const by = (name) => `${HEADS[name].name} (by ${three(ahead[name].gap)}, ${three(ahead[name].lo)} to ${three(ahead[name].hi)})`;
  const names = Object.keys(ahead), clear = names.filter((name) => ahead[name].lo > 0);
  const behind = names.filter((name) => ahead[name].hi < 0), tied = names.filter((name) => !clear.includes(name) && !behind.includes(name));
  const parts = [];
  if (clear.length) parts.push(`it is clearly ahead of ${oneOf(clear.map(by))}`);
  if (tied.length) parts.push(`it is not told apart from ${oneOf(tied.map(by))}: 0 lies inside the interval (more held-out images would make it narrower)`);
  if (behind.length) parts.push(`it is clearly behind ${oneOf(behind.map(by))}`);
  const so = clear.length === 2 ? ", so the pretraining helps here" : clear.length ? "" : ", so these images do not show that the pretraining helps";
  const second = `${parts.join("; ")}${so}.`;
  return `${first} ${second[0].toUpperCase()}${second.slice(1)}`;
}

function problemList(problems) {
  return el("div", { class: "note" }, el("h2", {}, `Left out: ${problems.length} file${problems.length === 1 ? "" : "s"}`),
    el("ul", {}, problems.slice(0, 20).map((text) => el("li", {}, text)), problems.length > 20 ? el("li", {}, `and ${problems.length - 20} more`) : null));
}

function notes(result, sample) {
  const said = [];
  const few = result.names.filter((_, k) => result.heldCounts[k] < 5);
  if (few.length) said.push(`Fewer than 5 held-out images of ${oneOf(few)}: the interval is wide, and another split may give another answer.`);
  if (result.shrunk) said.push(`${result.shrunk} large image${result.shrunk === 1 ? " was" : "s were"} shrunk by the browser first, so these features differ a little from the course's.`);
  said.push(sample ? `Held out are cells of other blocks, so most likely of other modules (${window.COURSE_SAMPLE.rule}). Labels are the experts' defect probability cut at 0.5.`
    : "Held out is a third of each class, drawn image by image. If several images show one patient, part or scene, the score is too good.");
  return said;
}

function showResult(result, items) {
  const { found, ahead, curves, classes: k, n } = result, sample = Boolean(items[0].part);
  const score = k === 2 ? "AUC" : "accuracy", names = Object.keys(HEADS), chance = k === 2 ? 0.5 : 1 / k;
  const below = (values) => Math.floor(10 * Math.min(...values, 0.8)) / 10;
  const low = below(names.map((name) => found[name].lo)), least = below(names.flatMap((name) => curves[name].map((point) => point.least)));
  const rows = names.map((name) => [HEADS[name].name, three(found[name].score), `${three(found[name].lo)} to ${three(found[name].hi)}`,
    ahead[name] ? `${ahead[name].gap >= 0 ? "+" : ""}${three(ahead[name].gap)}` : "", ahead[name] ? `${three(ahead[name].lo)} to ${three(ahead[name].hi)}` : ""]);
  const errors = result.wrong.map(({ place, said, label, p }) => {
    const address = URL.createObjectURL(items[place].blob), name = items[place].name;
    const image = el("img", { alt: `${name}, ${result.names[label]}`, onload: () => URL.revokeObjectURL(address) });
    image.src = address;
    return el("li", {}, image, el("b", {}, result.names[label]), ` taken for ${result.names[said]} (${percent(p)})`, sample ? null : el("br"), sample ? null : name);
  });
  byId("result").replaceChildren(
    el("h2", { tabindex: -1, id: "found" }, "What came out"), el("p", { class: "verdict" }, meaning(result)),
    el("div", {},
      intervalChart({ rows: names.map((name) => ({ ...HEADS[name], ...found[name] })), title: `${score} on ${n.held} held-out images, 95 % interval`, low, high: 1, chance }),
      lineChart({ lines: names.map((name) => ({ ...HEADS[name], points: curves[name].map((p) => [p.n, p.mean, p.least, p.most]) })), title: `${score} against training images of a class`, across: "training images of each class", up: `${score}: mean of 5 draws, least to most`, log: true, low: least, high: 1 })),
    table(["head on", score, "95 % interval", "pretrained ahead by", "95 % interval, paired"], rows),
    el("h2", {}, result.wrongCount ? `The surest errors (${result.wrong.length} of ${result.wrongCount})` : "No error on the held-out images"),
    el("ul", { class: "errors" }, errors),
    ...(result.problems.length ? [problemList(result.problems)] : []),
    el("ul", { class: "small" }, notes(result, sample).map((text) => el("li", {}, text))));
  byId("found").focus();
}

function start() {
  const chosen = ownItems();
  if (!chosen.items.length) return told("There are no images yet. Choose some for two classes at least, or take the solar cells.");
  if (chosen.names.length < FEWEST) return told(`All images are of one class (${chosen.names[0]}). A head learns a difference: put images into two classes at least.`);
  if (new Set(chosen.names).size < chosen.names.length) return told("Two classes have the same name. Give each a name of its own.");
  setAddress({ try: "" });
  run(chosen);
}

async function takeSample() {
  setAddress({ try: "sample" });
  const mine = busy(true);
  told("Loading the solar cells.");
  try {
    await script("sample.js");
  } catch (error) {
    return mine === turn ? stop(error.message) : null;
  }
  if (mine !== turn) return;
  const { source, terms } = window.COURSE_SAMPLE;
  byId("terms").textContent = `Solar cells: ${source}. Terms: ${terms} (name the source, no commercial use, share alike).`;
  run(sampleItems());
}

byId("terms").textContent = "240 electroluminescence images of intact and defective solar cells (ELPV, Deitsch et al. 2019). Terms: CC BY-NC-SA 4.0.";
byId("take-sample").addEventListener("click", takeSample);
byId("stop").addEventListener("click", () => { stop("Stopped. Nothing is kept."); byId("take-sample").focus(); });
byId("start").addEventListener("click", start);
byId("add-class").addEventListener("click", () => addClass());
byId("clear").addEventListener("click", () => { clearClasses(); addClass(); addClass(); told("All images are taken out."); });
byId("folder").addEventListener("change", ({ target }) => {
  takeFolders([...target.files].map((file) => [file.webkitRelativePath.split("/").slice(0, -1), file]));
  target.value = "";
});
dropsInto(byId("drop"), async (entries) => takeFolders(await filesOf(entries)));
addClass();
addClass();
opened.try = (given) => {
  if (given.get("try") === "sample" && !working && !lastResult) takeSample();
};
