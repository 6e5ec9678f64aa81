// Runs before the first paint: light as it was chosen on the page, else as the system has it.
(() => {
  const root = document.documentElement;
  const isDarkOutside = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => {
    try { return localStorage.getItem("light"); } catch { return null; }
  };
  const follow = () => {
    const light = root.dataset.light ?? kept();
    if (light) root.dataset.light = light;
    root.classList.toggle("dark-mode", light ? light === "dark" : isDarkOutside.matches);
  };
  isDarkOutside.addEventListener("change", follow);
  root.addEventListener("light", follow);
  follow();
})();
