// Scores with their intervals, as helpers/training/metrics.py computes them, and the linear head.
"use strict";

const RESAMPLES = 2000, LEAST = 10, FEW = 50;

// numpy.random.default_rng(0): with the same draws an interval here is the interval there.
class Pcg64 {
  constructor() {
    this.state = 35399562948360463058890781895381311971n;
    this.inc = 87136372517582989555478159403783844777n;
    this.kept = null;
  }
  next32() {
    if (this.kept !== null) { const kept = this.kept; this.kept = null; return kept; }
    const MULTIPLIER = 47026247687942121848144207491837523525n;
    this.state = BigInt.asUintN(128, this.state * MULTIPLIER + this.inc);
    const mixed = BigInt.asUintN(64, (this.state >> 64n) ^ this.state), by = this.state >> 122n;
    const out = BigInt.asUintN(64, (mixed >> by) | (mixed << ((64n - by) & 63n)));
    this.kept = Number(out >> 32n);
    return Number(out & 0xffffffffn);
  }
  below(n) {  // Lemire's method, as NumPy's Generator.integers has it
    if (n === 1) return 0;
    const least = (4294967296 - n) % n;
    for (;;) {
      const product = this.next32() * n, high = Math.floor(product / 4294967296);
      if (product - high * 4294967296 >= least) return high;
    }
  }
}

// A small generator for splits and random weights (mulberry32); the same everywhere for a seed.
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function shuffledBy(values, random) {
  const mixed = [...values];
  for (let i = mixed.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j], mixed[i]];
  }
  return mixed;
}

// How often each of n images stands in each resample: RESAMPLES rows of n.
function resampleCounts(n) {
  const rng = new Pcg64(), counts = new Uint8Array(RESAMPLES * n);
  for (let row = 0; row < RESAMPLES; row++) {
    for (let i = 0; i < n; i++) counts[row * n + rng.below(n)]++;
  }
  return counts;
}

// AUC of scores under every row of counts (NaN where a row lacks a class); ties count half.
function weightedAucs(positive, scores, counts) {
  const n = scores.length, rows = counts.length / n, out = new Float64Array(rows);
  const order = Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b]);
  for (let row = 0; row < rows; row++) {
    let below = 0, won = 0, ones = 0;
    for (let start = 0; start < n;) {
      let end = start, above = 0, under = 0;
      for (; end < n && scores[order[end]] === scores[order[start]]; end++) {
        const weight = counts[row * n + order[end]];
        if (positive[order[end]]) above += weight; else under += weight;
      }
      won += above * (below + under / 2);
      below += under;
      ones += above;
      start = end;
    }
    out[row] = ones * below > 0 ? won / (ones * below) : NaN;
  }
  return out;
}

// What is scored: AUC of class 1 where there are two classes, else the share of right answers.
// Returns the score of all images, and of every resample.
function statistic(labels, probabilities, classes, counts) {
  const n = labels.length, once = new Uint8Array(n).fill(1);
  if (classes === 2) {
    const positive = labels.map((label) => label === 1), scores = probabilities.map((p) => p[1]);
    return [weightedAucs(positive, scores, once)[0], weightedAucs(positive, scores, counts)];
  }
  const right = labels.map((label, i) => Number(best(probabilities[i]) === label));
  const draws = new Float64Array(counts.length / n);
  for (let row = 0; row < draws.length; row++) {
    for (let i = 0; i < n; i++) draws[row] += (counts[row * n + i] * right[i]) / n;
  }
  return [right.reduce((a, b) => a + b, 0) / n, draws];
}

function best(values) {
  return values.indexOf(Math.max(...values));
}

function percentiles(draws, shares) {
  const found = Float64Array.from(draws.filter((value) => !Number.isNaN(value))).sort();
  return shares.map((share) => {
    const place = (share / 100) * (found.length - 1), low = Math.floor(place);
    return found[low] + (place - low) * ((found[low + 1] ?? found[low]) - found[low]);
  });
}

function wilson(share, n) {
  const z = 1.96, centre = share + (z * z) / (2 * n);
  const spread = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  const bounds = [(centre - spread) / (1 + (z * z) / n), (centre + spread) / (1 + (z * z) / n)];
  return [Math.min(Math.max(bounds[0], 0), share), Math.max(Math.min(bounds[1], 1), share)];
}

