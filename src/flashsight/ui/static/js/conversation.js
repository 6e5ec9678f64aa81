// The turns of this conversation, kept in the page's memory only: what was asked, what came back. Touches the history list.
import { referenceOf } from "./upload.js";

const turns = [];
let shown = -1;
let choose = () => {};

/** A new turn, shown from now on. error is an ApiError or null. */
export function addTurn(question, pictures) {
  const turn = { question, pictures, text: "", reasoning: "", usage: null, timings: null, finish: null, error: null };
  turns.push(turn);
  showTurn(turn);
  return turn;
}

/** The turn on view, or undefined. */
export const shownTurn = () => turns[shown];

/** True for the newest turn, the only one that can be asked again without losing others. */
export const isLast = (turn) => turn !== undefined && turn === turns.at(-1);

export function showTurn(turn) {
  shown = turns.indexOf(turn);
  draw();
}

/** Drops the last turn, for asking again. */
export function takeBack() {
  turns.pop();
  shown = turns.length - 1;
  draw();
}

export function clearTurns() {
  turns.length = 0;
  shown = -1;
  draw();
}

/** Calls onChoose(turn) when a question of the list is chosen. */
export function connectConversation({ onChoose }) {
  choose = onChoose;
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

/** The messages of the API for asking `turn`. */
export function messagesFor(turn) {
  const messages = [];
  for (const { one, fresh } of asked(turn)) {
    const images = fresh.map((picture) => ({ type: "image_url", image_url: { url: referenceOf(picture) } }));
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

function draw() {
  document.getElementById("history-empty").hidden = turns.length > 0;
  document.getElementById("history").replaceChildren(...turns.map((turn, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = turn.question;
    button.title = turn.question;
    button.setAttribute("aria-current", String(index === shown));
    button.addEventListener("click", () => choose(turn));
    const row = document.createElement("li");
    row.append(button);
    return row;
  }));
}
