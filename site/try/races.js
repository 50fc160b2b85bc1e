// The second tab: races of the strategy lab, measured before; guess first, then look.
"use strict";

const STEPS = ["question", "curves", "result"], NOBODY = "no clear winner";

function lookOf(row) {
  return { name: row.arm, dash: row.dash, ...window.COURSE_LESSONS.looks[row.strategy] };
}

function raceCurves(race, epochs) {
  const lines = race.rows.filter((row) => row.history.length).map((row) => ({ ...lookOf(row), points: row.history.slice(0, epochs).map((h) => [h.epoch, h.val_auc]) }));
  if (!lines.length) return el("p", {}, "Of this race only the scores were stored, so it has no curves.");
  const low = Math.floor(10 * Math.min(...race.rows.flatMap((row) => row.history.map((h) => h.val_auc)))) / 10;
  return lineChart({ lines, title: "Validation AUC by epoch", across: "epoch", up: "validation AUC", low, high: 1 });
}

// Draw epoch after epoch, as the race ran; at once for whoever wants no motion.
function playCurves(race, box) {
  const last = Math.max(0, ...race.rows.map((row) => row.history.length));
  let epoch = CALM.matches || last === 0 ? last : 1;
  const turn = () => {
    box.replaceChildren(raceCurves(race, epoch));
    if (epoch++ < last && box.isConnected) setTimeout(turn, 350);
  };
  setTimeout(turn);
  return box;
}

function raceTable(race) {
  const rows = [...race.rows].sort((a, b) => b.auc - a.auc);
  const high = Math.min(1, Math.ceil(10 * Math.max(...rows.map((row) => row.auc_hi))) / 10);
  return [
    intervalChart({ rows: rows.filter((row) => row.strategy !== "baseline").map((row) => ({ ...lookOf(row), score: row.auc, lo: row.auc_lo, hi: row.auc_hi })), title: "Test AUC, 95 % interval", low: 0.5, high, chance: 0.5 }),
    table(["arm", "test AUC", "95 % interval", "accuracy", "trainable", "seconds"], rows.map((row) => [row.arm, three(row.auc), row.strategy === "baseline" ? "" : `${three(row.auc_lo)} to ${three(row.auc_hi)}`, percent(row.accuracy), row.trainable.toLocaleString("en-GB"), row.seconds.toFixed(1)])),
  ];
}

opened.race = (given) => {
  const { races } = window.COURSE_LESSONS, race = races.find((one) => one.name === given.get("race")) ?? races[0];
  const answers = [...race.rows.filter((row) => row.strategy !== "baseline").map((row) => row.arm), NOBODY];
  const guess = answers.includes(given.get("guess")) ? given.get("guess") : null;
  const step = guess ? Math.max(0, STEPS.indexOf(given.get("step"))) : 0;
  const go = (values, focus) => {
    setAddress({ race: race.name, guess, step: STEPS[step], ...values });
    show();
    byId(focus)?.focus();
  };
  const choice = el("select", { id: "race-choice", onchange: () => go({ race: choice.value, guess: null, step: null }, "race-choice") }, races.map((one) => el("option", { selected: one === race }, one.name)));
  const said = el("p", { role: "status" });
  const guesses = el("fieldset", { disabled: step > 0 }, el("legend", {}, "Your guess: which arm has the clearly best test AUC?"),
    answers.map((answer) => el("label", {}, el("input", { type: "radio", name: "guess", value: answer, checked: answer === guess }), ` ${answer}`)));
  const begin = () => {
    const chosen = guesses.querySelector("input:checked");
    if (!chosen) { said.textContent = "Guess first: what you expected is what you will learn from."; return; }
    go({ guess: chosen.value, step: "curves" }, "race-now");
  };
  const { n, epochs, seed } = race.setup;
  const parts = [
    el("h1", {}, "A race, measured before"),
    el("p", {}, el("label", { for: "race-choice" }, "Race "), choice),
    el("p", { class: "verdict" }, race.question), guesses,
    step === 0 ? el("p", { class: "row" }, el("button", { class: "big", onclick: begin }, "Race")) : null, said,
  ];
  if (step >= 1) {
    parts.push(el("h2", { id: "race-now", tabindex: -1 }, "The race"), el("p", { class: "small" }, `${n} training images, ${epochs} epochs, seed ${seed}; solar cells at 96 pixels.`), playCurves(race, el("div")));
    if (step === 1) parts.push(el("p", { class: "row" }, el("button", { class: "big", onclick: () => go({ step: "result" }, "race-end") }, "Test scores and explanation")));
  }
  if (step === 2) {
    const right = guess === race.leader;
    parts.push(el("h2", { id: "race-end", tabindex: -1 }, "What came out"),
      el("p", {}, el("span", { class: right ? "right" : "wrong" }, right ? "Your guess is right" : "Your guess is not right"), `: ${race.leader === NOBODY ? "no arm is clearly best" : `${race.leader} is clearly best`}.`),
      ...raceTable(race), ...race.explanation.map((text) => el("p", {}, text)), el("p", {}, el("b", {}, "Look at: "), race.look_at), el("p", { class: "small" }, race.caveat),
      el("p", { class: "row" }, el("button", { onclick: () => go({ guess: null, step: null }, "race-choice") }, "Guess anew")));
  }
  byId("race").replaceChildren(...parts.filter(Boolean));
};