// Whether resampling knows an interval (helpers.training.metrics._known).
function known(draws, rarest) {
  const found = draws.filter((value) => !Number.isNaN(value));
  let low = Infinity, high = -Infinity;
  for (const value of found) { low = Math.min(low, value); high = Math.max(high, value); }
  return rarest >= LEAST && found.length >= 0.95 * draws.length && high - low > 1e-9;
}

// A score with its 95 % interval. rarest: images of the rarer class; for accuracy: n, and Wilson's.
function interval(share, draws, rarest, classes) {
  if (classes > 2 || !known(draws, rarest)) return wilson(share, rarest);
  const found = draws.filter((value) => !Number.isNaN(value));
  if (rarest < FEW) {
    const mean = found.reduce((a, b) => a + b, 0) / found.length;
    const variance = found.reduce((a, b) => a + (b - mean) ** 2, 0) / found.length;
    return wilson(share, (share * (1 - share)) / variance);
  }
  const [lo, hi] = percentiles(found, [2.5, 97.5]);
  return [Math.min(lo, share), Math.max(hi, share)];
}

function rarestOf(labels, classes) {
  if (classes > 2) return labels.length;
  const ones = labels.filter((label) => label === 1).length;
  return Math.min(ones, labels.length - ones);
}

// Scores of several heads on the same held-out images: {score, lo, hi}, and how far the first is
// ahead of each other one, paired (helpers.training.metrics.auc_difference).
function compare(labels, byHead, classes) {
  const counts = resampleCounts(labels.length), rarest = rarestOf(labels, classes), names = Object.keys(byHead);
  const found = {};
  for (const name of names) {
    const [score, draws] = statistic(labels, byHead[name], classes, counts);
    const [lo, hi] = interval(score, draws, rarest, classes);
    found[name] = { score, lo, hi, draws };
  }
  const first = found[names[0]], ahead = {};
  for (const name of names.slice(1)) {
    const other = found[name], gap = first.score - other.score;
    const draws = first.draws.map((value, i) => value - other.draws[i]);
    if (known(draws, rarest)) {
      const [lo, hi] = percentiles(draws, [2.5, 97.5]);
      ahead[name] = { gap, lo: Math.min(lo, gap), hi: Math.max(hi, gap) };
    } else if (gap === 0 && first.score < 1 && draws.every((value) => !value)) {
      ahead[name] = { gap: 0, lo: 0, hi: 0 };
    } else {  // Newcombe 1998: as if independent, rather too wide
      const [lo, hi] = wilson(first.score, rarest), [otherLo, otherHi] = wilson(other.score, rarest);
      ahead[name] = { gap, lo: gap - Math.hypot(first.score - lo, otherHi - other.score),
        hi: gap + Math.hypot(hi - first.score, other.score - otherLo) };
    }
  }
  for (const name of names) delete found[name].draws;
  return { found, ahead };
}

// A part of each class for training, about a third of it held out: [training, held out] places.
function stratified(labels, classes, seed) {
  const random = seeded(seed), train = [], held = [];
  for (let k = 0; k < classes; k++) {
    const mine = shuffledBy([...labels.keys()].filter((i) => labels[i] === k), random);
    const out = Math.max(Math.round(mine.length / 3), Math.min(5, Math.floor(mine.length / 2)));
    held.push(...mine.slice(0, out));
    train.push(...mine.slice(out));
  }
  return [train, held];
}

// Rows at these places, and mean and deviation of the columns of the first ones.
function standardiser(rows, places) {
  const d = rows[0].length, mean = new Float64Array(d), std = new Float64Array(d);
  for (const i of places) for (let j = 0; j < d; j++) mean[j] += rows[i][j] / places.length;
  for (const i of places) for (let j = 0; j < d; j++) std[j] += (rows[i][j] - mean[j]) ** 2 / places.length;
  for (let j = 0; j < d; j++) std[j] = std[j] > 1e-12 ? Math.sqrt(std[j]) : 1;
  return (places) => places.map((i) => {
    const row = new Float64Array(d);
    for (let j = 0; j < d; j++) row[j] = (rows[i][j] - mean[j]) / std[j];
    return row;
  });
}

