// The scene chips under the question: a pressed one has filled in its prompt, and lends requests its schema and sampling.
import { presets } from "./api.js";
import { currentKey, keep, kept } from "./keep.js";
import { currentLanguage } from "./words.js";

const element = (id) => document.getElementById(id);
let scenes = [];
let fill = () => {};

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

function draw() {
  const language = currentLanguage();
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

/** Calls onFill(text) with the question of a chip that is pressed. */
export function connectScenes({ onFill }) {
  fill = onFill;
  loadScenes();
}
