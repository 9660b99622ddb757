// The playground: what is typed and chosen becomes a request, and its answer is shown.

import { byId, toast } from "./dom.js";
import { bodyOf } from "./code.js";
import { codeDialog, copy } from "./code-dialog.js";
import { exampleMenu, exampleState, loadExamples } from "./examples.js";
import { Form } from "./form.js";
import { read, written } from "./fragment.js";
import { Key } from "./key.js";
import { divider, scheme, views } from "./layout.js";
import { Renderer } from "./renderer.js";
import { loadDocument, same } from "./schema.js";
import { Result } from "./show.js";
import { Source } from "./source.js";

/** How long it is waited for the next change, in milliseconds. */
const PAUSE = { typed: 300, url: 700, other: 0 };

/** Errors that are the address's. */
const OF_THE_URL = new Set(["invalid_url", "url_refused", "navigation_failed"]);

class Playground {
  #example = null;
  #fragment = location.hash;
  #remembered = 0;

  constructor(contract, examples) {
    this.examples = examples;
    this.result = new Result();
    this.key = new Key(() => this.render());
    this.renderer = new Renderer(
      () => this.key.value,
      (state) => this.#told(state),
    );
    this.source = new Source((how) => this.#changed(how));
    this.form = new Form(contract, () => this.#changed("typed"));
    this.form.showSource(this.source.kind);
    codeDialog(
      () => this.state(),
      () => this.key.value,
      contract,
    );
    exampleMenu(examples, (example) => this.#take(example));
    byId("cancel").addEventListener("click", () => this.renderer.cancel());
    byId("share").addEventListener("click", () => this.#share());
    document.addEventListener("keydown", (event) => {
      if (
        event.key === "Enter" &&
        (event.ctrlKey || event.metaKey) &&
        !document.querySelector("dialog[open]")
      ) {
        event.preventDefault();
        this.render();
      }
    });
    byId("groups").addEventListener("submit", (event) => {
      event.preventDefault();
      this.render();
    });
    window.addEventListener("hashchange", () => {
      if (location.hash !== this.#fragment) this.open(location.hash);
    });
  }

  state() {
    return {
      source: this.source.kind,
      text: this.source.text,
      options: this.form.options(),
      beside: this.form.beside(),
    };
  }

  /** Shows what a fragment says, or the first example. */
  async open(fragment) {
    this.#fragment = fragment;
    const found = await read(fragment);
    if (found && !found.example) {
      this.#set(found);
      this.render();
      return;
    }
    if (fragment && !found) toast("This link cannot be read; here is an example.");
    const example = this.examples.find(({ name }) => name === found?.example) ?? this.examples[0];
    await this.#take(example);
  }

  async #take(example) {
    const state = await exampleState(example);
    this.#example = { name: example.name, state };
    this.#set(state);
    this.render();
  }

  #set({ source, text, options, beside }) {
    this.source.set(source, text);
    this.form.showSource(source);
    this.form.set(options, beside);
  }

  #changed(how) {
    if (how === "other") this.form.showSource(this.source.kind);
    if (this.source.isLong && how !== "long") {
      this.renderer.cancel();
      this.result.empty("Not rendered yet: this is long.");
      return;
    }
    const pause =
      how === "long" ? 0 : PAUSE[this.source.kind === "url" && how === "typed" ? "typed" : how];
    this.renderer.soon(() => this.#request(), pause);
  }

  /** Renders now what there is. */
  render() {
    this.renderer.now(() => this.#request());
  }

  /** What the farm is asked for; null: nothing, and why is said. */
  #request() {
    this.form.clearProblems();
    const { source, text, options, beside } = this.state();
    const fault = this.source.fault();
    this.source.fail(fault);
    const formFault = this.form.fault();
    if (fault || formFault) {
      this.result.failed({ error: fault ?? `${formFault}.`, code: "not sent" });
      return null;
    }
    if (text === "") {
      this.result.show({ name: "waiting" });
      this.result.empty(source === "url" ? "Type an address." : "Type something.");
      return null;
    }
    this.#remember();
    const body = { ...bodyOf({ source, text, options, beside }), report: true };
    return { source, body: JSON.stringify(body) };
  }

  #told(state) {
    this.result.show(state);
    if (state.name !== "failed") return;
    const { error } = state.answer;
    if (error.code === "unauthorized") this.key.refused();
    for (const detail of error.details ?? []) {
      if (!this.form.show(detail) && detail.field === state.source)
        this.source.fail(detail.problem);
    }
    if (state.source === "url" && OF_THE_URL.has(error.code)) this.source.fail(error.error);
  }

  /** Puts the state into the address, where it stays when the page is loaded again. */
  async #remember() {
    const mine = (this.#remembered += 1);
    const fragment = await this.#written();
    if (mine !== this.#remembered || fragment === null || fragment === location.hash) return;
    this.#fragment = fragment;
    history.replaceState(null, "", fragment);
  }

  async #written() {
    const state = this.state();
    if (this.#example && same(state, this.#example.state)) return `#example=${this.#example.name}`;
    return written(state);
  }

  async #share() {
    const fragment = await this.#written();
    if (fragment === null) {
      toast("This page is too long for a link.");
      return;
    }
    await copy(new URL(fragment, location.href).href, "The link is copied; the key is not in it.");
  }
}

scheme();
divider();
views();
try {
  const [contract, examples] = await Promise.all([loadDocument(), loadExamples()]);
  const playground = new Playground(contract, examples);
  await playground.open(location.hash);
} catch (error) {
  byId("status").textContent =
    "The playground could not be loaded: the farm does not answer. Load the page again.";
  throw error;
}
