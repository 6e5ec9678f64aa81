// A JSON answer as a table: objects by field, lists of like objects by row, whatever is nested inside its cell.
import { words } from "./words.js";

const DEEPEST = 6;
const WIDEST = 8;

/** The object or list that an answer is, fenced or plain; undefined for any other text. */
export function valueOf(text) {
  const fenced = /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(text);
  try {
    const value = JSON.parse(fenced ? fenced[1] : text);
    return value !== null && typeof value === "object" ? value : undefined;
  } catch {
    return undefined;
  }
}

function made(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

function header(text, scope) {
  const cell = made("th", text);
  cell.scope = scope;
  return cell;
}

function quiet(text) {
  const element = made("span", text);
  element.className = "quiet";
  return element;
}

const isRecord = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The columns of a list whose members are all objects with few fields; null for any other list. */
function columnsOf(list) {
  if (!list.every(isRecord)) return null;
  const columns = [...new Set(list.flatMap((one) => Object.keys(one)))];
  return columns.length && columns.length <= WIDEST ? columns : null;
}

function listOf(list, depth) {
  if (!list.length) return quiet(words("table.nothing"));
  const columns = columnsOf(list);
  if (!columns) {
    // Corners of a box and the like read better in one line.
    if (list.every((one) => typeof one === "number")) return made("code", `[${list.join(", ")}]`);
    return made("ol", ...list.map((one) => made("li", cellOf(one, depth + 1))));
  }
  const rows = list.map((one) => made("tr", ...columns.map((column) => made("td", column in one ? cellOf(one[column], depth + 1) : ""))));
  return made("table", made("thead", made("tr", ...columns.map((column) => header(column, "col")))), made("tbody", ...rows));
}

function recordOf(record, depth) {
  const fields = Object.entries(record);
  if (!fields.length) return quiet(words("table.nothing"));
  return made("table", made("tbody", ...fields.map(([name, value]) => made("tr", header(name, "row"), made("td", cellOf(value, depth + 1))))));
}

function cellOf(value, depth) {
  if (value === null) return quiet("null");
  if (typeof value !== "object") return typeof value === "string" ? value : made("code", String(value));
  if (depth > DEEPEST) return made("code", JSON.stringify(value));
  return Array.isArray(value) ? listOf(value, depth) : recordOf(value, depth);
}

/** The value as an element. Every text in it is text. */
export function tableOf(value) {
  const element = made("div", cellOf(value, 0));
  element.className = "sheet";
  return element;
}
