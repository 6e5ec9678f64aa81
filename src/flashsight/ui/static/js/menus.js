// Menus that open above their button, and close by Escape, by a press elsewhere, or once what was chosen has been said.
const SAID_MS = 900;

/** Connects every button that names a menu by `popovertarget`. */
export function connectMenus() {
  for (const button of document.querySelectorAll("button[popovertarget]")) {
    const menu = document.getElementById(button.getAttribute("popovertarget"));
    menu.addEventListener("beforetoggle", ({ newState }) => {
      if (newState !== "open") return;
      const { left, top } = button.getBoundingClientRect();
      menu.style.left = `${Math.min(left, innerWidth - 180)}px`;
      menu.style.bottom = `${innerHeight - top + 4}px`;
    });
    menu.addEventListener("toggle", ({ newState }) => {
      button.setAttribute("aria-expanded", String(newState === "open"));
      if (newState === "open") menu.querySelector("button").focus();
    });
    menu.addEventListener("click", () => setTimeout(() => menu.hidePopover(), "lingers" in menu.dataset ? SAID_MS : 0));
    menu.addEventListener("keydown", (event) => {
      const items = [...menu.querySelectorAll("button")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
    });
  }
}
