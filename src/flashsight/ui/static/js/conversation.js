// The turns of this conversation: what was asked, what came back. Kept in this browser only, pictures by their names and
// the server's file ids. Touches the history list.
import { ApiError } from "./api.js";
import { keep, kept } from "./keep.js";
import { referenceOf } from "./upload.js";
import { words } from "./words.js";

const turns = [];
let shown = -1;
let choose = () => {};
let edit = () => {};

/** A new turn, shown from now on. error is an ApiError or null. */
export function addTurn(question, pictures) {
  const turn = { question, pictures, text: "", reasoning: "", usage: null, timings: null, finish: null, error: null, sure: null };
  turns.push(turn);
  showTurn(turn);
  return turn;
}

/** Every turn, the oldest first. */
export const allTurns = () => [...turns];

/** The turn on view, or undefined. */
export const shownTurn = () => turns[shown];

/** True for the newest turn, the only one that can be asked again without losing others. */
export const isLast = (turn) => turn !== undefined && turn === turns.at(-1);

export function showTurn(turn) {
  shown = turns.indexOf(turn);
  draw();
}

/** Drops a turn and all after it, for asking again. */
export function takeBack(turn) {
  turns.splice(turns.indexOf(turn));
  shown = turns.length - 1;
  draw();
}

export function clearTurns() {
  turns.length = 0;
  shown = -1;
  keepTurns();
  draw();
}

/** Writes the turns down for the next visit; what a browser has no room for is not kept. */
export function keepTurns() {
  const written = turns.map(({ error, pictures, ...turn }) => ({
    ...turn,
    error: error && { status: error.status, code: error.code, param: error.param, message: error.message },
    pictures: pictures.map(({ id, name, width, height, bytes, upload }) => ({ id, name, width, height, bytes, fileId: upload?.fileId ?? null })),
  }));
  keep("turns", written.length ? JSON.stringify(written) : null);
}

/** The turns of the last visit; `bringBack(stub)` makes a picture of what was kept of it. */
export function restoreTurns(bringBack) {
  const pictures = new Map();
  const whole = (stub) => pictures.get(stub.id) ?? pictures.set(stub.id, bringBack(stub)).get(stub.id);
  try {
    const written = JSON.parse(kept("turns") ?? "[]");
    turns.push(...written.map((turn) => ({ ...turn, question: String(turn.question), text: String(turn.text), error: turn.error && new ApiError(turn.error.status, turn.error), pictures: turn.pictures.map(whole) })));
  } catch {
    // Another version's, or damaged: begin with nothing.
    turns.length = 0;
  }
  shown = turns.length - 1;
  draw();
}

/** Calls onChoose(turn) when a question of the list is chosen, onEdit(turn) when it is to be asked in other words. */
export function connectConversation({ onChoose, onEdit }) {
  choose = onChoose;
  edit = onEdit;
  draw();
}

/** What asking `turn` sends: answered turns before it, each picture with the turn that brought it. */
function* asked(turn) {
  const sent = new Set();
  for (const one of turns.slice(0, turns.indexOf(turn) + 1)) {
    if (one !== turn && !one.text) continue;
    const fresh = one.pictures.filter((picture) => !sent.has(picture.id));
    fresh.forEach((picture) => sent.add(picture.id));
    yield { one, fresh };
  }
}

/** The pictures that asking `turn` names. */
export const picturesOf = (turn) => [...asked(turn)].flatMap(({ fresh }) => fresh);

/** The messages of the API for asking `turn`; isDetailed: very large pictures are to be read in tiles too. */
export function messagesFor(turn, { isDetailed }) {
  const detail = isDetailed ? { detail: "high" } : {};
  const messages = [];
  for (const { one, fresh } of asked(turn)) {
    const images = fresh.map((picture) => ({ type: "image_url", image_url: { url: referenceOf(picture), ...detail } }));
    messages.push({ role: "user", content: [...images, { type: "text", text: one.question }] });
    if (one !== turn) messages.push({ role: "assistant", content: one.text });
  }
  return messages;
}

/** The picture that a field of the request names, like `messages[2].content[1].image_url.url`; or undefined. */
export function pictureAt(turn, param) {
  const found = /^messages\[(\d+)\]\.content\[(\d+)\]\.image_url/.exec(param);
  return found ? [...asked(turn)][found[1] / 2]?.fresh[found[2]] : undefined;
}

function button(className, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = className;
  made.addEventListener("click", act);
  return made;
}

function pencil() {
  const sign = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  sign.setAttribute("viewBox", "0 0 20 20");
  sign.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M4 16l1-4 8-8 3 3-8 8z");
  sign.append(line);
  return sign;
}

function draw() {
  document.getElementById("history-empty").hidden = turns.length > 0;
  document.getElementById("clear-turns").hidden = turns.length === 0;
  document.getElementById("history").replaceChildren(...turns.map((turn, index) => {
    const question = button("question", () => choose(turn));
    question.textContent = turn.question;
    question.title = turn.question;
    question.setAttribute("aria-current", String(index === shown));
    const change = button("plain sign", () => edit(turn));
    change.append(pencil());
    change.title = words("edit");
    change.setAttribute("aria-label", words("edit.this", { question: turn.question }));
    const row = document.createElement("li");
    row.append(question, change);
    return row;
  }));
}

/** Draws the list again, after a change of language. */
export const redrawConversation = draw;
