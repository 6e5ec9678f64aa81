// The conversation as a file to keep: Markdown to read, JSON to work with. Pictures are named, never included.
import { surenessOf } from "./sureness.js";

const pictureOf = ({ name, width, height, bytes }) => ({ name, width, height, bytes });

/** The implicit label of AI-generated content, as GB 45438-2025 lays it out; whoever publishes fills in the rest. */
function labelOf(model, at) {
  const producer = `FlashSight${model ? ` / ${model}` : ""}`;
  return { Label: "1", ContentProducer: producer, ProduceID: at, ReservedCode1: "", ContentPropagator: "", PropagateID: "", ReservedCode2: "" };
}

/** For reading. */
export function asMarkdown(turns, { model, words }) {
  const now = new Date();
  const implicit = JSON.stringify(labelOf(model, now.toISOString())).replaceAll("-->", "-- >");
  const parts = [`<!-- AIGC: ${implicit} -->`, `# FlashSight\n\n${now.toLocaleString()}${model ? ` · ${model}` : ""}\n\n> ${words("save.label")}`];
  for (const { question, pictures, text, reasoning } of turns) {
    const names = pictures.map(({ name }) => `- ${name}`).join("\n");
    const thought = reasoning ? `\n\n> ${reasoning.trim().replaceAll("\n", "\n> ")}` : "";
    parts.push(`## ${words("head.question")}\n\n${question}${names ? `\n\n${names}` : ""}`, `## ${words("head.answer")}${thought}\n\n${text}`);
  }
  return `${parts.join("\n\n")}\n`;
}

/** For programs. */
export function asJson(turns, { model }) {
  const told = turns.map(({ question, pictures, text, reasoning, boxes, finish, usage, timings, sure }) => ({
    question, pictures: pictures.map(pictureOf), answer: text, reasoning: reasoning || null, boxes: boxes ?? [], finish_reason: finish, usage, timings, sureness: surenessOf({ sure, text }),
  }));
  const at = new Date().toISOString();
  return `${JSON.stringify({ model, saved_at: at, AIGC: labelOf(model, at), turns: told }, null, 2)}\n`;
}

/** Hands the text to the browser as a file. */
export function save(text, kind, extension) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: kind }));
  link.download = `flashsight-${new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${extension}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
