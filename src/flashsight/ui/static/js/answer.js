// The right column: a turn's reasoning, text or table, trouble, and where its time went. Sends nothing.
import { hideBoxes, showBoxes } from "./boxes.js";
import { keep, kept } from "./keep.js";
import { Writer } from "./markdown.js";
import { surenessOf } from "./sureness.js";
import { tableOf, valueOf } from "./table.js";
import { words } from "./words.js";

const element = (id) => document.getElementById(id);
let writer;
let reasoner;
let ticking;
let shown = null;
let isRaw = kept("view") === "raw";

export function connectAnswer() {
  writer = new Writer(element("answer"));
  for (const [id, raw] of [["as-table", false], ["as-text", true]]) {
    element(id).addEventListener("click", () => {
      isRaw = raw;
      keep("view", raw ? "raw" : null);
      dress(shown);
    });
  }
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
  const queue = document.createElement("span");
  queue.id = "queue";
  element("phase").replaceChildren(`${words("phase.asking")} · `, seconds, queue);
  ticking = setInterval(tick, 1000);
  bringIntoView();
}

/** Says, while the first token is awaited, where in line the request stands; nothing once it has room. */
export function sayQueue(place) {
  const queue = element("queue");
  const isWaiting = Boolean(place?.position);
  if (queue) queue.textContent = isWaiting ? ` · ${words("phase.queue", { n: place.position, seconds: Math.ceil(place.estimated_ms / 1000) })}` : "";
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

export function addReasoning(piece, length) {
  stopTicking(words("phase.streaming"));
  element("reasoning").hidden = false;
  element("reasoning-text").append(piece);
  reasoner ??= requestAnimationFrame(() => {
    reasoner = undefined;
    element("reasoning-head").textContent = words("reasoning", { n: length() });
  });
}

function showReasoning(head, text) {
  element("reasoning").hidden = false;
  element("reasoning-head").textContent = head;
  if (element("reasoning-text").textContent !== text) element("reasoning-text").textContent = text;
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
  shown = null;
  hideBoxes();
  writer.clear();
  element("answer").scrollTop = 0;
  element("answer-empty").hidden = false;
  element("view").hidden = true;
  element("reasoning").hidden = true;
  element("reasoning").open = false;
  element("reasoning-text").textContent = "";
  hideTrouble();
  element("phase").textContent = "";
  element("sure").textContent = "";
  element("waterfall").replaceChildren();
}

/** Ends a turn that was being written, and tells its cost; `pictures` are those that its request named. */
export function finishAnswer(turn, pictures) {
  stopTicking("");
  element("answer").classList.remove("waiting");
  element("answer").setAttribute("aria-busy", "false");
  if (turn.reasoning) showReasoning(words("reasoning", { n: turn.reasoning.length }), turn.reasoning);
  else element("reasoning").hidden = true;
  element("phase").replaceChildren(...phaseOf(turn));
  drawWaterfall(turn.timings);
  saySureness(turn);
  writer.draw();
  shown = { turn, pictures };
  dress(shown);
}

/** Text stays as it was written, unless it is JSON or speaks of boxes. */
function dress({ turn, pictures }) {
  const value = valueOf(turn.text);
  element("view").hidden = value === undefined;
  element("as-table").setAttribute("aria-pressed", String(!isRaw));
  element("as-text").setAttribute("aria-pressed", String(isRaw));
  if (value !== undefined || turn.boxes) writer.show(turn.text);
  if (value !== undefined && !isRaw) element("answer").replaceChildren(tableOf(value));
  showBoxes(turn.boxes, pictures);
}

/** Shows a turn chosen from the history. */
export function showTurnWhole(turn, pictures) {
  showNothing();
  element("answer-empty").hidden = true;
  writer.show(turn.text);
  finishAnswer(turn, pictures);
}

const ms = (value) => `${value < 10 ? value.toFixed(1) : Math.round(value)}`;
const STAGES = ["queued", "decode", "encode", "prefill"];

function phaseOf(turn) {
  const parts = [];
  if (turn.finish === "stopped") parts.push(words(turn.text ? "phase.stopped" : "phase.stopped.empty"));
  if (turn.finish === "length") parts.push(words("phase.length"));
  if (turn.usage) parts.push(...costOf(turn));
  return parts.flatMap((part, index) => (index ? [" · ", part] : [part]));
}

/** Times are the server's, counts are the engine's; only the rate is measured here, from the first piece to the last. */
function costOf({ usage, timings, rate, pictures, tiles }) {
  const parts = [];
  for (const stage of STAGES) {
    const value = timings?.[`${stage}_ms`];
    if (value >= (stage === "queued" ? 1 : 0.05)) parts.push(stageOf(stage, value));
  }
  if (timings?.first_token_ms) parts.push(words("phase.first", { ms: ms(timings.first_token_ms) }));
  if (rate) parts.push(words("phase.rate", { rate: Math.round(rate) }));
  const level = usage.prompt_tokens_details?.image_cache ?? "none";
  if (level !== "none" && pictures.length) parts.push(words(`phase.cached.${level}`));
  if (tiles) parts.push(tiles.some((num) => num > 0) ? words("phase.tiles", { n: tiles.join(" + ") }) : words("phase.tiles.none"));
  parts.push(words("phase.tokens", { prompt: usage.prompt_tokens, answer: usage.completion_tokens }));
  return parts;
}

/** How sure the model was stands beside the answer's head, how fast it was under its text. */
function saySureness(turn) {
  const sure = surenessOf(turn);
  element("sure").textContent = sure ? words(sure.word ? "sure.least" : "sure", sure) : "";
  element("sure").title = sure ? words("sure.what") : "";
}

/** A stage's time, underlined in the colour that it has in the waterfall. */
function stageOf(stage, value) {
  const made = document.createElement("span");
  made.className = `stage ${stage}`;
  made.textContent = words(`phase.${stage}`, { ms: ms(value) });
  return made;
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
