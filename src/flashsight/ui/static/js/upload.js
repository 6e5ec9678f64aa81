// Sends a picture as soon as it comes in, so that the server has read it before the question, and tells how far it is.
// Where a server takes no files, or takes them no more, the picture goes with the question instead.
import { fileState, forgetFile, sendFile } from "./api.js";
import { currentKey } from "./keep.js";

const POLL_MS = 200;
const PATIENCE_MS = 120_000;

/** Begins to send; picture.upload is {state, percent, fileId}, and onChange is called whenever it has changed. */
export function upload(picture, file, onChange) {
  const leaving = new AbortController();
  const change = (fields) => {
    Object.assign(picture.upload, fields);
    onChange(picture);
  };
  picture.upload = { state: "sending", percent: 0, fileId: null, change, leave: () => leaving.abort() };
  const sending = sendFile(file, picture.name, { key: currentKey(), signal: leaving.signal, onPercent: (percent) => change({ percent }) });
  picture.uploaded = sending.then(
    (made) => {
      change({ state: "encoding", fileId: made.id });
      follow(made, leaving.signal, change);
    },
    () => change({ state: "none" }),
  );
}

async function follow(made, signal, change) {
  const giveUpAt = Date.now() + PATIENCE_MS;
  let status = made.status;
  while (status === "uploaded" && Date.now() < giveUpAt && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    status = (await fileState(made.id, { key: currentKey() }))?.status ?? "gone";
  }
  change({ state: status === "processed" ? "ready" : "none" });
}

/** How a question names the picture; the server knows no file of the last name and says so. */
export const referenceOf = (picture) => picture.upload?.fileId ?? picture.url ?? "file-lost";

/** A picture that the server has already, or that it will fetch itself. */
export function countAsUploaded(picture, fileId) {
  const change = (fields) => Object.assign(picture.upload, fields);
  picture.upload = { state: fileId ? "ready" : "none", percent: 100, fileId, change, leave: () => {} };
  picture.uploaded = Promise.resolve();
}

/** Resolves once all of them are sent, or cannot be; rejects when the signal aborts. */
export function uploadsDone(pictures, signal) {
  const left = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
  return Promise.race([Promise.all(pictures.map((picture) => picture.uploaded)), left]);
}

/** The server has lost what it was sent: name these pictures by their bytes. False if none was named otherwise. */
export function forgetUploads(pictures) {
  const lost = pictures.filter((picture) => picture.upload?.fileId);
  lost.forEach((picture) => picture.upload.change({ state: "none", fileId: null }));
  return lost.length > 0;
}

/** The picture is gone from the page: the server need not keep it, unless a question has named it. */
export function endUpload(picture) {
  picture.upload?.leave();
  if (picture.upload?.fileId && !picture.isAsked) forgetFile(picture.upload.fileId, { key: currentKey() });
}
