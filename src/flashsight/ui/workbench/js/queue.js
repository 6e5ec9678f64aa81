// The list of items in the chosen order, and where in it one stands. Knows no rating and no server.
import { keep, kept } from "/js/keep.js";
import { words } from "./words.js";

const HIGH = 0.7;
let name = "";
const items = new Map();
let order = [];
let at = 0;
let isBlind = false;
let onGo;
const rows = new Map();
const element = (id) => document.getElementById(id);

export const currentItem = () => items.get(order[at]);
export const itemAt = (step) => items.get(order[at + step]);

/** Fills the list. runId: under which the place is kept; isBlind: nothing is told of the answers; go: shows an item. */
export function connectQueue(options) {
  name = options.runId;
  items.clear();
  options.items.forEach((item) => items.set(item.place, item));
  at = 0;
  onGo = options.go;
  isBlind = options.isBlind;
  const select = element("order");
  select.disabled = !options.hasDoubts;
  select.value = options.hasDoubts ? (kept("order") ?? "doubt") : "run";
  select.addEventListener("change", () => {
    keep("order", select.value);
    const { place } = currentItem();
    sort();
    goTo(place);
  });
  sort();
}

/** The place where this browser left the run, else the first item that `isLeft`. */
export function resume(isLeft) {
  const place = Number.parseInt(kept(`place ${name}`) ?? "", 10);
  const first = order.find((one) => isLeft(items.get(one))) ?? order[0];
  goTo(items.has(place) ? place : first);
}

function sort() {
  order = [...items.keys()];
  if (element("order").value === "doubt") order.sort((one, other) => items.get(one).order - items.get(other).order);
  rows.clear();
  element("queue").replaceChildren(...order.map(rowOf));
}

function rowOf(place) {
  const item = items.get(place);
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const parts = ["name", "doubt", "said"].map((kind) => {
    const part = document.createElement("span");
    part.className = kind;
    return part;
  });
  parts[0].textContent = item.id;
  button.title = item.id;
  button.append(...parts);
  button.addEventListener("click", () => goTo(place));
  row.append(button);
  rows.set(place, { button, doubt: parts[1], said: parts[2] });
  tellDoubt(place);
  return row;
}

function tellDoubt(place) {
  if (isBlind) return;
  const { doubt, error } = items.get(place);
  const { doubt: part } = rows.get(place);
  part.textContent = error ? words("no_answer") : doubt === null ? "" : doubt.toFixed(2);
  part.title = doubt === null || error ? "" : words("doubt", { n: doubt.toFixed(2) });
  part.classList.toggle("high", Boolean(error) || doubt >= HIGH);
}

/** Writes beside an item what was said of it. */
export function mark(place, text) {
  rows.get(place).said.textContent = text;
}

/** Goes to a place of the run. */
export function goTo(place) {
  for (const { button } of rows.values()) button.removeAttribute("aria-current");
  at = order.indexOf(place);
  const { button } = rows.get(place);
  button.setAttribute("aria-current", "true");
  button.scrollIntoView({ block: "nearest" });
  keep(`place ${name}`, String(place));
  onGo(items.get(place));
}

/** Goes on by so many items; stays at the ends. */
export function step(by) {
  if (itemAt(by)) goTo(itemAt(by).place);
}

/** Goes to the next item that `isLeft`, from the beginning again after the end; false if there is none. */
export function seek(isLeft) {
  const left = [...order.slice(at + 1), ...order.slice(0, at + 1)].find((place) => isLeft(items.get(place)));
  if (left === undefined) return false;
  goTo(left);
  return true;
}

/** After a change of language. */
export const redrawQueue = () => order.forEach(tellDoubt);
