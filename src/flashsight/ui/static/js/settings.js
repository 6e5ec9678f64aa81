// What this browser keeps: settings, light, key. Local only; "forget" removes all of it.
import { applyLanguage, currentLanguage } from "./words.js";

const FIELDS = { temperature: "set-temperature", length: "set-length", thinking: "set-thinking" };
const element = (id) => document.getElementById(id);
const read = (input) => (input.type === "checkbox" ? input.checked : Number(input.value));

/** {temperature, length, thinking} as set. */
export const currentSettings = () => Object.fromEntries(Object.entries(FIELDS).map(([name, id]) => [name, read(element(id))]));

/** The API key, for this tab only. */
export const currentKey = () => sessionStorage.getItem("key") ?? "";

function restore() {
  const kept = JSON.parse(localStorage.getItem("settings") ?? "{}");
  for (const [name, id] of Object.entries(FIELDS)) {
    if (!(name in kept)) continue;
    if (element(id).type === "checkbox") element(id).checked = kept[name];
    else element(id).value = kept[name];
  }
  // An address printed at start may carry the key behind #, which never reaches a server's log.
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key) {
    sessionStorage.setItem("key", key);
    history.replaceState(null, "", location.pathname + location.search);
  }
  element("set-key").value = currentKey();
}

function applyLight(light) {
  document.documentElement.dataset.light = light;
}

/** Connects the settings dialog and the buttons for language and light; calls onLanguage after a change of language. */
export function connectSettings({ onLanguage }) {
  restore();
  const dark = matchMedia("(prefers-color-scheme: dark)");
  applyLight(localStorage.getItem("light") ?? (dark.matches ? "dark" : "light"));
  dark.addEventListener("change", () => localStorage.getItem("light") ?? applyLight(dark.matches ? "dark" : "light"));
  element("light").addEventListener("click", () => {
    const next = document.documentElement.dataset.light === "dark" ? "light" : "dark";
    localStorage.setItem("light", next);
    applyLight(next);
  });
  element("language").addEventListener("click", () => {
    applyLanguage(currentLanguage() === "zh" ? "en" : "zh");
    onLanguage();
  });
  element("open-settings").addEventListener("click", () => element("settings").showModal());
  element("settings").addEventListener("close", () => {
    localStorage.setItem("settings", JSON.stringify(currentSettings()));
    sessionStorage.setItem("key", element("set-key").value.trim());
  });
  element("forget").addEventListener("click", () => {
    localStorage.clear();
    sessionStorage.clear();
    location.reload();
  });
}
