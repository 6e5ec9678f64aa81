// Wires the columns together: a question becomes a request, its events become the answer.
import { addReasoning, addText, connectAnswer, finishAnswer, hideTrouble, sayQueue, showNothing, showTrouble, showTurnWhole, startAnswer } from "./answer.js";
import { ApiError, ask, placeInLine, servedModel } from "./api.js";
import { connectBoxes } from "./boxes.js";
import { asCurl, asJavaScript, asPython } from "./code.js";
import { addTurn, allTurns, clearTurns, connectConversation, isLast, keepTurns, messagesFor, pictureAt, picturesOf, redrawConversation, restoreTurns, showTurn, shownTurn, takeBack } from "./conversation.js";
import { copyText } from "./copying.js";
import { asJson, asMarkdown, save } from "./download.js";
import { currentKey, keep, kept } from "./keep.js";
import { connectKeys } from "./keys.js";
import { connectMenus } from "./menus.js";
import { addFiles, bringBack, clearPictures, connectPictures, currentPictures, letGo, markRefused, picturesRead, redrawPictures, sendMissing, showAgain } from "./pictures.js";
import { troubleOf } from "./refusals.js";
import { connectScenes, currentScene, leaveScene, lentBy, loadScenes, redrawScenes } from "./scenes.js";
import { connectSettings, currentSettings, openSettings } from "./settings.js";
import { lookNow, redrawStatus, watchStatus } from "./status.js";
import { learn, nothingKnown } from "./sureness.js";
import { forgetUploads, uploadsDone } from "./upload.js";
import { applyLanguage, words } from "./words.js";

const element = (id) => document.getElementById(id);
let running = null;
let model = null;
let drawTrouble = null;
let editing = null;

function bodyFor(turn) {
  const settings = currentSettings();
  return {
    model,
    messages: messagesFor(turn, { isDetailed: settings.detail }),
    temperature: settings.temperature,
    ...(settings.length ? { max_tokens: settings.length } : {}),
    chat_template_kwargs: { enable_thinking: settings.thinking },
    ...lentBy(turn.scene, settings),
  };
}

async function send(turn, signal) {
  const pictures = picturesOf(turn);
  await uploadsDone(pictures, signal);
  pictures.forEach((picture) => (picture.isAsked = true));
  try {
    await receive(turn, signal);
  } catch (error) {
    // The server has started anew, or had to make room: it gets the pictures again, with the question.
    if (error.code !== "file_not_found" || !forgetUploads(pictures)) throw error;
    await receive(turn, signal);
  }
}

async function receive(turn, signal) {
  model ??= await servedModel({ key: currentKey(), signal });
  let first = null;
  for await (const event of ask(bodyFor(turn), { key: currentKey(), signal, requestId: turn.requestId })) {
    const choice = event.choices[0];
    const delta = choice?.delta ?? {};
    if (first === null && (delta.content || delta.reasoning_content)) first = performance.now();
    if (delta.reasoning_content) {
      turn.reasoning += delta.reasoning_content;
      addReasoning(delta.reasoning_content, () => turn.reasoning.length);
    }
    if (delta.content) {
      turn.text += delta.content;
      addText(delta.content);
    }
    if (choice?.logprobs) learn(turn.sure, choice.logprobs.content);
    if (delta.boxes) turn.boxes = delta.boxes;
    if (choice?.finish_reason) turn.finish = choice.finish_reason;
    if (event.usage) take(turn, event, performance.now() - first);
  }
}

function take(turn, { usage, timings, image_tiles }, elapsed) {
  turn.tiles = image_tiles;
  turn.usage = usage;
  turn.timings = timings;
  // Under a tenth of a second the network's bundling is measured, not the engine.
  if (usage.completion_tokens > 1 && elapsed > 100) turn.rate = ((usage.completion_tokens - 1) * 1000) / elapsed;
}

/** While the first token is awaited: its place in line on the server, each second. */
async function watchQueue(turn, signal) {
  const isWaiting = () => !signal.aborted && !turn.text && !turn.reasoning && !turn.finish && !turn.error;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (!isWaiting()) return;
    const place = await placeInLine(turn.requestId, { key: currentKey(), signal });
    if (!isWaiting()) return;
    sayQueue(place);
  }
}

