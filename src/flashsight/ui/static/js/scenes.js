// The scene chips under the question: a pressed one has filled in its prompt, and lends requests its schema and sampling.
import { presets } from "./api.js";
import { currentKey, keep, kept } from "./keep.js";
import { isBuiltIn } from "./status.js";
import { currentLanguage, words } from "./words.js";

// Example pictures of the package's scenes; where a picture is mostly text there is one for each language.
const EXAMPLES = {
  ticket: { zh: ["ticket-zh.png"], en: ["ticket-en.png"] },
  homework: ["homework.png"],
  inspection: ["inspection.png"],
  product: { zh: ["product-zh.png"], en: ["product-en.png"] },
  safety: ["safety.png"],
  screen: { zh: ["screen-zh.png"], en: ["screen-en.png"] },
  difference: ["difference-1.png", "difference-2.png"],
  moderation: ["moderation.png"],
};
const OF_NO_SCENE = "product";
const LEARNT = ["ticket", "product", "screen", "difference"]; // by the model inside the package, see its card

const element = (id) => document.getElementById(id);
let scenes = [];
let fill = () => {};
let bring = () => {};

/** The scene whose chip is pressed, or null. */
export const currentScene = () => scenes.find((scene) => scene.name === kept("scene")) ?? null;

/** What a request gains from a scene; `settings` go first. */
export function lentBy(scene, settings) {
  if (!scene) return {};
  const { temperature = 0, top_p, max_tokens } = scene.sampling;
  return {
    temperature: settings.temperature || temperature,
    ...(top_p ? { top_p } : {}),
    ...(settings.length || !max_tokens ? {} : { max_tokens }),
    ...(scene.schema ? { response_format: { type: "json_schema", json_schema: { name: scene.name, schema: scene.schema } } } : {}),
  };
}

/** Presses no chip; the question stays as it is. */
export function leaveScene() {
  keep("scene", null);
  draw();
}

function toggle(scene) {
  if (currentScene() === scene) return leaveScene();
  keep("scene", scene.name);
  draw();
  fill(scene.prompt[currentLanguage()]);
}

function examplesNow() {
  const found = EXAMPLES[currentScene()?.name ?? OF_NO_SCENE];
  return found?.[currentLanguage()] ?? found ?? null;
}

async function showExample() {
  const names = examplesNow();
  const files = await Promise.all(names.map(async (name) => new File([await (await fetch(`examples/${name}`)).blob()], name, { type: "image/png" })));
  bring(files, (picture) => isExample(picture.name));
}

const isExample = (name) => Object.values(EXAMPLES).flatMap((found) => (Array.isArray(found) ? found : Object.values(found).flat())).includes(name);

function hintOf(scene, language) {
  if (!scene) return words("scenes.none");
  return isBuiltIn() && !LEARNT.includes(scene.name) ? words("scenes.unlearnt", { hint: scene.hint[language] }) : scene.hint[language];
}

function draw() {
  const language = currentLanguage();
  element("scene-hint").textContent = hintOf(currentScene(), language);
  element("example").hidden = examplesNow() === null;
  for (const [index, button] of [...element("scenes").children].entries()) {
    button.textContent = scenes[index].title[language];
    button.title = scenes[index].hint[language];
    button.setAttribute("aria-pressed", String(scenes[index] === currentScene()));
  }
}

/** Writes the chips again in the chosen language; a prompt that nobody has edited follows. */
export function redrawScenes() {
  draw();
  const prompt = currentScene()?.prompt;
  if (prompt && Object.values(prompt).includes(element("question").value)) fill(prompt[currentLanguage()]);
}

/** Asks the server for its scenes: at the start, and again when a key was given. */
export async function loadScenes() {
  scenes = await presets({ key: currentKey() });
  element("scenes").hidden = scenes.length === 0;
  element("scenes").replaceChildren(...scenes.map((scene) => {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => toggle(scene));
    return button;
  }));
  draw();
}

/** Calls onFill(text) with the question of a chip that is pressed, onExample(files, isEarlier) with its pictures. */
export function connectScenes({ onFill, onExample }) {
  fill = onFill;
  bring = onExample;
  element("example").addEventListener("click", showExample);
  loadScenes();
}
