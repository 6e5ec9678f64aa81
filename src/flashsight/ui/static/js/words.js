// The choice between the two languages, and the sentences in the chosen one. Touches only [data-w], [data-l] and [data-p] elements.
import { kept, keep } from "./keep.js";
import en from "./words/en.js";
import zh from "./words/zh.js";

const WORDS = { zh, en };
let language = kept("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!(language in WORDS)) language = "en";

export const currentLanguage = () => language;

/** True when the chosen language has a sentence of this name. */
export const hasWords = (name) => Object.hasOwn(WORDS[language], name);

/** The sentence `name` in the chosen language, {placeholders} filled from values. */
export function words(name, values = {}) {
  return WORDS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

/** Changes the language for good. */
export function chooseLanguage(next) {
  keep("language", next);
  applyLanguage(next);
}

/** Writes every fixed sentence of the document; the filled-in question follows only while nobody has edited it. */
export function applyLanguage(next = language) {
  const question = document.getElementById("question");
  const untouched = Object.values(WORDS).some((table) => table["question.first"] === question.value);
  language = next;
  document.documentElement.lang = next === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-w]")) element.textContent = words(element.dataset.w);
  for (const element of document.querySelectorAll("[data-p]")) element.placeholder = words(element.dataset.p);
  for (const element of document.querySelectorAll("[data-l]")) {
    element.setAttribute("aria-label", words(element.dataset.l));
    element.title = words(element.dataset.l);
  }
  document.getElementById("language").textContent = next === "zh" ? "EN" : "中文";
  if (untouched) question.value = words("question.first");
  document.documentElement.classList.remove("unworded");
}
