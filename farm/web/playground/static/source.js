// What is rendered: HTML or Markdown in the editor, a long text beside it, or a URL.

import { byId, bytesText, tell } from "./dom.js";
import { Editor } from "./editor.js";
import { tabs } from "./tabs.js";

/** Longer texts would make the editor slow; they are rendered when it is asked for. */
const LONGEST_EDITED = 1_000_000;
/** What the farm takes as one body, with room for the rest of the request. */
const LONGEST_SENT = 52_000_000;
const SHOWN = 4_000;

export class Source {
  kind = "html";
  #texts = { html: "", markdown: "" };
  #long = { html: null, markdown: null };
  #changed;

  /** `changed(how)`: `typed`, `url`, `other` source, or `long`. */
  constructor(changed) {
    this.#changed = changed;
    this.editor = new Editor(byId("editor"), () => this.#typed());
    this.url = byId("url");
    this.url.addEventListener("input", () => changed("url"));
    this.select = tabs(document.querySelector("#page .segments"), (tab) =>
      this.show(tab.id.slice(4)),
    );
    this.editor.input.addEventListener("paste", (event) => this.#pasted(event));
    byId("page").addEventListener("dragover", (event) => event.preventDefault());
    byId("page").addEventListener("drop", (event) => this.#dropped(event));
    byId("file").addEventListener("change", (event) => {
      this.#open(event.target.files[0]);
      event.target.value = "";
    });
    byId("large-drop").addEventListener("click", () => {
      this.#long[this.kind] = null;
      this.#show();
      this.editor.input.focus();
      changed("typed");
    });
    byId("large-render").addEventListener("click", () => changed("long"));
  }

  get text() {
    if (this.kind === "url") return this.url.value.trim();
    return this.#long[this.kind] ?? this.editor.value;
  }

  /** Whether it is rendered only when that is asked for. */
  get isLong() {
    return this.kind !== "url" && this.#long[this.kind] !== null;
  }

  get control() {
    return this.kind === "url" ? this.url : this.editor.input;
  }

  /** Why it cannot be rendered; null: it can. */
  fault() {
    if (this.kind !== "url") {
      const { length } = this.text;
      return length > LONGEST_SENT
        ? `This is ${bytesText(length)}; the farm takes 50 MB at the most.`
        : null;
    }
    if (this.text === "") return null;
    return URL.canParse(this.text) && /^https?:/i.test(this.text)
      ? null
      : "An address begins with https:// or http://, and goes on with a host.";
  }

  /** Another source, with the text that it had. */
  show(kind) {
    if (kind === this.kind) return;
    this.#keep();
    this.kind = kind;
    this.#show();
    this.#changed("other");
  }

  set(kind, text) {
    this.#keep();
    this.kind = kind;
    if (kind === "url") this.url.value = text;
    else this.#put(text);
    this.#show();
  }

  fail(problem) {
    tell(byId("text-error"), problem);
    if (problem) this.control.setAttribute("aria-invalid", "true");
    else for (const input of [this.url, this.editor.input]) input.removeAttribute("aria-invalid");
  }

  #keep() {
    if (this.kind !== "url") this.#texts[this.kind] = this.editor.value;
  }

  #put(text) {
    const isLong = text.length > LONGEST_EDITED;
    this.#long[this.kind] = isLong ? text : null;
    if (!isLong) this.#texts[this.kind] = text;
  }

  #show() {
    const { kind } = this;
    const isUrl = kind === "url";
    this.select(byId(`tab-${kind}`));
    byId("panel-text").hidden = isUrl;
    byId("panel-url").hidden = !isUrl;
    byId("text-hint").hidden = isUrl || this.isLong;
    this.fail(null);
    if (isUrl) return;
    byId("panel-text").setAttribute("aria-labelledby", `tab-${kind}`);
    this.editor.language = kind;
    this.editor.input.setAttribute("aria-label", kind === "html" ? "HTML" : "Markdown");
    this.editor.value = this.isLong ? "" : this.#texts[kind];
    byId("editor").hidden = this.isLong;
    byId("large").hidden = !this.isLong;
    if (this.isLong) {
      tell(byId("large-size"), bytesText(this.text.length));
      tell(byId("large-start"), `${this.text.slice(0, SHOWN)}…`);
    }
  }

  #typed() {
    if (this.editor.value.length > LONGEST_EDITED) this.#take(this.editor.value);
    else this.#changed("typed");
  }

  #pasted(event) {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (text.length + this.editor.value.length <= LONGEST_EDITED) return;
    event.preventDefault();
    this.#take(text);
  }

  #dropped(event) {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    event.preventDefault();
    this.#open(file);
  }

  async #open(file) {
    if (!file) return;
    if (file.size > LONGEST_SENT) {
      this.fail(`${file.name} has ${bytesText(file.size)}; the farm takes 50 MB at the most.`);
      return;
    }
    const text = await file.text();
    const isMarkdown = /\.(md|markdown)$/i.test(file.name);
    this.set(isMarkdown ? "markdown" : "html", text);
    this.#changed(this.isLong ? "long" : "other");
  }

  /** A text that came into the editor, and is too long for it. */
  #take(text) {
    this.#put(text);
    this.#show();
    this.#changed("typed");
  }
}
