// The right column: a turn's reasoning, text, trouble, and where its time went. Sends nothing.
import { Writer } from "./markdown.js";
import { words } from "./words.js";

const element = (id) => document.getElementById(id);
let writer;
let ticking;

export function connectAnswer() {
  writer = new Writer(element("answer"));
}

/** Empties the column for a turn that is being asked; the line under it counts the seconds until the first token. */
export function startAnswer() {
  const began = performance.now();
  showNothing();
  element("answer").classList.add("waiting");
  element("answer").setAttribute("aria-busy", "true");
  const tick = () => (element("phase").textContent = words("phase.asking", { seconds: ((performance.now() - began) / 1000).toFixed(0) }));
  tick();
  ticking = setInterval(tick, 1000);
}

export function addText(piece) {
  stopTicking(words("phase.streaming"));
  writer.add(piece);
}

export function addReasoning(text) {
  stopTicking(words("phase.streaming"));
  element("reasoning").hidden = false;
  element("reasoning-head").textContent = words("reasoning", { n: text.length });
  element("reasoning-text").textContent = text;
}

function stopTicking(phase) {
  if (ticking === undefined) return;
  clearInterval(ticking);
  ticking = undefined;
  element("phase").textContent = phase;
}

/** The column as it stands when nothing has been asked. */
export function showNothing() {
  stopTicking("");
  writer.clear();
  element("reasoning").hidden = true;
  element("reasoning").open = false;
  element("trouble").hidden = true;
  element("phase").textContent = "";
  element("waterfall").replaceChildren();
}

/** Shows a finished turn whole, also one chosen from the history. */
export function showTurnWhole(turn) {
  showNothing();
  element("answer").classList.remove("waiting");
  element("answer").setAttribute("aria-busy", "false");
  if (turn.reasoning) addReasoning(turn.reasoning);
  writer.add(turn.text);
  element("phase").textContent = phaseOf(turn);
  if (turn.timings) drawWaterfall(turn.timings);
  if (turn.error) showTrouble(turn.error);
}

const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}`;
const STAGES = ["queued", "decode", "encode", "prefill"];

function phaseOf(turn) {
  const parts = [];
  if (turn.finish === "stopped") parts.push(words("phase.stopped"));
  if (turn.finish === "length") parts.push(words("phase.length"));
  const usage = turn.usage;
  if (usage) {
    const timings = turn.timings ?? {};
    for (const stage of STAGES) {
      const value = timings[`${stage}_ms`];
      if (value >= 0.05) parts.push(words(`phase.${stage}`, { ms: ms(value) }));
    }
    if (timings.first_token_ms) parts.push(words("phase.first", { ms: ms(timings.first_token_ms) }));
    if (turn.rate) parts.push(words("phase.rate", { rate: Math.round(turn.rate) }));
    const level = usage.prompt_tokens_details?.image_cache ?? "none";
    if (level !== "none" && turn.pictures.length) parts.push(words("phase.cached"));
    parts.push(words("phase.tokens", { prompt: usage.prompt_tokens, answer: usage.completion_tokens }));
  }
  return parts.join(" · ");
}

function drawWaterfall(timings) {
  const whole = timings?.first_token_ms;
  if (!whole) return;
  element("waterfall").replaceChildren(...STAGES.filter((stage) => timings[`${stage}_ms`] > 0).map((stage) => {
    const bar = document.createElement("i");
    bar.className = stage;
    bar.style.width = `${Math.min(100, (100 * timings[`${stage}_ms`]) / whole)}%`;
    return bar;
  }));
}

/** What was wrong, in the person's language, with the server's own sentence (limit and fix) under it. */
export function showTrouble({ head, detail }) {
  stopTicking("");
  const strong = document.createElement("b");
  strong.textContent = head;
  const small = document.createElement("small");
  small.textContent = detail;
  element("trouble").replaceChildren(strong, small);
  element("trouble").hidden = false;
}
