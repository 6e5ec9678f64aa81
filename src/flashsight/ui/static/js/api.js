// The server as the page sees it: health, files, and one chat request as a stream of parsed events. Touches no element.

/** A refusal in OpenAI's shape, or a broken connection (status 0). */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.message ?? "");
    this.status = status;
    this.code = body?.code ?? "";
    this.param = body?.param ?? "";
  }
}

const headersOf = (key) => (key ? { authorization: `Bearer ${key}` } : {});

/** What /health says, or null when nobody answers within four seconds. */
export async function health() {
  try {
    const response = await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    return await response.json();
  } catch {
    return null;
  }
}

/** The server's scenes; none where it tells none. */
export async function presets({ key }) {
  const response = await fetch("v1/presets", { cache: "no-store", headers: headersOf(key) }).catch(() => null);
  return response?.ok ? (await response.json()).data : [];
}

/** The name that requests must use; throws ApiError. */
export async function servedModel({ key, signal }) {
  const response = await fetch("v1/models", { cache: "no-store", headers: headersOf(key), signal });
  if (!response.ok) throw await refusalOf(response);
  return (await response.json()).data[0].id;
}

async function refusalOf(response) {
  const body = await response.json().catch(() => ({}));
  return new ApiError(response.status, body.error);
}

/** Uploads a picture and returns what the server says of it; rejects with an ApiError. Tells the share that is sent. */
export function sendFile(file, name, { key, signal, onShare }) {
  // fetch cannot tell how much has been sent.
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append("purpose", "vision");
  form.append("file", file, name);
  return new Promise((resolve, reject) => {
    const fail = () => reject(new ApiError(request.status, request.response?.error));
    request.open("POST", "v1/files");
    for (const [field, value] of Object.entries(headersOf(key))) request.setRequestHeader(field, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => onShare(event.loaded / Math.max(1, event.total));
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : fail());
    request.onerror = request.onabort = fail;
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(form);
  });
}

/** What the server says of an uploaded picture, or null. */
export async function fileState(id, { key }) {
  const response = await fetch(`v1/files/${id}`, { cache: "no-store", headers: headersOf(key) }).catch(() => null);
  return response?.ok ? response.json() : null;
}

/** The bytes of an uploaded picture, or null. */
export async function fileContent(id, { key }) {
  const response = await fetch(`v1/files/${id}/content`, { cache: "no-store", headers: headersOf(key) }).catch(() => null);
  return response?.ok ? response.blob() : null;
}

/** What the server says of the picture at an address: width, height, format, bytes; throws ApiError. */
export async function lookAt(url, { key }) {
  const response = await fetch("v1/images/estimate", {
    method: "POST",
    headers: { "content-type": "application/json", ...headersOf(key) },
    body: JSON.stringify({ image_url: { url } }),
  }).catch(() => { throw new ApiError(0); });
  if (!response.ok) throw await refusalOf(response);
  return response.json();
}

/** Where a request stands in line: {position, estimated_ms}, both null once it has room; null where nobody tells. */
export async function placeInLine(requestId, { key, signal }) {
  const response = await fetch(`v1/queue?request=${requestId}`, { cache: "no-store", headers: headersOf(key), signal }).catch(() => null);
  return response?.ok ? response.json() : null;
}

/** Lets the server forget an uploaded picture; whether it does is of no consequence here. */
export function forgetFile(id, { key }) {
  fetch(`v1/files/${id}`, { method: "DELETE", headers: headersOf(key), keepalive: true }).catch(() => {});
}

/**
 * Yields each event of the answer; throws ApiError. Ending the loop or aborting the signal cancels on the server.
 * The request can be found in line by requestId while it runs.
 */
export async function* ask(body, { key, signal, requestId }) {
  const response = await fetch("v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", "x-request-id": requestId, ...headersOf(key) },
    body: JSON.stringify({ ...body, logprobs: true, stream: true, stream_options: { include_usage: true } }),
    signal,
  });
  if (!response.ok) throw await refusalOf(response);
  for await (const payload of eventsOf(response.body)) {
    if (payload === "[DONE]") return;
    const event = JSON.parse(payload);
    if (event.error) throw new ApiError(event.error.status ?? 500, event.error);
    yield event;
  }
  throw new ApiError(0);
}

async function* eventsOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      held += value;
      const events = held.split(/\r?\n\r?\n/);
      held = events.pop();
      for (const event of events) {
        const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
        if (lines.length) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
