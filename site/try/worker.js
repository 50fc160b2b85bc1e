// The work behind the first tab, in a thread of its own: images to features, heads, scores.
"use strict";

const BATCH = 8, DRAWS = 5;
const say = (kind, content = {}) => postMessage({ kind, ...content });

function fromBase64(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function unzipped(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The same network with weights drawn at random, as timm starts it: normal with variance 2 / fan
// out for every convolution, no biases. `places`: [byte, numbers, deviation] of every tensor.
function withRandomWeights(model, places) {
  const copy = model.slice(), view = new DataView(copy.buffer), random = seeded(0);
  for (const [start, n, deviation] of places) {
    for (let i = 0; i < n; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - random())), angle = 2 * Math.PI * random();
      view.setFloat32(start + 4 * i, deviation * radius * Math.cos(angle), true);
    }
  }
  return copy;
}

async function networks({ runtime, wasm, model, places }) {
  const address = URL.createObjectURL(new Blob([runtime], { type: "text/javascript" }));
  const ort = await import(address);
  ort.env.wasm.wasmBinary = (await unzipped(fromBase64(wasm))).buffer;
  ort.env.wasm.numThreads = 1;
  const bytes = fromBase64(model), made = {};
  for (const [name, file] of [["pretrained", bytes], ["random", withRandomWeights(bytes, places)]]) {
    const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"] });
    made[name] = async (input, n) => {
      const images = new ort.Tensor("float32", input, [n, 3, SIDE, SIDE]);
      const { features } = await session.run({ images });
      const width = features.dims[1], data = features.data;
      return Array.from({ length: n }, (_, i) => data.slice(i * width, (i + 1) * width));
    };
  }
  return made;
}

function planes(batch) {
  const input = new Float32Array(batch.length * 3 * SIDE * SIDE), n = SIDE * SIDE;
  batch.forEach((rgb, b) => {
    for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) input[(3 * b + c) * n + i] = rgb[3 * i + c] / 255;
  });
  return input;
}

// Features of all items {blob, name}, in batches; what cannot be read is named and left out.
async function describe(items, run) {
  const found = { pretrained: [], random: [], gray: [], colour: [] }, kept = [], problems = [];
  let gray = true, shrunk = 0, batch = [];
  const start = performance.now();
  const flush = async () => {
    if (!batch.length) return;
    const input = planes(batch);
    for (const name of ["pretrained", "random"]) found[name].push(...await run[name](input, batch.length));
    batch = [];
  };
  for (const [place, item] of items.entries()) {
    try {
      const image = await decoded(item.blob, item.name), rgb = square(image, SIDE);
      shrunk += image.shrunk;
      gray &&= isGray(rgb);
      found.gray.push(rawPixels(rgb, 32, 1));
      found.colour.push(rawPixels(rgb, 16, 3));
      batch.push(rgb);
      kept.push(place);
    } catch (error) {
      problems.push(error.message);
    }
    if (batch.length === BATCH) await flush();
    const seconds = (performance.now() - start) / 1000;
    if (place % 4 === 3) say("progress", { done: place + 1, total: items.length, left: (seconds / (place + 1)) * (items.length - place - 1) });
  }
  await flush();
  return { pretrained: found.pretrained, random: found.random, pixels: gray ? found.gray : found.colour, gray, shrunk, kept, problems };
}

// Why there is nothing to learn from, as a sentence; "" where there is.
function tooFew(counts, names) {
  const here = counts.filter((count) => count > 0).length;
  if (here < 2) return `All images are of one class${here ? ` (${names[counts.findIndex((c) => c > 0)]})` : ""}. A head learns a difference: put images into two classes at least.`;
  const few = counts.findIndex((count) => count < 4);
  return few < 0 ? "" : `${names[few]} has ${counts[few]} images that can be read. Four are the least: two to learn from and two held out; thirty say more.`;
}

// Score of a head against the images of the class with fewest: mean, least and most of some draws.
function curve(rows, labels, classes, train, held) {
  const byClass = Array.from({ length: classes }, (_, k) => train.filter((i) => labels[i] === k));
  const most = Math.min(...byClass.map((mine) => mine.length)), truth = held.map((i) => labels[i]);
  const sizes = [];
  for (let n = 2; n < most; n *= 2) sizes.push(n);
  return [...sizes, most].map((n) => {
    const scores = Array.from({ length: n === most ? 1 : DRAWS }, (_, draw) => {
      const random = seeded(100 + draw);
      const some = n === most ? train : byClass.flatMap((mine) => shuffledBy(mine, random).slice(0, n));
      return statistic(truth, head(rows, labels, classes, some, held), classes, new Uint8Array())[0];
    });
    return { n, mean: scores.reduce((a, b) => a + b, 0) / scores.length, least: Math.min(...scores), most: Math.max(...scores) };
  });
}

let loaded = null;  // the networks, for the next images, too

async function work({ items, names, assets }) {
  say("stage", { text: "Loading the network" });
  const run = await (loaded ??= networks(assets)), classes = names.length;
  const seen = await describe(items, run), labels = seen.kept.map((place) => items[place].label);
  const refused = tooFew(names.map((_, k) => labels.filter((label) => label === k).length), names);
  if (refused) return say("refused", { text: refused, problems: seen.problems });
  const parts = seen.kept.map((place) => items[place].part);
  const [train, held] = parts[0] ? ["train", "test"].map((part) => [...parts.keys()].filter((i) => parts[i] === part))
    : stratified(labels, classes, 0);
  say("stage", { text: "Training the heads" });
  const truth = held.map((i) => labels[i]), answers = {}, curves = {};
  for (const name of ["pretrained", "random", "pixels"]) {
    const step = name === "pretrained" ? (turn, loss) => say("loss", { turn, loss }) : undefined;
    answers[name] = head(seen[name], labels, classes, train, held, step);
  }
  const scores = compare(truth, answers, classes);
  for (const name of Object.keys(answers)) {
    say("stage", { text: "The same with fewer images" });
    curves[name] = curve(seen[name], labels, classes, train, held);
  }
  const sure = (i) => Math.max(...answers.pretrained[i]);
  const wrong = [...held.keys()].filter((i) => best(answers.pretrained[i]) !== truth[i]).sort((a, b) => sure(b) - sure(a));
  say("result", {
    names, classes, n: { train: train.length, held: held.length }, ...scores, curves, answers, truth,
    heldPlaces: held.map((i) => seen.kept[i]), trainPlaces: train.map((i) => seen.kept[i]),
    features: seen.pretrained, kept: seen.kept, gray: seen.gray, shrunk: seen.shrunk, problems: seen.problems,
    heldCounts: names.map((_, k) => truth.filter((label) => label === k).length), wrongCount: wrong.length,
    wrong: wrong.slice(0, 8).map((i) => ({ place: seen.kept[held[i]], said: best(answers.pretrained[i]), label: truth[i], p: sure(i) })),
  });
}

onmessage = ({ data }) => work(data).catch((error) => say("failed", { text: String(error.message || error) }));
