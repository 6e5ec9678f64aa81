// The keyboard: Ctrl or ⌘ with Enter asks, Escape stops, and one letter does the rest while nobody types.
import { currentSettings } from "./settings.js";

const element = (id) => document.getElementById(id);
const BY_LETTER = { l: "language", d: "light", n: "fresh", u: "drop", r: "retry", c: "copy", b: "boxes-toggle", "?": "open-keys" };

const isTyping = (target) => target.matches?.("textarea, select, input:not([type=checkbox])");
const isBeside = () => document.querySelector("dialog[open], [popover]:popover-open") !== null;

function pressLetter(event) {
  const letter = event.key.toLowerCase();
  // It takes the conversation away: not by a slip of the finger.
  if (letter === "n" && !event.shiftKey) return;
  if (letter === "q") element("question").focus();
  else if (Object.hasOwn(BY_LETTER, letter)) element(BY_LETTER[letter])?.click();
  else return;
  event.preventDefault();
}

/** Calls onAsk and onStop. */
export function connectKeys({ onAsk, onStop }) {
  document.addEventListener("keydown", (event) => {
    if (isBeside()) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      onAsk();
    } else if (event.key === "Escape") onStop();
    else if (!event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target) && currentSettings().keys) pressLetter(event);
  });
  element("open-keys").addEventListener("click", () => element("keys").showModal());
  if (!/Mac|iPhone|iPad/.test(navigator.userAgent)) return;
  for (const key of document.querySelectorAll(".ask-key")) key.textContent = "⌘ ↵";
}
