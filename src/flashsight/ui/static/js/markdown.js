// Streaming Markdown: finished blocks are rendered once, only the block being written is rendered again, once a frame.
import { marked } from "../vendor/marked.js";
import DOMPurify from "../vendor/purify.js";

const escaped = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

marked.use({
  gfm: true,
  breaks: true,
  renderer: {
    // HTML in an answer is something the answer says: it is shown, never obeyed. Tables need <br>.
    html: ({ text }) => (/^<br\s*\/?>$/i.test(text.trim()) ? "<br>" : escaped(text)),
    // Nothing an answer says may make the browser ask for anything: a picture becomes a link that a person may follow.
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

// No id, name or class either: an answer must not pass for a part of the page.
const CLEAN = {
  ALLOWED_TAGS: ["a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"],
  ALLOWED_ATTR: ["align", "href", "start", "title"],
  ALLOWED_URI_REGEXP: /^(?:https?|mailto):/i,
  ADD_URI_SAFE_ATTR: ["align", "start", "title"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
};
DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("rel", "noreferrer noopener");
  node.setAttribute("target", "_blank");
});

const html = (text) => DOMPurify.sanitize(marked.parse(text), CLEAN);

/** Where the last finished block of text ends: the last blank line outside a fence that an unindented line follows. */
function finishedLength(text) {
  let fence = "";
  let blankEnd = 0;
  let end = 0;
  let at = 0;
  for (const line of text.split("\n")) {
    const isIndented = /^\s/.test(line);
    if (!fence && blankEnd && line && !isIndented) [end, blankEnd] = [blankEnd, 0];
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1];
    if (mark && !fence) fence = mark;
    else if (mark && mark.startsWith(fence)) fence = "";
    at += line.length + 1;
    if (!fence) blankEnd = line.trim() === "" ? at : 0;
  }
  return end;
}

// JSON that is being written is no Markdown: its signs stay as they are.
const JSON_BEGINS = /^\s*(\{|\[\s*[[{"\d-])/;
const SHARE = 3;

/** Writes a growing text into `box`, and keeps its end in view for whoever had it in view. */
export class Writer {
  constructor(box) {
    this.box = box;
    this.clear();
  }

  clear() {
    this.text = "";
    this.done = 0;
    this.tail = document.createElement("div");
    this.box.replaceChildren(this.tail);
    this.pending = false;
    this.restUntil = 0;
  }

  /** Drawing takes at most a quarter of the time, however long the block that is being written has become. */
  add(piece) {
    this.text += piece;
    if (this.pending) return;
    this.pending = true;
    const rest = this.restUntil - performance.now();
    const draw = () => requestAnimationFrame(() => this.draw());
    if (rest > 0) setTimeout(draw, rest);
    else draw();
  }

  /** Writes a finished text at once and shows its beginning. */
  show(text) {
    this.clear();
    this.text = text;
    this.pending = true;
    this.draw();
    this.box.scrollTop = 0;
  }

  draw() {
    if (!this.pending) return;
    this.pending = false;
    const began = performance.now();
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 48;
    if (JSON_BEGINS.test(this.text)) this.drawPlain();
    else this.drawBlocks();
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight;
    const now = performance.now();
    this.restUntil = now + SHARE * (now - began);
  }

  drawPlain() {
    this.tail.className = "raw";
    this.tail.append(this.text.slice(this.done));
    this.done = this.text.length;
  }

  drawBlocks() {
    const end = this.done + finishedLength(this.text.slice(this.done));
    if (end > this.done) {
      // The block that was being written stays the same element, so that nothing on view changes its place.
      this.tail.innerHTML = html(this.text.slice(this.done, end));
      this.tail = this.box.appendChild(document.createElement("div"));
      this.done = end;
    }
    this.tail.innerHTML = html(this.text.slice(this.done));
  }
}
