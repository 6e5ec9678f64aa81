// Runs before the first paint, which a module is too late for: light and language as kept, so that nothing flashes.
(() => {
  const kept = (name) => {
    try { return localStorage.getItem(name); } catch { return null; }
  };
  const root = document.documentElement;
  const light = kept("light");
  if (light) root.dataset.light = light;
  const isChinese = (kept("language") || navigator.language).startsWith("zh");
  if (!isChinese) root.classList.add("unworded");
})();
