// The editor: a textarea over the same text in colours, which is drawn anew line by line.

import { el } from "./dom.js";
import { lines } from "./highlight.js";

/** Beyond it the text is plain: colours would come late. */
const MOST_COLOURED = 120_000;
const LONG_LINE = /[^\n]{10000}/;
const INDENT = "  ";

export class Editor {
  language = "html";
  #text;
  #paint;
  #gutter;
  #drawn = [];
  #frame = 0;
  #leaves = false;

  constructor(root, changed) {
    this.root = root;
    this.#text = root.querySelector("textarea");
    this.#paint = root.querySelector(".paint");
    this.#gutter = root.querySelector(".gutter");
    this.#text.addEventListener("input", () => {
      this.#drawSoon();
      changed();
    });
    this.#text.addEventListener("scroll", () => this.#follow());
    this.#text.addEventListener("keydown", (event) => this.#key(event));
    this.#text.addEventListener("blur", () => {
      this.#leaves = false;
    });
  }

  get value() {
    return this.#text.value;
  }

  set value(text) {
    this.#text.value = text;
    this.#text.setSelectionRange(0, 0);
    this.#text.scrollTop = this.#text.scrollLeft = 0;
    this.draw();
  }

  get input() {
    return this.#text;
  }

  #key(event) {
    if (event.key === "Escape") this.#leaves = true;
    else if (
      event.key === "Tab" &&
      !event.ctrlKey &&
      !event.altKey &&
      !event.metaKey &&
      !this.#leaves
    ) {
      event.preventDefault();
      this.#indent(event.shiftKey);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      this.#newLine(event);
    } else if (event.key !== "Shift" && event.key !== "Tab") this.#leaves = false;
  }

  #newLine(event) {
    const { selectionStart: start, value } = this.#text;
    const line = value.slice(value.lastIndexOf("\n", start - 1) + 1, start);
    const space = /^[ \t]*/.exec(line)[0];
    if (!space) return;
    event.preventDefault();
    insert(`\n${space}`);
  }

  #indent(isOut) {
    const { selectionStart: start, selectionEnd: end, value } = this.#text;
    if (start === end && !isOut) {
      insert(INDENT);
      return;
    }
    const from = value.lastIndexOf("\n", start - 1) + 1;
    const block = value.slice(from, end);
    const moved = isOut ? block.replace(/^( {1,2}|\t)/gm, "") : block.replace(/^(?=.)/gm, INDENT);
    if (moved === block) return;
    this.#text.setSelectionRange(from, end);
    insert(moved);
    const first = moved.split("\n")[0].length - block.split("\n")[0].length;
    this.#text.setSelectionRange(Math.max(from, start + first), from + moved.length);
  }

  #drawSoon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    const text = this.#text.value;
    const isPlain = text.length > MOST_COLOURED || LONG_LINE.test(text);
    this.root.classList.toggle("plain", isPlain);
    if (isPlain) {
      this.#drawn = [];
      this.#paint.replaceChildren();
      this.#gutter.replaceChildren();
      return;
    }
    this.#redraw(lines(text, this.language));
    this.#follow();
  }

  /** Puts lines in place of those that differ, which are seldom many. */
  #redraw(wanted) {
    const keys = wanted.map((line) => JSON.stringify(line));
    const drawn = this.#drawn;
    const shorter = Math.min(keys.length, drawn.length);
    let first = 0;
    while (first < shorter && keys[first] === drawn[first]) first += 1;
    let last = 0;
    while (last < shorter - first && keys.at(-1 - last) === drawn.at(-1 - last)) last += 1;
    for (let count = drawn.length - last - first; count > 0; count -= 1)
      this.#paint.children[first].remove();
    const before = this.#paint.children[first] ?? null;
    const fresh = document.createDocumentFragment();
    for (const line of wanted.slice(first, wanted.length - last))
      fresh.append(el("span", { class: "line" }, line.map(piece), "\n"));
    this.#paint.insertBefore(fresh, before);
    this.#drawn = keys;
    this.#number(keys.length);
  }

  #number(count) {
    const numbers = this.#gutter;
    while (numbers.childElementCount > count) numbers.lastElementChild.remove();
    while (numbers.childElementCount < count)
      numbers.append(el("span", {}, String(numbers.childElementCount + 1)));
  }

  #follow() {
    const { scrollTop, scrollLeft } = this.#text;
    this.#paint.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
    this.#gutter.style.transform = `translateY(${-scrollTop}px)`;
  }
}

function piece([kind, text]) {
  return kind ? el("span", { class: `k-${kind}` }, text) : text;
}

/** As if it were typed, so that it can be undone. */
function insert(text) {
  document.execCommand("insertText", false, text);
}
