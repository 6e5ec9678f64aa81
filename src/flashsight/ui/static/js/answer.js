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
export function startAnswer({ thinks }) {
  const began = performance.now();
  showNothing();
  element("answer-empty").hidden = true;
  element("answer").classList.add("waiting");
  element("answer").setAttribute("aria-busy", "true");
  // Its place is taken at once, so that the text does not move when thinking begins.
  if (thinks) showReasoning(words("reasoning.waiting"), "");
  // The seconds are for the eye alone; a screen reader hears once that the question was sent.
  const seconds = document.createElement("span");
  seconds.setAttribute("aria-hidden", "true");
  const tick = () => (seconds.textContent = words("phase.seconds", { seconds: ((performance.now() - began) / 1000).toFixed(0) }));
  tick();
  element("phase").replaceChildren(`${words("phase.asking")} · `, seconds);
  ticking = setInterval(tick, 1000);
  bringIntoView();
}

/** On a phone the answer stands below the question; whoever asks wants to see it. */
function bringIntoView() {
  const column = element("head-answer").closest("section");
  if (column.getBoundingClientRect().top < innerHeight / 2) return;
  const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
  column.scrollIntoView({ block: "start", behavior: isStill ? "instant" : "smooth" });
}

export function addText(piece) {
  stopTicking(words("phase.streaming"));
  writer.add(piece);
}

export function addReasoning(text) {
  stopTicking(words("phase.streaming"));
  showReasoning(words("reasoning", { n: text.length }), text);
}

function showReasoning(head, text) {
  element("reasoning").hidden = false;
  element("reasoning-head").textContent = head;
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
  element("answer").scrollTop = 0;
  element("answer-empty").hidden = false;
  element("reasoning").hidden = true;
  element("reasoning").open = false;
  hideTrouble();
  element("phase").textContent = "";
  element("waterfall").replaceChildren();
}

/** Ends a turn that was being written: what it wrote stays where it is. */
export function finishAnswer(turn) {
  stopTicking("");
  element("answer").classList.remove("waiting");
  element("answer").setAttribute("aria-busy", "false");
  if (turn.reasoning) showReasoning(words("reasoning", { n: turn.reasoning.length }), turn.reasoning);
  else element("reasoning").hidden = true;
  element("phase").textContent = phaseOf(turn);
  drawWaterfall(turn.timings);
}

/** Shows a turn chosen from the history. */
export function showTurnWhole(turn) {
  showNothing();
  element("answer-empty").hidden = true;
  writer.show(turn.text);
  finishAnswer(turn);
}

const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}`;
const STAGES = ["queued", "decode", "encode", "prefill"];

function phaseOf(turn) {
  const parts = [];
  if (turn.finish === "stopped") parts.push(words(turn.text ? "phase.stopped" : "phase.stopped.empty"));
  if (turn.finish === "length") parts.push(words("phase.length"));
  if (turn.usage) parts.push(...costOf(turn));
  return parts.join(" · ");
}

/** Times are the server's, counts are the engine's; only the rate is measured here, from the first piece to the last. */
function costOf({ usage, timings = {}, rate, pictures }) {
  const parts = [];
  for (const stage of STAGES) {
    const value = timings[`${stage}_ms`];
    if (value >= 0.05) parts.push(words(`phase.${stage}`, { ms: ms(value) }));
  }
  if (timings.first_token_ms) parts.push(words("phase.first", { ms: ms(timings.first_token_ms) }));
  if (rate) parts.push(words("phase.rate", { rate: Math.round(rate) }));
  const level = usage.prompt_tokens_details?.image_cache ?? "none";
  if (level !== "none" && pictures.length) parts.push(words("phase.cached"));
  parts.push(words("phase.tokens", { prompt: usage.prompt_tokens, answer: usage.completion_tokens }));
  return parts;
}

function drawWaterfall(timings) {
  const whole = timings?.first_token_ms;
  const stages = whole ? STAGES.filter((stage) => timings[`${stage}_ms`] > 0) : [];
  element("waterfall").replaceChildren(...stages.map((stage) => {
    const bar = document.createElement("i");
    bar.className = stage;
    bar.style.width = `${Math.min(100, (100 * timings[`${stage}_ms`]) / whole)}%`;
    return bar;
  }));
}

/** What was wrong, the limit and the fix, with the server's own sentence as detail; onKey is offered when a key is missing. */
export function showTrouble({ head, reason = "", detail = "", asksKey = false }, onKey) {
  const part = (tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  };
  const parts = [part("strong", head)];
  if (reason) parts.push(part("p", reason));
  if (detail) parts.push(part("small", detail));
  if (asksKey) {
    const button = part("button", words("local.key"));
    button.type = "button";
    button.addEventListener("click", onKey);
    parts.push(button);
  }
  element("trouble").replaceChildren(...parts);
  element("trouble").hidden = false;
}

export function hideTrouble() {
  element("trouble").hidden = true;
}
