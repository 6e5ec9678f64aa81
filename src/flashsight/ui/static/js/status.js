// The header's line: which model, where, ready or not; asks /health and reconnects by itself.
import { health } from "./api.js";
import { words } from "./words.js";

let last;

/** Writes the line again, after a change of language. */
export function redrawStatus() {
  const dot = document.getElementById("dot");
  const line = document.getElementById("status");
  if (last === undefined) return;
  if (last === null) {
    dot.dataset.state = "gone";
    line.textContent = words("status.gone");
  } else if (last.model_ready) {
    dot.dataset.state = "ready";
    line.textContent = words("status.ready", { model: last.model ?? "", device: (last.device ?? "").toUpperCase() });
  } else {
    dot.dataset.state = "loading";
    line.textContent = words("status.loading", { phase: last.phase ?? "…", seconds: Math.round(last.seconds ?? 0) });
  }
}

/** Looks at once and then for ever: every second while something is missing, every fifteen when all is well. */
export async function watchStatus() {
  for (;;) {
    last = await health();
    redrawStatus();
    const pause = last?.model_ready ? 15000 : 1000;
    await new Promise((resolve) => {
      setTimeout(resolve, pause);
      addEventListener("focus", resolve, { once: true });
    });
  }
}

/** Looks now, because a request just failed. */
export async function lookNow() {
  last = await health();
  redrawStatus();
}
