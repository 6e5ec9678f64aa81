// How sure the model was of an answer: the mean probability of its tokens, and the word where it was least sure.
const NAMED_BELOW = 0.9;
const HAS_LETTERS = /[\p{L}\p{N}]/u;

/** What is known before the first token; plain, so that it can be kept. Places are bytes of the answer in UTF-8. */
export const nothingKnown = () => ({ num: 0, total: 0, length: 0, least: null });

/** Takes in the tokens that came with a piece of the answer. */
export function learn(sure, tokens) {
  for (const { token, bytes, logprob } of tokens) {
    sure.num += 1;
    sure.total += logprob;
    // Of a comma or half a character nobody wants to know.
    if (HAS_LETTERS.test(token) && (sure.least === null || logprob < sure.least.logprob)) sure.least = { logprob, at: sure.length };
    sure.length += bytes.length;
  }
}

/** A share never shown as more than it is: 0.999 is 99. */
const percent = (logprob) => Math.floor(100 * Math.exp(logprob));

function wordAt(text, byte) {
  const before = new TextDecoder().decode(new TextEncoder().encode(text).slice(0, byte)).length;
  // A token of an alphabet begins with the space before its word.
  const at = before + text.slice(before).search(HAS_LETTERS);
  if (!("Segmenter" in Intl)) return [...text.slice(at)][0];
  return new Intl.Segmenter(undefined, { granularity: "word" }).segment(text).containing(at)?.segment ?? "";
}

/** {mean, word, least} in per cent, null where no probabilities came; word is null where the model was sure of all. */
export function surenessOf({ sure, text }) {
  if (!sure?.num || !text) return null;
  const mean = percent(sure.total / sure.num);
  if (sure.least === null || Math.exp(sure.least.logprob) >= NAMED_BELOW) return { mean, word: null, least: null };
  return { mean, word: wordAt(text, sure.least.at), least: percent(sure.least.logprob) };
}
