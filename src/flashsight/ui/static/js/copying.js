// Copies a text to the clipboard and says so on the button.
import { words } from "./words.js";

/** Copies and says so on the button. */
export async function copyText(text, button) {
  const ok = await write(text);
  button.textContent = words(ok ? "copied" : "copy.failed");
  setTimeout(() => (button.textContent = words(button.dataset.w)), 1500);
}

async function write(text) {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Refused by the browser: the old way may still work.
  }
  // navigator.clipboard is missing on plain http addresses; a selected, copied field works there.
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const ok = document.execCommand("copy");
  field.remove();
  return ok;
}
