// Wires the columns together: a question becomes a request, its events become the answer.
import { addReasoning, addText, connectAnswer, showNothing, showTrouble, showTurnWhole, startAnswer } from "./answer.js";
import { ApiError, ask } from "./api.js";
import { addTurn, clearTurns, connectConversation, messagesFor, showTurn, shownTurn, takeBack } from "./conversation.js";
import { clearPictures, connectPictures, currentPictures, redrawPictures } from "./pictures.js";
import { connectSettings, currentKey, currentSettings } from "./settings.js";
import { lookNow, redrawStatus, watchStatus } from "./status.js";
import { applyLanguage, words } from "./words.js";

const element = (id) => document.getElementById(id);
const MODEL = "glm-4.6v-flash-web";
let running = null;

function bodyFor(turn) {
  const settings = currentSettings();
  return {
    model: MODEL,
    messages: messagesFor(turn),
    temperature: settings.temperature,
    max_tokens: settings.length,
    chat_template_kwargs: { enable_thinking: settings.thinking },
  };
}

function troubleOf(error) {
  const detail = error.message;
  if (error.status === 0) return { head: words("error.gone"), detail: "" };
  if (error.status === 401) return { head: words("error.key"), detail };
  if (error.status === 429) return { head: words("error.busy", { seconds: error.retryAfter ?? 1 }), detail };
  if (error.status === 503) return { head: words("error.loading"), detail };
  if (error.code === "context_length_exceeded") return { head: words("error.long"), detail };
  if (/image|picture/.test(error.code + error.param)) return { head: words("error.picture"), detail };
  return { head: words(error.status < 500 ? "error.request" : "error.other"), detail };
}

async function receive(turn, signal) {
  let first = null;
  for await (const event of ask(bodyFor(turn), { key: currentKey(), signal })) {
    const choice = event.choices[0];
    const delta = choice?.delta ?? {};
    if (first === null && (delta.content || delta.reasoning_content)) first = performance.now();
    if (delta.reasoning_content) {
      turn.reasoning += delta.reasoning_content;
      addReasoning(turn.reasoning);
    }
    if (delta.content) {
      turn.text += delta.content;
      addText(delta.content);
    }
    if (choice?.finish_reason) turn.finish = choice.finish_reason;
    if (event.usage) {
      turn.usage = event.usage;
      turn.timings = event.timings;
      if (event.usage.completion_tokens > 1) turn.rate = (event.usage.completion_tokens - 1) / ((performance.now() - first) / 1000);
    }
  }
}

async function askTurn(question, pictures) {
  const turn = addTurn(question, pictures);
  running = new AbortController();
  setBusy(true);
  startAnswer();
  try {
    await receive(turn, running.signal);
  } catch (error) {
    if (error.name === "AbortError") turn.finish = "stopped";
    else {
      turn.error = troubleOf(error instanceof ApiError ? error : new ApiError(0));
      lookNow();
    }
  }
  running = null;
  setBusy(false);
  showTurn(turn);
  showTurnWhole(turn);
}

function setBusy(busy) {
  element("ask").disabled = busy;
  element("stop").disabled = !busy;
  const turn = shownTurn();
  element("retry").disabled = busy || !turn;
  element("copy").disabled = busy || !turn?.text;
  element("code").disabled = busy || !turn;
  element("fresh").disabled = busy;
}

function submit() {
  if (running) return;
  const question = element("question").value.trim();
  if (!question) {
    showTrouble({ head: words("empty.question"), detail: "" });
    element("question").focus();
    return;
  }
  askTurn(question, currentPictures());
}

function retry() {
  const turn = shownTurn();
  takeBack(turn);
  askTurn(turn.question, turn.pictures);
}

async function copyText(text, button) {
  // navigator.clipboard is missing on plain http addresses; a selected, copied field works there.
  if (navigator.clipboard) await navigator.clipboard.writeText(text);
  else {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  button.textContent = words("copied");
  setTimeout(() => (button.textContent = words(button.dataset.w)), 1500);
}

/** The same request as a command; pictures are named as files, because a data URL does not fit a command line. */
function asCurl(turn) {
  const body = bodyFor(turn);
  let number = 0;
  for (const message of body.messages) {
    for (const part of Array.isArray(message.content) ? message.content : []) {
      if (part.type === "image_url") part.image_url = { url: `data:image/jpeg;base64,$(base64 -w0 picture${++number}.jpg)` };
    }
  }
  const key = currentKey() ? ' \\\n  -H "Authorization: Bearer $FLASHSIGHT_API_KEY"' : "";
  return `curl ${location.origin}/v1/chat/completions -H 'Content-Type: application/json'${key} -d @- <<JSON\n${JSON.stringify(body, null, 2)}\nJSON\n`;
}

function connectKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      submit();
    }
    if (event.key === "Escape" && running && !element("settings").open) running.abort();
  });
  if (/Mac|iPhone|iPad/.test(navigator.userAgent)) element("ask-key").textContent = "⌘↵";
}

function connectButtons() {
  element("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  element("stop").addEventListener("click", () => running?.abort());
  element("retry").addEventListener("click", retry);
  element("copy").addEventListener("click", (event) => copyText(shownTurn().text, event.currentTarget));
  element("code").addEventListener("click", (event) => copyText(asCurl(shownTurn()), event.currentTarget));
  element("fresh").addEventListener("click", () => {
    clearTurns();
    clearPictures();
    showNothing();
    setBusy(false);
    element("question").value = words("question.first");
    element("drop").focus();
  });
  element("question").addEventListener("input", () => localStorage.setItem("draft", element("question").value));
}

connectAnswer();
element("question").value = localStorage.getItem("draft") || element("question").value;
applyLanguage();
connectSettings({ onLanguage: () => { redrawPictures(); redrawStatus(); const turn = shownTurn(); if (turn && !running) showTurnWhole(turn); } });
connectPictures({ onTrouble: (sentence) => showTrouble({ head: sentence, detail: "" }) });
connectConversation({ onChoose: (turn) => { if (!running) { showTurnWhole(turn); setBusy(false); } } });
connectButtons();
connectKeys();
watchStatus();
