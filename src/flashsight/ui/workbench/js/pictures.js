// The pictures of the item on show, with the boxes that its answer names. Holds few of them in memory.
import { readPicture } from "./server.js";
import { refusalWords, words } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST_KEPT = 12;
const urls = new Map();
let shownPlace = null;

async function urlOf(place, number) {
  const name = `${place}/${number}`;
  if (!urls.has(name)) {
    urls.set(name, readPicture(place, number).then((blob) => URL.createObjectURL(blob)));
    urls.get(name).catch(() => urls.delete(name));
    if (urls.size > MOST_KEPT) {
      const [oldest, url] = urls.entries().next().value;
      urls.delete(oldest);
      url.then(URL.revokeObjectURL, () => {});
    }
  }
  return urls.get(name);
}

/** Reads an item's first picture ahead of time. */
export const foresee = (item) => item?.names.length && urlOf(item.place, 0).catch(() => {});

/** Shows an item's pictures; a picture that comes late for another item is not shown. */
export function showPictures(item) {
  shownPlace = item.place;
  document.getElementById("pictures").replaceChildren(...item.names.map((name, number) => figureOf(item, name, number)));
}

function figureOf(item, name, number) {
  const figure = document.createElement("figure");
  const plate = document.createElement("p");
  plate.className = "plate";
  plate.textContent = words("picture.loading");
  figure.append(plate);
  urlOf(item.place, number).then(
    (url) => item.place === shownPlace && figure.replaceChildren(imageOf(url, name, figure, item.boxes.filter((box) => box.picture === number))),
    (refusal) => { plate.textContent = refusalWords(refusal); },
  );
  return figure;
}

function imageOf(url, name, figure, boxes) {
  const image = document.createElement("img");
  image.alt = words("picture.named", { name });
  image.addEventListener("load", () => { if (boxes.length) figure.append(overlay(image, boxes)); });
  image.src = url;
  return image;
}

/** Boxes are in pixels of the turned picture, which is what the browser calls its natural size. */
function overlay(image, boxes) {
  const made = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const { naturalWidth: width, naturalHeight: height } = image;
  const drawn = made("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const size = Math.max(width, height) / 32;
  for (const { left, top, right, bottom, label } of boxes) {
    const group = made("g", { "data-label": label ?? "" });
    group.append(made("rect", { x: left, y: top, width: right - left, height: bottom - top }));
    if (label) {
      const text = made("text", { x: left + size / 4, y: Math.max(top, 0) + size, "font-size": size, "stroke-width": size / 5 });
      text.textContent = label;
      group.append(text);
    }
    drawn.append(group);
  }
  return drawn;
}

/** Lights the boxes of one field up; null lights none. */
export function light(name) {
  for (const group of document.querySelectorAll("#pictures g")) group.classList.toggle("lit", name !== null && group.dataset.label === name);
}
