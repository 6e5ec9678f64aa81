// The server as the rating page sees it, and the random word that stands for whoever rates in this browser.
import { currentKey, keep, keepKey, kept } from "/js/keep.js";

const key = new URLSearchParams(location.hash.slice(1)).get("key");
if (key) {
  keepKey(key);
  history.replaceState(null, "", location.pathname + location.search);
}

function newRater() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

let rater = kept("rater");
if (!/^[0-9a-f]{16}$/.test(rater ?? "")) keep("rater", (rater = newRater()));

/** Grows with whatever is said, from visit to visit: what a page that is left still sends must not replace later words. */
function nextTurn() {
  const last = Number(kept("turn"));
  const turn = Math.max(Date.now(), Number.isSafeInteger(last + 1) ? last + 1 : 0);
  keep("turn", String(turn));
  return turn;
}

/** A refusal of the server, or a broken connection (status 0). */
export class Refusal extends Error {
  constructor(status, body) {
    super(body?.message ?? "");
    this.status = status;
    this.code = body?.code ?? "";
  }
}

async function ask(path, options = {}) {
  const headers = { ...(currentKey() ? { authorization: `Bearer ${currentKey()}` } : {}), ...(options.body ? { "content-type": "application/json" } : {}) };
  const response = await fetch(`/workbench/api/${path}`, { cache: "no-store", ...options, headers }).catch(() => null);
  if (!response) throw new Refusal(0);
  if (!response.ok) throw new Refusal(response.status, (await response.json().catch(() => ({}))).error);
  return response;
}

const read = async (path) => (await ask(path)).json();
const say = async (path, said) => (await ask(path, { method: "POST", keepalive: true, body: JSON.stringify({ rater, turn: nextTurn(), ...said }) })).json();

export const readRun = () => read("run");
export const readItems = async () => (await read(`items?rater=${rater}`)).items;
export const readPairs = async () => (await read(`pairs?rater=${rater}`)).pairs;
export const readPair = (place) => read(`pairs/${place}?rater=${rater}`);
export const readPreferred = () => read("preferred");
export const sendRating = async (place, said) => (await say("ratings", { place, ...said })).rating;
export const sendUndo = () => say("undo", {});
export const sendChoice = (place, side) => say("choices", { place, side });
export const readPicture = async (place, number) => (await ask(`pictures/${place}/${number}`, { cache: "default" })).blob();
