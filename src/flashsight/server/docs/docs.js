// Shows /openapi.json with Swagger UI. Where the server wants a key, it is asked for once and kept in memory only.
const form = document.getElementById("key");
const input = document.getElementById("value");

async function show(key) {
  const answer = await fetch("/openapi.json", { headers: key ? { Authorization: `Bearer ${key}` } : {} });
  form.hidden = answer.ok;
  if (!answer.ok) {
    const { error } = await answer.json();
    document.getElementById("refusal").textContent = error.message;
    input.focus();
    return;
  }
  const ui = SwaggerUIBundle({
    spec: await answer.json(),
    dom_id: "#swagger",
    validatorUrl: null,
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis],
    onComplete: () => key && ui.preauthorizeApiKey("key", key),
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  show(input.value);
});
show("");
