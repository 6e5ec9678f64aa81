// Puts the rating page together: reads the run, then shows one item after another, to rate or to compare.
import { keep, kept } from "/js/keep.js";
import { connectPairs, counts, isPaired, isUnchosen, pairKey, redrawPair, showPair, sideOf } from "./pair.js";
import { foresee, showPictures } from "./pictures.js";
import { connectQueue, currentItem, goTo, itemAt, mark, redrawQueue, resume, seek, step } from "./queue.js";
import { connectRating, isUnrated, markOf, rateKey, showRating } from "./rate.js";
import { readItems, readPairs, readRun } from "./server.js";
import { applyLanguage, currentLanguage, refusalWords, words } from "./words.js";

const element = (id) => document.getElementById(id);
let run;
let items = [];
let mode = "rate";
let drawTrouble = null;
let isReady = false;

/** draw: a function that gives the sentence, so that it can be said in another language; null: no trouble. */
function tell(draw) {
  drawTrouble = draw;
  element("trouble").hidden = draw === null;
  element("trouble").textContent = draw === null ? "" : draw();
}

const isLeft = (item) => (mode === "rate" ? isUnrated(item) : isUnchosen(item));

function show(item) {
  // Boxes are the first round's: side by side they would tell which one that is.
  showPictures(mode === "rate" ? item : { ...item, boxes: [] });
  element("asked").textContent = (item.prompt ?? run.prompt) ? words("asked", { prompt: item.prompt ?? run.prompt }) : "";
  if (mode === "rate") showRating(item);
  else showPair(item);
  drawProgress();
  foresee(itemAt(1));
}

function drawProgress() {
  const [done, all] = mode === "rate" ? [items.filter((item) => !isUnrated(item)).length, items.length] : counts();
  element("progress").max = all;
  element("progress").value = done;
  element("status").textContent = words(mode === "rate" ? "status.rated" : "status.paired", { name: run.name, done, all });
  element("dot").dataset.state = "ready";
}

function drawMode() {
  element("rating").hidden = mode !== "rate";
  element("pairing").hidden = mode === "rate";
  element("mode").hidden = run.num_pairs === 0;
  element("mode").textContent = words(mode === "rate" ? "mode.pair" : "mode.rate");
}

/** The blind comparison lists what both rounds have, in the order of the run: doubt would tell of the first round. */
function setMode(next) {
  mode = next;
  keep("mode", mode);
  const listed = mode === "rate" ? items : items.filter(isPaired);
  connectQueueOf(listed);
  for (const item of listed) mark(item.place, mode === "rate" ? markOf(item) : sideOf(item.place));
  drawMode();
  resume(isLeft);
}

function connectQueueOf(listed) {
  connectQueue({ runId: `${mode} ${run.id}`, items: listed, hasDoubts: mode === "rate" && run.has_doubts, isBlind: mode !== "rate", go: show });
}

function said(place, rating, go) {
  if (place !== null) {
    items[place].rating = rating;
    mark(place, markOf(items[place]));
    go(place);
  }
  drawProgress();
}

function chosen(place) {
  mark(place, sideOf(place));
  drawProgress();
  seek(isLeft);
}

function takeBack(place) {
  mark(place, "");
  goTo(place);
}

function redraw() {
  redrawQueue();
  drawMode();
  redrawPair();
  show(currentItem());
  tell(drawTrouble);
}

function switchLanguage() {
  applyLanguage(currentLanguage() === "zh" ? "en" : "zh");
  if (isReady) redraw();
  else tell(drawTrouble);
}

function switchLight() {
  const isDark = (document.documentElement.dataset.light ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  document.documentElement.dataset.light = isDark ? "light" : "dark";
  keep("light", document.documentElement.dataset.light);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.target.matches("textarea, input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "l") switchLanguage(); // also while the run is being read, and when it cannot be
  if (key === "l" || !isReady) return;
  const isPressed = key === "Enter" && event.target.matches("button");
  if (!isPressed && (pressed(key) || (mode === "rate" ? rateKey(key) : pairKey(key)))) event.preventDefault();
}

function pressed(key) {
  if (key === "ArrowRight" || key === "j") step(1);
  else if (key === "ArrowLeft" || key === "k") step(-1);
  else if (key === "Enter") seek(isLeft);
  else if (key === "b" && run.num_pairs) setMode(mode === "rate" ? "pair" : "rate");
  else return false;
  return true;
}

function connectButtons() {
  for (const [id, by] of [["previous", -1], ["next", 1], ["pair-previous", -1], ["pair-next", 1]]) element(id).addEventListener("click", () => step(by));
  element("unrated").addEventListener("click", () => seek(isLeft));
  element("mode").addEventListener("click", () => setMode(mode === "rate" ? "pair" : "rate"));
}

async function begin() {
  try {
    run = await readRun();
    items = await readItems();
    if (run.num_pairs) connectPairs({ pairs: await readPairs(), tell, chosen, go: takeBack });
  } catch (refusal) {
    element("dot").dataset.state = "gone";
    tell(() => refusalWords(refusal));
    return;
  }
  connectQueueOf(items);
  connectRating({ run, items, tell, said });
  connectButtons();
  setMode(run.num_pairs ? (kept("mode") ?? "pair") : "rate");
  isReady = true;
}

applyLanguage();
element("language").addEventListener("click", switchLanguage);
element("light").addEventListener("click", switchLight);
document.addEventListener("keydown", onKey);
begin();
