// The rating page's sentences in the chosen language; the choice is the main page's. Touches [data-w], [data-l], [data-p].
import { kept, keep } from "/js/keep.js";
import en from "./words/en.js";
import zh from "./words/zh.js";

const WORDS = { zh, en };
let language = kept("language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!(language in WORDS)) language = "en";

export const currentLanguage = () => language;

/** The sentence `name`, {placeholders} filled from values. */
export const words = (name, values = {}) => WORDS[language][name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

/** A refusal of the server in words: by its code, its status, or as the server said it. */
export function refusalWords({ code, status, message }) {
  const name = [`error.${code}`, `error.${status}`].find((one) => one in WORDS[language]);
  return name ? words(name, { message }) : message;
}

/** Writes every fixed sentence; with `next`, in that language from now on. */
export function applyLanguage(next = null) {
  if (next) keep("language", (language = next));
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words("title");
  for (const element of document.querySelectorAll("[data-w]")) element.textContent = words(element.dataset.w);
  for (const element of document.querySelectorAll("[data-p]")) element.placeholder = words(element.dataset.p);
  for (const element of document.querySelectorAll("[data-l]")) {
    element.setAttribute("aria-label", words(element.dataset.l));
    element.title = words(element.dataset.l);
  }
  document.getElementById("language").textContent = language === "zh" ? "EN" : "中文";
  document.documentElement.classList.remove("unworded");
}
