// What is where: the divider, the views of small screens, the scheme.

import { byId } from "./dom.js";
import { tabs } from "./tabs.js";

const [LEAST, MOST] = [20, 80];
const STEP = 2;

/** The divider between the editor and the result, by mouse, touch and keyboard. */
export function divider() {
  const node = byId("divider");
  const work = byId("work");

  function move(percent) {
    const bounded = Math.round(Math.min(MOST, Math.max(LEAST, percent)));
    work.style.setProperty("--split", String(bounded));
    node.setAttribute("aria-valuenow", String(bounded));
  }

  node.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    node.focus();
    node.setPointerCapture(event.pointerId);
    work.classList.add("dragged");
  });
  node.addEventListener("pointermove", (event) => {
    if (!node.hasPointerCapture(event.pointerId)) return;
    const left = byId("page").getBoundingClientRect().left;
    const right = byId("result").getBoundingClientRect().right;
    move(((event.clientX - left) / (right - left)) * 100);
  });
  const drop = () => work.classList.remove("dragged");
  node.addEventListener("pointerup", drop);
  node.addEventListener("pointercancel", drop);
  node.addEventListener("dblclick", () => move(42));
  node.addEventListener("keydown", (event) => {
    const now = Number(node.getAttribute("aria-valuenow"));
    const places = { ArrowLeft: now - STEP, ArrowRight: now + STEP, Home: LEAST, End: MOST };
    if (!(event.key in places)) return;
    event.preventDefault();
    move(places[event.key]);
  });
}

/** Where there is no room for all panes, tabs choose which are seen. Returns `showView(name)`. */
export function views() {
  const work = byId("work");
  const select = tabs(work.querySelector(".views"), (tab) => show(tab.id.slice(5)));

  function show(name) {
    work.dataset.view = name;
    select(byId(`view-${name}`));
  }

  show("page");
  return show;
}

/** The reader's own scheme, over the system's. */
export function scheme() {
  const button = byId("scheme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () =>
    (document.documentElement.dataset.scheme ?? (system.matches ? "dark" : "light")) === "dark";
  const tell = () => button.setAttribute("aria-pressed", String(isDark()));
  button.addEventListener("click", () => {
    const chosen = isDark() ? "light" : "dark";
    document.documentElement.dataset.scheme = chosen;
    try {
      localStorage.setItem("scheme", chosen);
    } catch {
      // It lasts until the page is loaded again.
    }
    tell();
  });
  system.addEventListener("change", tell);
  tell();
}
