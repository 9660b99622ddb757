// Elements made of values. Texts are always text: nothing here, or elsewhere, parses markup.

const files = new URL(".", import.meta.url);

/** An element with properties (`class`, `on…` listeners, `data-…` and `aria-…` attributes). */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    // What is read only as a property is an attribute.
    else if (name in element && !name.includes("-") && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

const SVG = "http://www.w3.org/2000/svg";

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", new URL(`icons.svg#${name}`, files).href);
  svg.append(use);
  return svg;
}

/** A sentence in which what stands between backticks is code. */
export function marked(text) {
  return text.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));
}

/** Shows a text in an element, or hides it. */
export function tell(element, text) {
  element.textContent = text ?? "";
  element.hidden = !text;
}

let toastTimer = 0;

/** A sentence that goes by itself. */
export function toast(text) {
  const element = byId("toast");
  element.textContent = text;
  element.classList.add("seen");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => element.classList.remove("seen"), 2600);
}

export function bytesText(count) {
  if (count < 1000) return `${count} bytes`;
  if (count < 1e6) return `${(count / 1e3).toFixed(count < 1e4 ? 1 : 0)} kB`;
  return `${(count / 1e6).toFixed(count < 1e7 ? 1 : 0)} MB`;
}

export function msText(ms) {
  if (ms < 0.05) return "0 ms";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(ms < 9_950 ? 2 : 1)} s`;
}

/** "1 request", "2 requests". */
export function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
