// The server as the page sees it: health, and one chat request as a stream of parsed events. Touches no element.

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

/** Yields each event of the answer; throws ApiError. Ending the loop or aborting the signal cancels on the server. */
export async function* ask(body, { key, signal }) {
  const response = await fetch("v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json", ...headersOf(key) },
    body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
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
