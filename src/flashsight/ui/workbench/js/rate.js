// Rating one item after another: score, tags, corrected copy. Whatever is said is sent at once, as a whole.
import { editDistance } from "./distance.js";
import { writeFields } from "./fields.js";
import { goTo, mark } from "./queue.js";
import { sendRating, sendUndo } from "./server.js";
import { noteUnsent, openUnsent } from "./unsent.js";
import { currentLanguage, refusalWords, words } from "./words.js";

const TAG_KEYS = ["q", "w", "e"];
const AGAIN_AFTER = 3000;
const NOTHING = { score: null, tags: [], is_accepted: false, corrected: null };
const element = (id) => document.getElementById(id);
const ownTags = new Set();
const confirmed = new Map();
const late = new Set();
let offered = [];
let item = null;
let hasCopy = false;
let tell;
let onSaid;
let sending = Promise.resolve();

export const isUnrated = (one) => one.rating === null;

/** Connects the controls. tell: shows a sentence of trouble, null for none; said: called after anything was kept. */
export function connectRating(options) {
  ({ tell, said: onSaid } = options);
  offered = options.run.tags;
  hasCopy = options.run.copy_field !== null;
  options.items.forEach((one) => confirmed.set(one.place, one.rating));
  deliverUnsent(options);
  options.items.forEach((one) => {
    one.rating?.tags.filter((tag) => !offered.some(({ key }) => key === tag)).forEach((tag) => ownTags.add(tag));
  });
  element("scores").replaceChildren(...[1, 2, 3, 4, 5].map(scoreButton));
  element("accept").addEventListener("click", accept);
  element("corrected").addEventListener("input", () => { tellDistance(); });
  element("corrected").addEventListener("change", keepCopy);
  element("undo").addEventListener("click", undo);
  element("own-tag").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    const tag = event.target.value.trim().replace(/\s+/g, " ");
    event.target.value = "";
    if (!tag) return;
    if (!offered.some(({ zh, en }) => zh === tag || en === tag)) ownTags.add(tag);
    toggleTag(keyOf(tag), true);
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) keepCopy(); });
}

/** Shows an item and what was said of it. */
export function showRating(next) {
  keepCopy();
  item = next;
  writeFields(element("fields"), item.fields, item.error);
  element("margins").hidden = !item.fields.some(({ margin }) => typeof margin === "number");
  element("copy-part").hidden = !hasCopy || item.copy === null;
  element("accept").hidden = element("copy-part").hidden;
  element("corrected").value = said().corrected ?? item.copy ?? "";
  draw();
}

/** Handles a key; true if it meant something here. */
export function rateKey(key) {
  if (/^[1-5]$/.test(key)) score(Number(key));
  else if (TAG_KEYS.includes(key)) toggleTag(offered[TAG_KEYS.indexOf(key)].key);
  else if (key === "a" && !element("accept").hidden) accept();
  else if (key === "c" && !element("copy-part").hidden) element("corrected").focus();
  else if (key === "t") element("own-tag").focus();
  else if (key === "u" || key === "z") undo();
  else return false;
  return true;
}

const said = () => item.rating ?? NOTHING;
const keyOf = (tag) => offered.find(({ zh, en }) => zh === tag || en === tag)?.key ?? tag;
/** What stands beside an item in the list. */
export const markOf = ({ rating }) => (rating === null ? "" : (rating.score ?? "✓"));
const score = (number) => send({ score: number });
const accept = () => send({ is_accepted: !said().is_accepted });

function toggleTag(key, isOn = !said().tags.includes(key)) {
  const others = said().tags.filter((tag) => tag !== key);
  send({ tags: isOn ? [...others, key] : others });
}

function keepCopy() {
  if (item === null || item.copy === null || !hasCopy) return;
  const text = element("corrected").value;
  const corrected = text === item.copy ? null : text;
  if (corrected !== said().corrected) send({ corrected });
}

/** Shown at once, kept one after another. */
function send(change) {
  item.rating = { ...said(), ...change };
  redraw(item);
  deliver(item);
}

