// The left column: pictures come in by drop, paste or choice, in order, and each says how far its upload is.
import { fileContent, lookAt } from "./api.js";
import { currentKey } from "./keep.js";
import { troubleOf } from "./refusals.js";
import { sizeText } from "./sizes.js";
import { countAsUploaded, endUpload, isStillThere, upload } from "./upload.js";
import { words } from "./words.js";

const pictures = [];
let nextId = 1;
let reading = Promise.resolve();
let describeTrouble = null;
let refusedId = null;
const element = (id) => document.getElementById(id);

/** The pictures in their order: {id, name, url (data URL), width, height, bytes}. */
export const currentPictures = () => [...pictures];

/** Resolves once every picture that came in so far has been read. */
export const picturesRead = () => reading;

/** Removes every picture, or those that `which` is true of. */
export function clearPictures(which = () => true) {
  const leaving = pictures.filter(which);
  pictures.splice(0, pictures.length, ...pictures.filter((picture) => !leaving.includes(picture)));
  leaving.forEach(release);
  draw();
}

/** The conversation that named these pictures is gone: the server forgets those that the list does not show either. */
export function letGo(asked) {
  for (const picture of new Set(asked)) {
    picture.isAsked = false;
    if (!pictures.includes(picture)) endUpload(picture);
  }
}

/** Marks the one picture that the server refused; null unmarks. */
export function markRefused(id) {
  refusedId = id;
  draw();
}

/** Connects the ways in. */
export function connectPictures() {
  const file = element("file");
  element("drop").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    addFiles([...file.files]);
    file.value = "";
  });
  // The paste event works on plain http LAN addresses, where navigator.clipboard does not exist.
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Word and Excel put a picture beside copied text; into a field people paste the text.
    const meansText = event.target.matches?.("textarea, input") && event.clipboardData.types.includes("text/plain");
    if (!files.length || meansText) return;
    event.preventDefault();
    addFiles(files);
  });
  connectDrag();
  element("by-url").addEventListener("submit", (event) => {
    event.preventDefault();
    addAfterOthers(() => addAddress(element("url").value));
  });
}

function connectDrag() {
  let depth = 0;
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  const show = (over) => {
    document.body.classList.toggle("dragging", over);
    sayDrop(over ? "drop.now" : null);
  };
  const handle = (name, act) => document.addEventListener(name, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    act(event);
  });
  handle("dragenter", () => show(++depth > 0));
  handle("dragleave", () => show((depth = Math.max(0, depth - 1)) > 0));
  handle("dragover", () => {});
  handle("drop", (event) => {
    depth = 0;
    show(false);
    addFiles([...event.dataTransfer.files]);
  });
}

/** What the drop zone says; null for what it says at rest. */
function sayDrop(name) {
  const title = element("drop-title");
  title.dataset.w = name ?? (pictures.length ? "drop.more" : "drop.title");
  title.textContent = words(title.dataset.w);
}

function addAfterOthers(add) {
  sayDrop("drop.reading");
  trouble(null);
  const before = reading;
  reading = (async () => {
    await before;
    await add();
    draw();
  })();
  return reading;
}

/** Adds files in their order. */
export const addFiles = (files) => addAfterOthers(async () => {
  for (const file of files) await addFile(file);
});

async function addFile(file) {
  const picture = await pictureOf(file, { id: nextId });
  if (!picture) {
    trouble(() => ({ head: words("local.unreadable_file"), reason: words("local.unreadable_file.fix", { name: file.name }) }));
    return;
  }
  nextId++;
  pictures.push(picture);
  upload(picture, sayProgress);
}

/** Says under the way in why something did not come in, now and after a change of language; null: nothing went wrong. */
function trouble(describe) {
  describeTrouble = describe;
  sayWhy(element("picture-trouble"), describe?.());
}

function sayWhy(why, told) {
  why.hidden = !told;
  if (!told) return;
  const head = document.createElement("strong");
  head.textContent = told.head;
  why.replaceChildren(head, ` ${told.reason}`);
}

/** The server answers again, maybe a new one: pictures that it does not have are sent once more. */
export async function sendMissing() {
  for (const picture of [...pictures]) {
    const isSettled = !["sending", "encoding", "refused"].includes(picture.upload.state);
    if (picture.file && isSettled && !(await isStillThere(picture))) upload(picture, sayProgress);
  }
}

/** The file as a picture, or null. A browser cannot show every kind that the server reads (HEIC). */
async function pictureOf(file, { id, name = file.name || `picture-${id}.png` }) {
  const shown = URL.createObjectURL(file);
  const url = await dataUrl(file);
  const size = url && file.size ? await naturalSize(shown) : null;
  if (!url || (!size && !(file.size && /\.(heic|heif)$/i.test(name)))) {
    URL.revokeObjectURL(shown);
    return null;
  }
  return dressed({ id, name, file, url, shown, bytes: file.size, ...size });
}

