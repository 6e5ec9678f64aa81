// Copies an answer, or a request as a command that a shell runs as it stands. Sends nothing.
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

/** The request as a curl command; pictures become files named by the reader, because a data URL fits no command line. */
export function asCurl(body, { origin, hasKey }) {
  let number = 0;
  const MARK = "picture-goes-here-";
  const named = structuredClone(body);
  for (const message of named.messages) {
    if (typeof message.content === "string") continue;
    for (const part of message.content) if (part.type === "image_url") part.image_url = { url: `${MARK}${++number}` };
  }
  // Inside the here-document a shell reads $, ` and \, and whatever the question says must not be run.
  const json = JSON.stringify(named, null, 2).replace(/[\\$`]/g, "\\$&");
  const whole = json.replace(new RegExp(`"url": "${MARK}(\\d+)"`, "g"), (_, n) => `"url": "data:image/jpeg;base64,$(base64 < picture${n}.jpg | tr -d '\\n')"`);
  const key = hasKey ? " \\\n  -H \"Authorization: Bearer $FLASHSIGHT_API_KEY\"" : "";
  return `curl ${origin}/v1/chat/completions -H 'Content-Type: application/json'${key} -d @- <<FLASHSIGHT_JSON\n${whole}\nFLASHSIGHT_JSON\n`;
}