/** What an earlier visit could not deliver, or left on its way, is said again. */
function deliverUnsent({ run, items }) {
  for (const [place, rating] of openUnsent(run.id)) {
    const about = items.find((one) => one.place === place);
    if (!about) continue;
    about.rating = { ...(about.rating ?? NOTHING), ...rating };
    deliver(about);
  }
}

/** Sends an item's whole rating as it is now; what the server could not take is sent again until it can. */
function deliver(about) {
  const whole = plain(about.rating);
  noteUnsent(about.place, whole);
  sending = sending.then(async () => {
    if (isSame(whole, confirmed.get(about.place)) && !late.has(about)) {
      settle(about, whole);
      return;
    }
    try {
      const kept = await sendRating(about.place, whole);
      confirmed.set(about.place, kept);
      settle(about, whole);
      if (isSame(whole, about.rating)) about.rating = kept;
      late.delete(about);
      if (!late.size) tell(null);
    } catch (refusal) {
      if (isForGood(refusal)) {
        about.rating = confirmed.get(about.place) ?? null;
        noteUnsent(about.place, null);
      } else if (late.add(about)) setTimeout(() => late.has(about) && deliver(about), AGAIN_AFTER);
      tell(() => words("unsaved", { why: refusalWords(refusal) }));
    }
    redraw(about);
  });
}

/** Forgets what was kept for a later visit, unless more was said since. */
function settle(about, whole) {
  if (isSame(whole, about.rating)) noteUnsent(about.place, null);
}

const isForGood = ({ status }) => status >= 400 && status < 500 && status !== 401;
const isSame = (one, other) => JSON.stringify(plain(one)) === JSON.stringify(plain(other));

function plain(rating) {
  const { score: number, tags, is_accepted, corrected } = rating ?? NOTHING;
  return { score: number, tags, is_accepted, corrected };
}

function undo() {
  keepCopy();
  sending = sending.then(async () => {
    try {
      const { place, rating } = await sendUndo();
      tell(place === null ? () => words("undo.none") : null);
      if (place === null) return;
      confirmed.set(place, rating);
      // The text on show would otherwise be taken for a new correction.
      if (item.place === place) element("corrected").value = rating?.corrected ?? item.copy ?? "";
      onSaid(place, rating, goTo);
    } catch (refusal) {
      tell(() => refusalWords(refusal));
    }
  });
}

function redraw(about) {
  mark(about.place, markOf(about));
  if (about === item) draw();
  onSaid(null);
}

function draw() {
  const { score: number, tags, is_accepted } = said();
  [...element("scores").children].forEach((button, at) => {
    button.setAttribute("aria-pressed", String(at + 1 === number));
    button.title = words(`score.${at + 1}`);
    button.setAttribute("aria-label", words(`score.${at + 1}`));
  });
  element("accept").setAttribute("aria-pressed", String(is_accepted));
  const names = [...offered.map((tag) => [tag.key, tag[currentLanguage()]]), ...[...ownTags].map((tag) => [tag, tag])];
  drawTags(names, tags);
  tellDistance();
}

/** Changes buttons in place: a new button would take the keyboard's place from whoever stands in it. */
function drawTags(names, tags) {
  const list = element("tags");
  while (list.children.length < names.length) list.append(document.createElement("button"));
  names.forEach(([key, name], at) => {
    const button = list.children[at];
    const sign = document.createElement("kbd");
    sign.textContent = TAG_KEYS[at] ?? "";
    button.type = "button";
    button.replaceChildren(name, ...(TAG_KEYS[at] ? [sign] : []));
    button.setAttribute("aria-pressed", String(tags.includes(key)));
    button.onclick = () => toggleTag(key);
  });
}

function scoreButton(number) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = String(number);
  button.addEventListener("click", () => score(number));
  return button;
}

function tellDistance() {
  if (item.copy === null) return;
  const num = editDistance(item.copy, element("corrected").value);
  element("distance").textContent = num ? words("distance", { n: num }) : words("distance.none");
}