// Loss and gradient of scikit-learn's LogisticRegression(C=strength, class_weight="balanced").
// One output for two classes, else softmax; the last number of an output's weights is its bias.
function lossOf(x, labels, classes, strength) {
  const d = x[0].length, outputs = classes === 2 ? 1 : classes, n = x.length;
  const count = new Float64Array(classes);
  for (const label of labels) count[label]++;
  const present = count.filter((value) => value > 0).length;
  return (w) => {
    const gradient = new Float64Array(w.length);
    let loss = 0, weight = 0;
    for (let i = 0; i < n; i++) {
      const own = n / (present * count[labels[i]]), p = probabilitiesOf(w, x[i], outputs);
      loss -= own * Math.log(Math.max(p[labels[i]], 1e-300));
      weight += own;
      for (let k = 0; k < outputs; k++) {
        const target = outputs === 1 ? 1 : k, error = own * (p[target] - Number(labels[i] === target));
        for (let j = 0, at = k * (d + 1); j < d; j++, at++) gradient[at] += error * x[i][j];
        gradient[k * (d + 1) + d] += error;
      }
    }
    for (let k = 0; k < outputs; k++) {
      for (let j = 0, at = k * (d + 1); j < d; j++, at++) {
        loss += w[at] ** 2 / (2 * strength);
        gradient[at] += w[at] / strength;
      }
    }
    for (let at = 0; at < w.length; at++) gradient[at] /= weight;
    return [loss / weight, gradient];
  };
}

function probabilitiesOf(w, row, outputs) {
  const d = row.length, z = [];
  for (let k = 0; k < outputs; k++) {
    let sum = w[k * (d + 1) + d];
    for (let j = 0, at = k * (d + 1); j < d; j++, at++) sum += w[at] * row[j];
    z.push(sum);
  }
  if (outputs === 1) { const p = 1 / (1 + Math.exp(-z[0])); return [1 - p, p]; }
  const top = Math.max(...z), raised = z.map((value) => Math.exp(value - top));
  const sum = raised.reduce((a, b) => a + b, 0);
  return raised.map((value) => value / sum);
}

// L-BFGS (Nocedal 1980) with a memory of ten steps; the loss is convex, so there is one answer.
function minimised(lossAt, size, step = () => {}) {
  const dot = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i] * b[i]; return sum; };
  let w = new Float64Array(size), [loss, gradient] = lossAt(w);
  const memory = [];
  for (let turn = 0; turn < 300; turn++) {
    step(turn, loss);
    if (Math.sqrt(dot(gradient, gradient)) < 1e-6) break;
    const direction = gradient.map((value) => -value), kept = [];
    for (let m = memory.length - 1; m >= 0; m--) {
      const [s, y, rho] = memory[m], a = rho * dot(s, direction);
      kept[m] = a;
      for (let i = 0; i < size; i++) direction[i] -= a * y[i];
    }
    if (memory.length) {
      const [s, y] = memory[memory.length - 1], scale = dot(s, y) / dot(y, y);
      for (let i = 0; i < size; i++) direction[i] *= scale;
    }
    memory.forEach(([s, y, rho], m) => {
      const b = rho * dot(y, direction);
      for (let i = 0; i < size; i++) direction[i] += s[i] * (kept[m] - b);
    });
    const slope = dot(gradient, direction);
    let length = memory.length ? 1 : 1 / Math.sqrt(dot(gradient, gradient)), next, found;
    for (let tries = 0; tries < 30; tries++, length /= 2) {
      next = w.map((value, i) => value + length * direction[i]);
      found = lossAt(next);
      if (found[0] <= loss + 1e-4 * length * slope) break;
    }
    const s = next.map((value, i) => value - w[i]), y = found[1].map((value, i) => value - gradient[i]);
    if (loss - found[0] < 1e-13) break;
    if (dot(s, y) > 1e-14) memory.push([s, y, 1 / dot(s, y)]);
    if (memory.length > 10) memory.shift();
    [w, loss, gradient] = [next, found[0], found[1]];
  }
  return w;
}

// The linear head: trained on standardised rows at `train`; class probabilities of those at `held`.
function head(rows, labels, classes, train, held, step) {
  const standard = standardiser(rows, train), x = standard(train), outputs = classes === 2 ? 1 : classes;
  const lossAt = lossOf(x, train.map((i) => labels[i]), classes, 0.01);
  const w = minimised(lossAt, outputs * (x[0].length + 1), step);
  return standard(held).map((row) => probabilitiesOf(w, row, outputs));
}
