// An answer as a table: a row a field, with its margin where the run kept one.
import { light } from "./pictures.js";
import { words } from "./words.js";

const LOW = 0.3;

/** Writes an answer's fields into a table body. error: why there is none. */
export function writeFields(body, fields, error = null) {
  const hasMargins = fields.some(({ margin }) => typeof margin === "number");
  const rows = fields.map((field) => rowOf(field, hasMargins));
  if (error) rows.unshift(lineOf(words("no_answer.why", { why: error.message })));
  body.replaceChildren(...rows);
}

function cell(kind, text, className = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function rowOf({ name, value, margin }, hasMargins) {
  const row = document.createElement("tr");
  if (name !== null) {
    const head = cell("th", name);
    head.scope = "row";
    row.append(head);
  }
  row.append(cell("td", value === "" ? "—" : value)); // an empty list is an answer too
  if (hasMargins) row.append(marginOf(margin));
  row.addEventListener("pointerenter", () => light(name));
  row.addEventListener("pointerleave", () => light(null));
  return row;
}

function marginOf(margin) {
  if (typeof margin !== "number") return cell("td", "", "margin");
  const told = cell("td", margin.toFixed(2), margin < LOW ? "margin low" : "margin");
  told.title = words("margin", { n: margin.toFixed(2) });
  return told;
}

function lineOf(text) {
  const row = document.createElement("tr");
  row.append(cell("td", text));
  return row;
}
