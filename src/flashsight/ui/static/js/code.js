// A request as code that runs as it stands: curl, Python, JavaScript. Pictures are read from files of their names.
const MARK = "picture-goes-here-";
const BY_OPENAI = new Set(["model", "messages", "temperature", "top_p", "max_tokens", "response_format"]);

class Code {
  constructor(text) {
    this.text = text;
  }
}

/** The body with `put(file, kind, number)` in the place of each picture's bytes; one with an address keeps it. */
function withPictures(body, pictures, put) {
  const used = new Set();
  let number = 0;
  const named = structuredClone(body);
  for (const part of named.messages.flatMap((message) => (Array.isArray(message.content) ? message.content : []))) {
    if (part.type !== "image_url") continue;
    const { name, url } = pictures[number++];
    if (/^https?:/.test(url ?? "")) {
      part.image_url.url = url;
      continue;
    }
    // eslint-disable-next-line no-control-regex
    const plain = name.replace(/[\u0000-\u001f/\\]/g, "_");
    const file = used.has(plain) ? `${number}-${plain}` : plain;
    used.add(file);
    part.image_url.url = put(file, /^data:([\w/+.-]+);/.exec(url ?? "")?.[1] ?? "image/jpeg", number);
  }
  return named;
}

/** A value as a literal of Python or JavaScript, whose strings, lists and dictionaries look alike. */
function literal(value, names, margin = "") {
  const deeper = `${margin}    `;
  if (value instanceof Code) return value.text;
  if (value === null || typeof value === "boolean") return names[String(value)];
  if (typeof value !== "object") return JSON.stringify(value);
  const isList = Array.isArray(value);
  const [open, close] = isList ? "[]" : "{}";
  const items = Object.entries(value).map(([key, one]) => `${deeper}${isList ? "" : `${JSON.stringify(key)}: `}${literal(one, names, deeper)},\n`);
  return items.length ? `${open}\n${items.join("")}${margin}${close}` : open + close;
}

/** For a shell. */
export function asCurl(body, pictures, { origin, hasKey }) {
  const files = {};
  const named = withPictures(body, pictures, (file, kind, number) => {
    const quoted = `'${file.replaceAll("'", "'\\''")}'`;
    files[number] = `data:${kind};base64,$(base64 < ${quoted} | tr -d '\\n')`;
    return MARK + number;
  });
  // Inside the here-document a shell reads $, ` and \, and whatever the question says must not be run.
  const json = JSON.stringify(named, null, 2).replace(/[\\$`]/g, "\\$&");
  const whole = json.replace(new RegExp(`"url": "${MARK}(\\d+)"`, "g"), (_, number) => `"url": "${files[number]}"`);
  const key = hasKey ? " \\\n  -H \"Authorization: Bearer $FLASHSIGHT_API_KEY\"" : "";
  return `curl ${origin}/v1/chat/completions -H 'Content-Type: application/json'${key} -d @- <<FLASHSIGHT_JSON\n${whole}\nFLASHSIGHT_JSON\n`;
}

/** For Python with OpenAI's client. */
export function asPython(body, pictures, { origin, hasKey }) {
  const named = withPictures(body, pictures, (file, kind) => new Code(`picture(${JSON.stringify(file)}, ${JSON.stringify(kind)})`));
  const names = { null: "None", true: "True", false: "False" };
  const fields = Object.entries(named);
  const ours = Object.fromEntries(fields.filter(([field]) => !BY_OPENAI.has(field)));
  const given = [...fields.filter(([field]) => BY_OPENAI.has(field)), ["extra_body", ours]];
  return `import base64${hasKey ? "\nimport os" : ""}

from openai import OpenAI


def picture(path, kind):
    with open(path, "rb") as file:
        return f"data:{kind};base64,{base64.b64encode(file.read()).decode()}"


client = OpenAI(base_url="${origin}/v1", api_key=${hasKey ? 'os.environ["FLASHSIGHT_API_KEY"]' : '"none"'})
answer = client.chat.completions.create(
${given.map(([field, value]) => `    ${field}=${literal(value, names, "    ")},\n`).join("")})
print(answer.choices[0].message.content)
`;
}

/** For JavaScript: Node 18 or newer, as a module. */
export function asJavaScript(body, pictures, { origin, hasKey }) {
  const named = withPictures(body, pictures, (file, kind) => new Code(`await picture(${JSON.stringify(file)}, ${JSON.stringify(kind)})`));
  const key = hasKey ? ', authorization: `Bearer ${process.env.FLASHSIGHT_API_KEY}`' : "";
  return `import { readFile } from "node:fs/promises";

const picture = async (path, kind) => \`data:\${kind};base64,\${(await readFile(path)).toString("base64")}\`;

const response = await fetch("${origin}/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json"${key} },
    body: JSON.stringify(${literal(named, { null: "null", true: "true", false: "false" }, "    ")}),
});
const answer = await response.json();
console.log(response.ok ? answer.choices[0].message.content : answer.error.message);
`;
}