/** Gives a picture what it looks like in the list. */
function dressed(picture) {
  picture.figure = figureOf(picture);
  picture.progress = document.createElement("span");
  picture.progress.className = "progress";
  picture.why = document.createElement("p");
  picture.why.className = "why";
  picture.why.setAttribute("role", "alert");
  return picture;
}

/** A picture that the server fetches itself: the browser asks that address for nothing. */
async function addAddress(url) {
  try {
    const { width, height, bytes } = await lookAt(url, { key: currentKey() });
    const name = decodeURIComponent(new URL(url).pathname.split("/").pop()) || new URL(url).hostname;
    const picture = dressed({ id: nextId++, name, url, shown: null, width, height, bytes });
    countAsUploaded(picture, null);
    pictures.push(picture);
    element("by-url").reset();
  } catch (error) {
    trouble(() => troubleOf(error));
  }
}

/** A picture of an earlier visit, by what was kept of it; it fills in once the server has given back its bytes. */
export function bringBack({ id, name, width, height, bytes, fileId }) {
  nextId = Math.max(nextId, id + 1);
  const picture = { id, name, width, height, bytes, url: null, shown: null, isAsked: true };
  countAsUploaded(picture, fileId);
  return picture;
}

/** Puts pictures of an earlier visit into the list, as far as the server still has them. */
export const showAgain = (earlier) => addAfterOthers(async () => {
  for (const picture of earlier) {
    const content = picture.upload.fileId && (await fileContent(picture.upload.fileId, { key: currentKey() }));
    const found = content && (await pictureOf(content, picture));
    if (!found) continue;
    pictures.push(Object.assign(picture, found));
    await isStillThere(picture);
  }
});

function dataUrl(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => resolve(null);
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

/** Made once a picture, so that redrawing the list never makes pictures flicker. */
function figureOf(picture) {
  const figure = document.createElement("figure");
  if (picture.shown && picture.width) {
    const image = document.createElement("img");
    image.src = picture.shown;
    image.alt = picture.name;
    image.width = picture.width;
    image.height = picture.height;
    figure.append(image);
  } else {
    const plate = document.createElement("span");
    plate.className = "plate";
    plate.dataset.w = picture.shown ? "picture.plate" : "picture.remote";
    plate.textContent = words(plate.dataset.w);
    figure.append(plate);
  }
  return figure;
}

/** Changes words in place: a redrawn row would take the keyboard's place from whoever stands in it. */
function sayProgress({ progress, why, bytes, upload: { state, share, error } }) {
  progress.dataset.state = state;
  progress.textContent = state === "none" ? "" : words(`upload.${state}`, { done: sizeText(bytes * share), total: sizeText(bytes) });
  sayWhy(why, state === "refused" ? troubleOf(error) : null);
}

function draw() {
  pictures.forEach(sayProgress);
  element("pictures").replaceChildren(...pictures.map(rowOf));
  element("pictures").classList.toggle("many", pictures.length > 1);
  element("drop").classList.toggle("low", pictures.length > 0);
  sayDrop(null);
  sayWhy(element("picture-trouble"), describeTrouble?.());
}

function rowOf(picture, index) {
  const { name, width, height, bytes, figure, progress, why } = picture;
  const row = document.createElement("li");
  row.className = "picture";
  row.classList.toggle("refused", picture.id === refusedId);
  const line = document.createElement("div");
  line.className = "line";
  const size = width ? words("picture.size", { w: width, h: height, size: sizeText(bytes) }) : sizeText(bytes);
  line.append(captionOf(name, size, index, progress));
  if (index > 0) line.append(button("←", words("earlier", { name }), () => move(index)));
  line.append(button("×", words("remove", { name }), () => remove(picture)));
  row.append(figure, line, why);
  return row;
}

function captionOf(name, size, index, progress) {
  const caption = document.createElement("p");
  caption.className = "caption";
  caption.title = name;
  const first = document.createElement("span");
  first.className = "name";
  first.textContent = pictures.length > 1 ? `${index + 1} · ${name}` : name;
  const second = document.createElement("span");
  second.className = "size";
  const rest = document.createElement("span");
  rest.className = "rest";
  rest.textContent = size;
  second.append(progress, rest);
  caption.append(first, second);
  return caption;
}

function button(sign, label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "plain";
  made.textContent = sign;
  made.title = label;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function move(index) {
  pictures.splice(index - 1, 0, ...pictures.splice(index, 1));
  draw();
  element("pictures").children[index - 1].querySelector("button").focus();
}

function release(picture) {
  endUpload(picture);
  if (picture.shown) URL.revokeObjectURL(picture.shown);
}

function remove(picture) {
  pictures.splice(pictures.indexOf(picture), 1);
  release(picture);
  draw();
  element("drop").focus();
}

/** Draws the list again, after a change of language. */
export const redrawPictures = draw;
