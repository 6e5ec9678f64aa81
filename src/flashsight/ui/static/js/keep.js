// What this browser keeps. A browser that keeps nothing (private windows, blocked storage) must not break the page.

function guarded(act) {
  try {
    return act();
  } catch {
    return null;
  }
}

/** The text kept under a name, or null. */
export const kept = (name) => guarded(() => localStorage.getItem(name));

/** Keeps a text across reloads; null forgets it. */
export const keep = (name, value) => guarded(() => (value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value)));

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
  guarded(() => localStorage.clear());
  guarded(() => sessionStorage.clear());
}
