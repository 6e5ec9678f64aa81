// Settings, light and language as chosen here. Local only; "forget" removes all of it.
import { currentKey, forgetAll, keep, keepKey, kept } from "./keep.js";
import { chooseLanguage, currentLanguage } from "./words.js";

const FIELDS = { temperature: "set-temperature", length: "set-length", thinking: "set-thinking", detail: "set-detail", keys: "set-keys" };
const element = (id) => document.getElementById(id);

/** An empty or impossible number counts as the one that stood there first. */
function read(input) {
  if (input.type === "checkbox") return input.checked;
  const text = input.checkValidity() ? input.value : input.defaultValue;
  return text === "" ? null : Number(text);
}

/**
 * {temperature, length (null: what the context leaves), thinking, detail (very large pictures are read in tiles too), keys (letters
 * act)} as set.
 */
export const currentSettings = () => Object.fromEntries(Object.entries(FIELDS).map(([name, id]) => [name, read(element(id))]));

/** Whatever else stands there (another version's, a person's own) counts as nothing. */
function keptSettings() {
  try {
    return Object(JSON.parse(kept("settings")));
  } catch {
    return {};
  }
}

function restore() {
  const settings = keptSettings();
  for (const [name, id] of Object.entries(FIELDS)) {
    if (!(name in settings)) continue;
    if (element(id).type === "checkbox") element(id).checked = settings[name] === true;
    else element(id).value = settings[name] ?? "";
  }
  // An address printed at start may carry the key behind #, which never reaches a server's log.
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!key) return;
  keepKey(key);
  history.replaceState(null, "", location.pathname + location.search);
}

let keyWhenOpened = "";

/** Opens the dialog, at the field of the key if that is what is missing. */
export function openSettings({ atKey = false } = {}) {
  keyWhenOpened = currentKey();
  element("set-key").value = keyWhenOpened;
  element("settings").showModal();
  if (atKey) element("set-key").focus();
}

function connectDialog({ onNewKey, onForget }) {
  element("open-settings").addEventListener("click", () => openSettings());
  // A field is kept as soon as it is left: "close" comes a moment after the dialog, too late for a page that is left at once.
  const keepFields = () => {
    keep("settings", JSON.stringify(currentSettings()));
    keepKey(element("set-key").value.trim());
  };
  element("settings").addEventListener("change", keepFields);
  element("settings").addEventListener("close", () => {
    keepFields();
    if (currentKey() !== keyWhenOpened) onNewKey();
  });
  element("forget").addEventListener("click", () => {
    onForget();
    forgetAll();
    location.reload();
  });
}

function connectLight() {
  element("light").addEventListener("click", () => {
    const root = document.documentElement;
    const now = root.dataset.light ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.light = now === "dark" ? "light" : "dark";
    keep("light", root.dataset.light);
  });
}

/** Connects the dialog and the buttons for language and light. */
export function connectSettings({ onLanguage, onNewKey, onForget }) {
  restore();
  connectDialog({ onNewKey, onForget });
  connectLight();
  element("language").addEventListener("click", () => {
    chooseLanguage(currentLanguage() === "zh" ? "en" : "zh");
    onLanguage();
  });
}
