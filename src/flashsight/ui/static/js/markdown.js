// Streaming Markdown: finished blocks are rendered once, only the block being written is rendered again, once a frame.
import { marked } from "../vendor/marked.js";
import DOMPurify from "../vendor/purify.js";

marked.setOptions({ gfm: true, breaks: true });
// The answer may name addresses, but nothing it says may make the browser ask for one.
const CLEAN = { FORBID_TAGS: ["img", "video", "audio", "iframe", "style", "form", "input", "svg", "math", "picture", "source"], FORBID_ATTR: ["style", "src", "srcset"] };
DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") {
    node.setAttribute("rel", "noreferrer noopener");
    node.setAttribute("target", "_blank");
  }
});

const html = (text) => DOMPurify.sanitize(marked.parse(text), CLEAN);

/** Where the last finished block of text ends: the last blank line outside a code fence. */
function finishedLength(text) {
  let fenced = false;
  let end = 0;
  let at = 0;
  for (const line of text.split("\n")) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    at += line.length + 1;
    if (!fenced && line.trim() === "" && at <= text.length) end = at;
  }
  return end;
}

/** Writes a growing text into `element`. */
export class Writer {
  constructor(element) {
    this.element = element;
    this.clear();
  }

  clear() {
    this.text = "";
    this.done = 0;
    this.tail = document.createElement("div");
    this.element.replaceChildren(this.tail);
    this.pending = false;
  }

  add(piece) {
    this.text += piece;
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.pending = false;
    const end = this.done + finishedLength(this.text.slice(this.done));
    if (end > this.done) {
      const block = document.createElement("div");
      block.innerHTML = html(this.text.slice(this.done, end));
      this.element.insertBefore(block, this.tail);
      this.done = end;
    }
    this.tail.innerHTML = html(this.text.slice(this.done));
  }
}
