// Ratings that the server has not confirmed yet. They outlive a reload, a closed tab and a server that is away.
import { keep, kept } from "/js/keep.js";

const unsent = new Map();
let name = "";

/** Reads what an earlier visit of this run could not deliver: pairs of place and rating. */
export function openUnsent(runId) {
  name = `unsent ${runId}`;
  try {
    for (const [place, rating] of JSON.parse(kept(name) ?? "[]")) unsent.set(place, rating);
  } catch {
    keep(name, null);
  }
  return [...unsent];
}

/** Keeps a rating until it is confirmed; null: it is, or it never will be. */
export function noteUnsent(place, rating) {
  if (rating === null) unsent.delete(place);
  else unsent.set(place, rating);
  keep(name, unsent.size ? JSON.stringify([...unsent]) : null);
}
