// The boxes an answer speaks of: drawn on its picture, named under its text, each lighting the other. Sends nothing.
import { keep, kept } from "./keep.js";
import { words } from "./words.js";

const MANY = 8;
// Four numbers in any kind of brackets, as models write corners: thousandths of the picture's width and height.
const CORNERS = /[[({<]+\s*(\d+(?:\.\d+)?)[\s,]+(\d+(?:\.\d+)?)[\s,]+(\d+(?:\.\d+)?)[\s,]+(\d+(?:\.\d+)?)\s*[\])}>]+/g;
const element = (id) => document.getElementById(id);
let overlays = [];
let areShown = kept("boxes") !== "off";

/** Draws `boxes` ({picture, box in pixels, label}) on `pictures` and links the places in #answer that name them. */
export function showBoxes(boxes, pictures) {
  hideBoxes();
  if (!boxes?.length) return;
  pictures.forEach((picture, number) => overlay(picture, boxes.map((box, index) => ({ ...box, index })).filter((box) => box.picture === number)));
  linkText(boxes, pictures);
  element("answer").append(legend(boxes));
  apply();
}

export function hideBoxes() {
  overlays.splice(0).forEach((made) => made.remove());
  document.querySelector("#answer > .places")?.remove();
}

const nameOf = ({ label }, index) => `${index + 1}${label ? ` ${label}` : ""}`;

function button(className, index, text) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.dataset.box = index;
  made.textContent = text;
  return made;
}

function overlay({ figure, name, width, height }, boxes) {
  if (!boxes.length || !figure?.querySelector("img")) return;
  // The layer has the picture's own shape, so that per cents of it are per cents of the picture wherever that is shown.
  const layer = document.createElement("div");
  layer.className = "boxes";
  const frame = document.createElement("div");
  frame.style.setProperty("--ratio", width / height);
  for (const box of boxes) frame.append(boxOn(box, { name, width, height, isCrowded: boxes.length > MANY }));
  layer.append(frame);
  figure.append(layer);
  overlays.push(layer);
}

function boxOn({ box: [left, top, right, bottom], label, index }, { name, width, height, isCrowded }) {
  const made = button("box", index, "");
  made.setAttribute("aria-label", words("box.on", { n: nameOf({ label }, index), name }));
  Object.assign(made.style, {
    left: `${(100 * left) / width}%`, top: `${(100 * top) / height}%`,
    width: `${(100 * (right - left)) / width}%`, height: `${(100 * (bottom - top)) / height}%`,
  });
  const tag = document.createElement("span");
  tag.textContent = nameOf({ label: isCrowded ? null : label }, index);
  tag.classList.toggle("below", top / height < 0.12);
  tag.classList.toggle("leftward", left / width > 0.6);
  made.append(tag);
  return made;
}

function legend(boxes) {
  const made = document.createElement("div");
  made.className = "places row";
  const toggle = button("toggle", "", words("boxes"));
  toggle.removeAttribute("data-box");
  toggle.id = "boxes-toggle";
  toggle.addEventListener("click", () => {
    areShown = !areShown;
    keep("boxes", areShown ? null : "off");
    apply();
  });
  made.append(toggle, ...boxes.map((box, index) => button("place", index, nameOf(box, index))));
  return made;
}

function apply() {
  element("boxes-toggle")?.setAttribute("aria-pressed", String(areShown));
  overlays.forEach((made) => (made.hidden = !areShown));
}

/** Which box four corners in the text mean; -1 if none. The server rounds to pixels, so one pixel may differ. */
function boxAt(corners, boxes, pictures) {
  return boxes.findIndex(({ picture, box }) => {
    const { width, height } = pictures[picture] ?? {};
    const [x1, y1, x2, y2] = corners;
    const pixels = [Math.min(x1, x2) * width, Math.min(y1, y2) * height, Math.max(x1, x2) * width, Math.max(y1, y2) * height];
    return box.every((pixel, at) => Math.abs(pixels[at] / 1000 - pixel) <= 1);
  });
}

function linkText(boxes, pictures) {
  const walker = document.createTreeWalker(element("answer"), NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const text = node.data;
    const pieces = [];
    let at = 0;
    for (const found of text.matchAll(CORNERS)) {
      const index = boxAt(found.slice(1).map(Number), boxes, pictures);
      if (index < 0) continue;
      pieces.push(text.slice(at, found.index), button("place", index, found[0]));
      at = found.index + found[0].length;
    }
    if (pieces.length) node.replaceWith(...pieces, text.slice(at));
  }
}

function light(index) {
  for (const one of document.querySelectorAll("[data-box]")) one.classList.toggle("lit", one.dataset.box === index);
}

/** The box that an element stands for: its own, or the only one that its table row names. */
function boxOf(target) {
  const own = target.closest?.("[data-box]");
  const inRow = own ? [own] : [...(target.closest?.("#answer tr")?.querySelectorAll("[data-box]") ?? [])];
  return inRow.length === 1 ? inRow[0].dataset.box : null;
}

/** Pointing at or stepping onto a box or its place lights both; pressing one brings the other into view. */
export function connectBoxes() {
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, (event) => light(boxOf(event.target)));
  document.addEventListener("click", ({ target }) => {
    const pressed = target.closest?.("[data-box]");
    if (!pressed) return;
    const others = pressed.closest("#answer") ? ".box" : "#answer .place";
    document.querySelector(`${others}[data-box="${pressed.dataset.box}"]`)?.scrollIntoView({ block: "nearest" });
  });
}
