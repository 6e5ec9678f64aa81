// Sends a picture as soon as it comes in, so that the server has read it before the question, and tells how far it is.
// Where a server takes no files, or takes them no more, the picture goes with the question instead.
import { ApiError, fileState, forgetFile, sendFile } from "./api.js";
import { currentKey } from "./keep.js";

const POLL_MS = 200;
const PATIENCE_MS = 120_000;

// What is wrong with the picture itself. Everything else (no files kept, no room, no key) the question may still overcome.
const isRefusal = ({ status, code }) => status === 413 || (status === 400 && /^image_|^invalid_image$/.test(code));

/**
 * Begins to send picture.file; picture.upload is {state, share, fileId, error}, and onChange is called whenever it has changed.
 * States: sending, encoding, ready (read ahead), kept (on the server, not read ahead), refused, none (goes with the question).
 */
export function upload(picture, onChange) {
  const leaving = new AbortController();
  const change = (fields) => {
    Object.assign(picture.upload, fields);
    onChange(picture);
  };
  picture.upload = { state: "sending", share: 0, fileId: null, error: null, change, leave: () => leaving.abort() };
  const sending = sendFile(picture.file, picture.name, { key: currentKey(), signal: leaving.signal, onShare: (share) => change({ share }) });
  picture.uploaded = sending.then(
    (made) => {
      change({ state: "encoding", fileId: made.id });
      follow(made, leaving.signal, change);
    },
    (error) => change(isRefusal(error) ? { state: "refused", error } : { state: "none" }),
  );
}

async function follow(made, signal, change) {
  const giveUpAt = Date.now() + PATIENCE_MS;
  let seen = made;
  while (seen?.status === "uploaded" && Date.now() < giveUpAt && !signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    seen = await fileState(made.id, { key: currentKey() });
  }
  change(stateOf(seen));
}

/** What the server says of a file as fields of picture.upload. */
function stateOf(seen) {
  if (seen?.status === "error") return { state: "refused", error: new ApiError(400, { code: "invalid_image", message: seen.status_details }) };
  if (seen?.status !== "processed") return { state: "none" };
  return { state: seen.status_details ? "kept" : "ready" };
}

/** Asks the server what has become of a picture that it was sent; false if it does not have it (any more). */
export async function isStillThere({ upload: { fileId, change } }) {
  const seen = fileId && (await fileState(fileId, { key: currentKey() }));
  if (seen && seen.status !== "uploaded") change(stateOf(seen));
  return Boolean(seen);
}

/** How a question names the picture; the server knows no file of the last name and says so. */
export const referenceOf = (picture) => picture.upload?.fileId ?? picture.url ?? "file-lost";

/** A picture that the server has already, or that it will fetch itself. */
export function countAsUploaded(picture, fileId) {
  const change = (fields) => Object.assign(picture.upload, fields);
  picture.upload = { state: fileId ? "kept" : "none", share: 1, fileId, error: null, change, leave: () => {} };
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
