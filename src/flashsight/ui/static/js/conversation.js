// The turns of this conversation, kept in the page's memory only: what was asked, what came back. Touches the history list.
const turns = [];
let shown = -1;
let choose = () => {};

/** A new turn, shown from now on. */
export function addTurn(question, pictures) {
  const turn = { question, pictures, text: "", reasoning: "", usage: null, finish: null, error: null };
  turns.push(turn);
  showTurn(turn);
  return turn;
}

/** The turn on view, or undefined. */
export const shownTurn = () => turns[shown];

export function showTurn(turn) {
  shown = turns.indexOf(turn);
  draw();
}

/** Drops the last turn and returns it, for asking again. */
export function takeBack(turn) {
  turns.splice(turns.indexOf(turn));
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

/** The messages of the API for asking `turn`: answered turns before it, each picture sent with the turn that brought it. */
export function messagesFor(turn) {
  const messages = [];
  const sent = new Set();
  for (const one of turns.slice(0, turns.indexOf(turn) + 1)) {
    if (one !== turn && !one.text) continue;
    const fresh = one.pictures.filter((picture) => !sent.has(picture.id));
    fresh.forEach((picture) => sent.add(picture.id));
    const images = fresh.map((picture) => ({ type: "image_url", image_url: { url: picture.url } }));
    messages.push({ role: "user", content: [...images, { type: "text", text: one.question }] });
    if (one !== turn) messages.push({ role: "assistant", content: one.text });
  }
  return messages;
}

function draw() {
  document.getElementById("history-empty").hidden = turns.length > 0;
  document.getElementById("history").replaceChildren(...turns.map((turn, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = turn.question;
    button.setAttribute("aria-current", String(index === shown));
    button.addEventListener("click", () => { showTurn(turn); choose(turn); });
    const row = document.createElement("li");
    row.append(button);
    return row;
  }));
}
