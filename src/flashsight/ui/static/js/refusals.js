// A refusal as a person reads it: what was wrong, the limit, the fix. Translates by the error's stable code.
import { hasWords, words } from "./words.js";
import { sizeText } from "./sizes.js";

const BY_STATUS = { 401: "invalid_api_key", 413: "body_too_large", 429: "overloaded", 503: "model_loading" };

function codeOf(error) {
  if (error.status === 0) return "gone";
  if (hasWords(`refused.${error.code}`)) return error.code;
  return BY_STATUS[error.status] ?? (error.status < 500 ? "invalid_request" : "internal_error");
}

/** The server's numbers in a sentence of ours: {0} as it stands, {0b} as a size in bytes. */
function filled(name, numbers) {
  const values = {};
  numbers.forEach((number, index) => {
    values[index] = number;
    values[`${index}b`] = sizeText(Number(number));
  });
  return words(name, values);
}

/** What stands under the head; the server's own sentence follows as detail unless it is all there is. */
function reasonOf(code, error, hasText) {
  if (code === "gone") return words(hasText ? "reason.gone.partly" : "reason.gone");
  const numbers = error.message.match(/\d+(\.\d+)?/g) ?? [];
  const exact = `reason.${code}.${numbers.length}`;
  if (hasWords(exact)) return filled(exact, numbers);
  return hasWords(`reason.${code}`) ? words(`reason.${code}`) : "";
}

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** {head, reason, detail, asksKey} of an ApiError; place {n, name} says which picture was at fault, if one was. */
export function troubleOf(error, { place = null, hasText = false } = {}) {
  const code = codeOf(error);
  const plain = words(`refused.${code}`);
  const head = place ? words("picture.named", { ...place, head: plain }) : plain;
  const reason = reasonOf(code, error, hasText);
  const theirs = sentence(error.message);
  return { head, reason: reason || theirs, detail: reason ? theirs : "", asksKey: code === "invalid_api_key" };
}
