// Shows /openapi.json with Swagger UI. Where the server wants a key, it is asked for once and kept in memory only.
// Language and light are the page's own choices, kept in the same place.
const WORDS = {
  zh: { title: "API 文档", home: "回到页面", key: "这个服务要求 API 密钥", ok: "好", light: "切换明暗", language: "EN, switch to English", other: "EN" },
  en: { title: "API documentation", home: "To the page", key: "This server asks for an API key", ok: "Done", light: "Light or dark", language: "中文，切换到中文", other: "中文" },
};
const element = (id) => document.getElementById(id);
const root = document.documentElement;
let version = "";

function guarded(act) {
  try {
    return act();
  } catch {
    return null; // a browser that keeps nothing
  }
}

let language = guarded(() => localStorage.getItem("language")) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!(language in WORDS)) language = "en";

function say() {
  const words = WORDS[language];
  root.lang = language === "zh" ? "zh-CN" : "en";
  document.title = `FlashSight · ${words.title}`;
  element("status").textContent = [words.title, version].filter(Boolean).join(" · ");
  for (const one of document.querySelectorAll("[data-w]")) one.textContent = words[one.dataset.w];
  for (const id of ["language", "light"]) {
    element(id).setAttribute("aria-label", words[id]);
    element(id).title = words[id];
  }
  element("language").textContent = words.other;
  element("home").title = element("home").hasAttribute("href") ? words.home : "";
}

function keep(name, value) {
  guarded(() => localStorage.setItem(name, value));
}

element("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  keep("language", language);
  say();
});
element("light").addEventListener("click", () => {
  root.dataset.light = root.classList.contains("dark-mode") ? "light" : "dark";
  keep("light", root.dataset.light);
  root.dispatchEvent(new Event("light"));
});

async function show(key) {
  const answer = await fetch("/openapi.json", { headers: key ? { Authorization: `Bearer ${key}` } : {} });
  element("key").hidden = answer.ok;
  if (!answer.ok) {
    const { error } = await answer.json();
    element("refusal").textContent = error.message;
    element("value").focus();
    return;
  }
  const spec = await answer.json();
  version = spec.info.version;
  say();
  const ui = SwaggerUIBundle({
    spec,
    dom_id: "#swagger",
    validatorUrl: null,
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    onComplete: () => key && ui.preauthorizeApiKey("key", key),
  });
}

element("key").addEventListener("submit", (event) => {
  event.preventDefault();
  show(element("value").value);
});
say();
show("");
// A server may have this documentation and no page.
fetch("/", { method: "HEAD" }).then((answer) => {
  if (!answer.ok) return;
  element("home").href = "/";
  say();
});
