// What this browser keeps. A browser that keeps nothing (private windows, blocked storage) must not break the page.

function guarded(act) {
  try {
    return act();
  } catch {
    return null;
  }
}

// What storage refuses (blocked, full) is remembered until the page is left.
const memory = new Map();

/** The text kept under a name, or null. */
export const kept = (name) => (memory.has(name) ? memory.get(name) : guarded(() => localStorage.getItem(name)));

/** Keeps a text across reloads; null forgets it. */
export function keep(name, value) {
  memory.set(name, value);
  // Where there is no room for the new text, the old one must not come back in its place.
  guarded(() => localStorage.removeItem(name));
  if (value !== null) guarded(() => localStorage.setItem(name, value));
}

let key = guarded(() => sessionStorage.getItem("key")) ?? "";

/** The API key, for this tab only. */
export const currentKey = () => key;

export function keepKey(value) {
  key = value;
  guarded(() => sessionStorage.setItem("key", value));
}

/** Removes everything that the page ever kept. */
export function forgetAll() {
  key = "";
  memory.clear();
  guarded(() => localStorage.clear());
  guarded(() => sessionStorage.clear());
}
