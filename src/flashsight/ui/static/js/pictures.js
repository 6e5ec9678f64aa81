// The left column: pictures in (drop, paste, choose), their order, their thumbnails. Knows nothing of questions.
import { words } from "./words.js";

const pictures = [];
let nextId = 1;

/** The pictures in their order: {id, name, url (data URL), width, height, bytes}. */
export const currentPictures = () => [...pictures];

/** Removes every picture. */
export function clearPictures() {
  pictures.length = 0;
  draw();
}

/** Connects the drop zone, the file chooser and the paste event; calls onTrouble with a sentence. */
export function connectPictures({ onTrouble }) {
  const drop = document.getElementById("drop");
  const file = document.getElementById("file");
  drop.addEventListener("click", () => file.click());
  file.addEventListener("change", async () => {
    await addFiles(file.files, onTrouble);
    file.value = "";
  });
  // The paste event works on plain http LAN addresses, where navigator.clipboard does not exist.
  document.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      addFiles(event.clipboardData.files, onTrouble);
    }
  });
  connectDrag(drop, onTrouble);
}

function connectDrag(drop, onTrouble) {
  let depth = 0;
  const title = drop.querySelector("[data-w='drop.title']");
  const show = (over) => {
    document.body.classList.toggle("dragging", over);
    title.textContent = words(over ? "drop.now" : "drop.title");
  };
  document.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; show(true); });
  document.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) { depth = 0; show(false); } });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    show(false);
    addFiles(event.dataTransfer.files, onTrouble);
  });
}

async function addFiles(files, onTrouble) {
  for (const file of files) {
    const url = await dataUrl(file);
    const size = await naturalSize(url);
    // A browser cannot show every format the server reads (HEIC): such a file is sent all the same.
    if (!size && !/\.(heic|heif)$/i.test(file.name)) {
      onTrouble(words("error.unreadable_file", { name: file.name }));
      continue;
    }
    pictures.push({ id: nextId++, name: file.name || `picture-${nextId}.png`, url, bytes: file.size, ...size });
  }
  draw();
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function naturalSize(url) {
  return new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => resolve(null);
    image.src = url;
  });
}

const sizeText = (bytes) => (bytes < 1048576 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1048576).toFixed(1)} MB`);

function draw() {
  document.getElementById("pictures").replaceChildren(...pictures.map(item));
}

function item(picture, index) {
  const figure = document.createElement("figure");
  if (picture.width) {
    const image = document.createElement("img");
    image.src = picture.url;
    image.alt = picture.name;
    image.width = picture.width;
    image.height = picture.height;
    image.style.height = "auto";
    figure.append(image);
  }
  const line = document.createElement("div");
  line.className = "line";
  const name = document.createElement("span");
  name.className = "name";
  const size = picture.width ? words("picture.size", { w: picture.width, h: picture.height, size: sizeText(picture.bytes) }) : sizeText(picture.bytes);
  name.textContent = `${pictures.length > 1 ? words("picture.number", { n: index + 1 }) + " · " : ""}${picture.name} · ${size}`;
  line.append(name);
  if (index > 0) line.append(button("↑", words("earlier", { name: picture.name }), () => move(index)));
  line.append(button("×", words("remove", { name: picture.name }), () => remove(picture.id)));
  const row = document.createElement("li");
  row.className = "picture";
  row.append(figure, line);
  return row;
}

function button(sign, label, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = sign;
  element.setAttribute("aria-label", label);
  element.addEventListener("click", act);
  return element;
}

function move(index) {
  pictures.unshift(...pictures.splice(index, 1));
  draw();
}

function remove(id) {
  pictures.splice(pictures.findIndex((picture) => picture.id === id), 1);
  draw();
  document.getElementById("drop").focus();
}

/** Draws the list again, after a change of language. */
export const redrawPictures = draw;
