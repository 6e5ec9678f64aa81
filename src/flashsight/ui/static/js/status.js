// The header's line: which model, where, ready or not; asks /health and reconnects by itself.
import { health } from "./api.js";
import { hasWords, words } from "./words.js";

let last;
let wasMissing = false;
let tellReady = () => {};
let tellModel = () => {};

/** True while the checkpoint inside the package answers. */
export const isBuiltIn = () => last?.model === "nano";

/** A phase of loading in the person's language; one that the page does not know is shown as the server says it. */
function phaseText(phase) {
  const [name, ...rest] = phase.split(/(?=, \d)/);
  const key = `loading.${name}`;
  return hasWords(key) ? words(key, { rest: rest.join("").replace(",", "") }) : phase;
}

function lineOf(state) {
  if (state === null) return ["gone", words("status.gone")];
  const { phase, model = "", device = "" } = state;
  if (state.model_ready) return ["ready", words("status.ready", { model: model.split(/[\\/]/).filter(Boolean).pop() ?? "", device })];
  if (phase === "failed") return ["gone", words("status.failed")];
  if (phase === "stopping") return ["loading", words("status.stopping")];
  return ["loading", words("status.loading", { phase: phaseText(phase), seconds: Math.round(state.seconds) })];
}

/** Writes the line again, after a change of language. */
export function redrawStatus() {
  if (last === undefined) return;
  const [state, text] = lineOf(last);
  document.getElementById("dot").dataset.state = state;
  const line = document.getElementById("status");
  if (line.textContent !== text) line.textContent = text;
  line.title = text;
}

/** Looks now, because a request just failed. */
export async function lookNow() {
  const before = last?.model;
  last = await health();
  if (last?.model !== before) tellModel();
  document.getElementById("by-url").hidden = !last?.fetches;
  redrawStatus();
  const isBack = wasMissing && last?.model_ready;
  wasMissing = !last?.model_ready;
  if (isBack) tellReady();
}

/**
 * Looks at once and then for ever: every second while something is missing, every five when all is well. Calls onReady when the
 * server answers questions again, or for the first time after the page was opened too early; onModel when it is another model.
 */
export async function watchStatus({ onReady, onModel }) {
  tellReady = onReady;
  tellModel = onModel;
  for (;;) {
    await lookNow();
    const woken = new AbortController();
    await new Promise((resolve) => {
      setTimeout(resolve, last?.model_ready ? 5000 : 1000);
      addEventListener("focus", resolve, { signal: woken.signal });
    });
    woken.abort();
  }
}
