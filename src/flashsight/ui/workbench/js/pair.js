// Two rounds' answers side by side, without a word of which is which; at the end, which one people prefer.
import { writeFields } from "./fields.js";
import { readPair, readPreferred, sendChoice } from "./server.js";
import { refusalWords, words } from "./words.js";

const SIDES = { 1: "left", 2: "same", 3: "right" };
const chosen = new Map();
const trail = [];
const element = (id) => document.getElementById(id);
const buttons = () => [...document.querySelectorAll("#pairing [data-side]")];
let place = null;
let tell;
let onChosen;
let goTo;
let outcome = null;
let sending = Promise.resolve();

export const isUnchosen = (item) => chosen.get(item.place) === null;
export const isPaired = (item) => chosen.has(item.place);
export const counts = () => [[...chosen.values()].filter((side) => side !== null).length, chosen.size];
export const sideOf = (at) => ({ left: "◧", same: "=", right: "◨" })[chosen.get(at)] ?? "";

/** Connects the buttons. tell: shows trouble; chosen: called after a choice; go: shows another place. */
export function connectPairs(options) {
  ({ tell, chosen: onChosen, go: goTo } = options);
  options.pairs.forEach(({ place: at, chosen: side }) => chosen.set(at, side));
  for (const button of buttons()) button.addEventListener("click", () => later(choose, place, button.dataset.side));
  element("pair-undo").addEventListener("click", () => later(undo));
}

/** Shows both answers to an item. */
export async function showPair(item) {
  place = item.place;
  draw();
  try {
    const both = await readPair(item.place);
    if (place !== item.place) return;
    for (const side of ["left", "right"]) writeFields(document.querySelector(`#${side} tbody`), both[side]);
  } catch (refusal) {
    tell(() => refusalWords(refusal));
  }
  if (isOver()) tellOutcome();
}

/** Handles a key; true if it meant something here. */
export function pairKey(key) {
  if (key in SIDES) later(choose, place, SIDES[key]);
  else if (key === "u" || key === "z") later(undo);
  else return false;
  return true;
}

const isOver = () => [...chosen.values()].every((side) => side !== null);

/** One choice after another: of two answers, the first must not arrive last. */
function later(act, ...about) {
  sending = sending.then(() => act(...about));
}

async function choose(at, side) {
  if (!chosen.has(at)) return;
  try {
    await sendChoice(at, side);
    tell(null);
  } catch (refusal) {
    tell(() => words("unsaved", { why: refusalWords(refusal) }));
    return;
  }
  chosen.set(at, side);
  trail.push(at);
  draw();
  onChosen(at);
  if (isOver()) tellOutcome();
}

async function undo() {
  const last = trail.pop();
  if (last === undefined) {
    tell(() => words("undo.none"));
    return;
  }
  try {
    await sendChoice(last, null);
  } catch (refusal) {
    trail.push(last);
    tell(() => words("unsaved", { why: refusalWords(refusal) }));
    return;
  }
  chosen.set(last, null);
  outcome = null;
  goTo(last);
}

function draw() {
  for (const button of buttons()) button.setAttribute("aria-pressed", String(chosen.get(place) === button.dataset.side));
  drawOutcome();
}

async function tellOutcome() {
  outcome = await readPreferred().catch(() => null);
  drawOutcome();
}

function drawOutcome() {
  const text = element("outcome");
  if (outcome === null) {
    text.textContent = "";
    return;
  }
  const { first, second, even, raters, winner, too_few: isTooFew, second_preferred: told } = outcome;
  if (told.value === null) {
    text.textContent = words("outcome.even", { even });
    return;
  }
  const percent = (value) => `${Math.round(100 * value)} %`;
  const values = { first, second, even, raters, num: told.num, share: percent(told.value), low: percent(told.low), high: percent(told.high) };
  const verdict = isTooFew && !winner ? "outcome.few" : `outcome.${winner ?? "none"}`;
  text.textContent = `${words("outcome", values)} ${words(verdict, values)}`;
}

/** After a change of language. */
export const redrawPair = () => place !== null && drawOutcome();
