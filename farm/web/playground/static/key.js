// The API key: asked for when the farm wants one, kept in this tab alone.

import { byId, tell } from "./dom.js";
import { closesOutside } from "./code-dialog.js";

const NAME = "farm-key";

export class Key {
  #value = "";
  #changed;
  #isDeclined = false;
  #isTaken = false;

  /** `changed()` is called when there is another key. */
  constructor(changed) {
    this.#changed = changed;
    try {
      this.#value = sessionStorage.getItem(NAME) ?? "";
    } catch {
      // Storage is forbidden: the key lasts until the page is loaded again.
    }
    this.dialog = byId("key-dialog");
    closesOutside(this.dialog);
    byId("key-button").hidden = !this.#value;
    byId("key-button").addEventListener("click", () => this.ask(null));
    byId("key-later").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.#isDeclined = !this.#isTaken;
      this.#isTaken = false;
    });
    byId("key-forget").addEventListener("click", () => this.#take(""));
    byId("key-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const value = byId("key").value.trim();
      if (value) this.#take(value);
      else this.#tell("Type a key.");
    });
  }

  get value() {
    return this.#value;
  }

  /** The farm wants one, or another one; who has declined is not asked again. */
  refused() {
    byId("key-button").hidden = false;
    if (!this.#isDeclined) this.ask(this.#value ? "The farm does not know this key." : null);
  }

  /** Asks for it, with what was wrong with the last one. */
  ask(problem) {
    byId("key").value = "";
    byId("key-forget").hidden = !this.#value;
    this.#tell(problem);
    if (!this.dialog.open) this.dialog.showModal();
    byId("key").focus();
  }

  #tell(problem) {
    tell(byId("key-problem"), problem);
    if (problem) byId("key").setAttribute("aria-invalid", "true");
    else byId("key").removeAttribute("aria-invalid");
  }

  #take(value) {
    this.#value = value;
    try {
      if (value) sessionStorage.setItem(NAME, value);
      else sessionStorage.removeItem(NAME);
    } catch {
      // As above.
    }
    byId("key").value = "";
    this.#isTaken = this.dialog.open;
    this.dialog.close();
    this.#isDeclined = false;
    this.#changed();
  }
}