async function askTurn(question, pictures, scene) {
  const turn = addTurn(question, pictures);
  turn.scene = scene;
  turn.sure = nothingKnown();
  turn.requestId = `page-${[...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  trouble(null);
  markRefused(null);
  startAnswer({ thinks: currentSettings().thinking });
  watchQueue(turn, running.signal);
  try {
    await send(turn, running.signal);
  } catch (error) {
    if (error.name === "AbortError") turn.finish = "stopped";
    else fail(turn, error instanceof ApiError ? error : new ApiError(0));
  }
  finishAnswer(turn, picturesOf(turn));
  if (turn.error) showError(turn);
  keepTurns();
}

function fail(turn, error) {
  turn.error = error;
  if (error.status === 0 || error.code === "model_not_found") model = null;
  markRefused(pictureAt(turn, error.param)?.id ?? null);
  lookNow();
}

/** Shows what `describe` says, now and after a change of language; null hides it. */
function trouble(describe) {
  drawTrouble = describe;
  if (describe) showTrouble(describe(), () => openSettings({ atKey: true }));
  else hideTrouble();
}

function showError(turn) {
  const picture = pictureAt(turn, turn.error.param);
  const place = picture && { n: turn.pictures.indexOf(picture) + 1, name: picture.name };
  trouble(() => troubleOf(turn.error, { place, hasText: turn.text !== "" }));
}

function show(turn) {
  showTurn(turn);
  showTurnWhole(turn, picturesOf(turn));
  if (turn.error) showError(turn);
  else trouble(null);
  setBusy(false);
}

function setBusy(busy) {
  element("ask").disabled = busy;
  element("stop").disabled = !busy;
  const turn = shownTurn();
  element("retry").disabled = busy || !isLast(turn);
  element("copy").disabled = busy || !turn?.text;
  element("code").disabled = busy || !turn;
  element("download").disabled = busy || !turn;
  element("clear-turns").disabled = busy;
  element("fresh").disabled = busy;
  // Whoever pressed one of the two keeps the place on the keyboard: a disabled button loses it.
  if (document.activeElement === document.body || document.activeElement?.disabled) element(busy ? "stop" : "ask").focus();
}

/** One question at a time: from pressing Ask to the answer's end. */
async function exclusively(act) {
  if (running) return;
  running = new AbortController();
  setBusy(true);
  try {
    await act();
  } finally {
    running = null;
    setBusy(false);
  }
}

async function submit() {
  if (running) return;
  const question = element("question").value.trim();
  if (!question) {
    trouble(() => ({ head: words("local.empty_question") }));
    element("question").focus();
    return;
  }
  await exclusively(async () => {
    await picturesRead();
    const before = editing;
    edit(null);
    if (before) takeBack(before);
    await askTurn(question, before ? before.pictures : currentPictures(), currentScene());
  });
}

/** The next question takes this turn's place; null: it is a new one. */
function edit(turn) {
  if (running && turn) return;
  editing = turn;
  element("editing").hidden = turn === null;
  if (!turn) return;
  write(turn.question);
  element("question").focus();
}

function retry() {
  const turn = shownTurn();
  if (running || !isLast(turn)) return;
  takeBack(turn);
  exclusively(() => askTurn(turn.question, turn.pictures, turn.scene));
}

/** Forgets the questions and answers; the pictures in the list stay, others that were asked about are forgotten everywhere. */
function clearConversation() {
  edit(null);
  const asked = allTurns().flatMap((turn) => turn.pictures);
  clearTurns();
  letGo(asked);
  showNothing();
  trouble(null);
  setBusy(false);
}

function startAfresh() {
  clearPictures();
  clearConversation();
  element("question").value = words("question.first");
  keep("draft", null);
  leaveScene();
  element("drop").focus();
}

function write(question) {
  element("question").value = question;
  keep("draft", question);
}

function connectButtons() {
  element("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  element("stop").addEventListener("click", () => running?.abort());
  element("retry").addEventListener("click", retry);
  element("copy").addEventListener("click", (event) => copyText(shownTurn().text, event.currentTarget));
  for (const [id, asCode] of [["code-curl", asCurl], ["code-python", asPython], ["code-javascript", asJavaScript]]) {
    element(id).addEventListener("click", async ({ currentTarget }) => {
      model ??= await servedModel({ key: currentKey() }).catch(() => null);
      const turn = shownTurn();
      copyText(asCode(bodyFor(turn), picturesOf(turn), { origin: location.origin, hasKey: currentKey() !== "" }), currentTarget);
    });
  }
  element("save-markdown").addEventListener("click", () => save(asMarkdown(allTurns(), { model, words }), "text/markdown", "md"));
  element("save-json").addEventListener("click", () => save(asJson(allTurns(), { model }), "application/json", "json"));
  element("clear-turns").addEventListener("click", clearConversation);
  element("end-editing").addEventListener("click", () => edit(null));
  element("fresh").addEventListener("click", startAfresh);
  element("question").addEventListener("input", () => keep("draft", element("question").value));
}

/** Shows what was asked at the last visit. */
async function comeBack() {
  restoreTurns(bringBack);
  const turn = shownTurn();
  if (!turn) return;
  show(turn);
  // Nobody has pressed anything yet: the focus is nobody's.
  document.activeElement.blur();
  await showAgain(picturesOf(turn));
  if (shownTurn() === turn && !running) finishAnswer(turn, picturesOf(turn));
}

function redraw() {
  redrawPictures();
  redrawScenes();
  redrawStatus();
  redrawConversation();
  const turn = shownTurn();
  if (turn && !running) finishAnswer(turn, picturesOf(turn));
  if (drawTrouble) trouble(drawTrouble);
}

connectAnswer();
connectBoxes();
element("question").value = kept("draft") ?? element("question").value;
applyLanguage();
connectSettings({ onLanguage: redraw, onForget: startAfresh, onNewKey: () => { loadScenes(); if (shownTurn()?.error?.status === 401) retry(); } });
connectPictures();
connectConversation({ onChoose: (turn) => { if (!running) show(turn); }, onEdit: edit });
connectScenes({
  onFill: write,
  onExample: (files, isEarlier) => {
    clearPictures(isEarlier);
    addFiles(files);
  },
});
connectMenus();
connectButtons();
connectKeys({ onAsk: submit, onStop: () => running?.abort() });
watchStatus({ onReady: sendMissing, onModel: redrawScenes });
comeBack();
