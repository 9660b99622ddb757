// The form of options: made from the document, groups folded, changes counted, problems shown.

import { byId, el, marked, tell } from "./dom.js";
import { Fields } from "./controls/object.js";
import { isObject } from "./controls/control.js";

/** The group with what stands beside the options. */
const REQUEST = {
  name: "request",
  description: "What stands beside the options: files of the page, the cache, several outputs.",
};

export class Form {
  #contract;
  #changed;
  #groups = [];
  #request;
  #failed = new Set();

  constructor(contract, changed) {
    this.#contract = contract;
    this.#changed = changed;
    for (const group of contract.groups()) this.#add(new Group(group, this.#context()));
    this.#groups[0].fold(false);
    byId("reset").addEventListener("click", () => {
      this.set({}, {});
      byId("filter").focus();
      this.#changed();
    });
    byId("filter").addEventListener("input", () => this.#filter());
  }

  #context() {
    const changed = () => {
      this.count();
      this.#changed();
    };
    return { contract: this.#contract, changed };
  }

  #add(group) {
    this.#groups.push(group);
    byId("groups").append(group.node);
  }

  /** What a request of this source may have beside its options. */
  showSource(source) {
    const values = this.#request?.get() ?? {};
    this.#request?.node.remove();
    this.#groups = this.#groups.filter((group) => group !== this.#request);
    this.#request = new Group(
      { ...REQUEST, fields: this.#contract.beside(source) },
      this.#context(),
    );
    this.#request.set(values);
    this.#add(this.#request);
    this.#filter();
    this.count();
  }

  options() {
    return Object.assign(
      {},
      ...this.#groups.filter((group) => group !== this.#request).map((group) => group.get()),
    );
  }

  beside() {
    return this.#request.get();
  }

  set(options, beside) {
    for (const group of this.#groups) group.set(group === this.#request ? beside : options);
    this.clearProblems();
    this.count();
  }

  count() {
    const counts = this.#groups.map((group) => group.count());
    const sum = counts.reduce((total, count) => total + count, 0);
    for (const id of ["changed-count", "view-count"]) {
      const badge = byId(id);
      tell(badge, sum ? String(sum) : "");
      badge.setAttribute("aria-label", `${sum} changed`);
      badge.setAttribute("role", "img");
    }
    byId("reset").hidden = sum === 0;
  }

  /** What is typed and can be no part of a request; null: nothing. */
  fault() {
    for (const group of this.#groups) {
      const found = group.fields.fault();
      if (!found) continue;
      this.#fail(found.field, group, found.fault);
      return `${found.field.name} ${found.fault}`;
    }
    return null;
  }

  clearProblems() {
    tell(byId("form-problem"), null);
    for (const field of this.#failed) field.fail(null);
    this.#failed.clear();
  }

  /** Shows a problem at its place; false: it has none here. */
  show({ field, problem }) {
    const [first, ...path] = field.split(".");
    const isOption = first === "options";
    const groups = this.#groups.filter((group) => (group === this.#request) !== isOption);
    const places = isOption ? path : [first, ...path];
    // Of what does not go together, the sentence names the options.
    if (places.length === 0)
      places.push(
        problem.split(/\W+/).find((word) => groups.some((group) => group.fields.at([word]))) ?? "",
      );
    for (const group of groups) {
      const found = group.fields.at(places);
      if (!found) continue;
      this.#fail(found, group, problem);
      return true;
    }
    if (!isOption) return false;
    tell(byId("form-problem"), problem);
    return true;
  }

  #fail(field, group, problem) {
    field.fail(problem);
    this.#failed.add(field);
    group.fold(false);
    field.node.scrollIntoView({ block: "nearest" });
  }

  #filter() {
    const words = byId("filter").value.trim().toLowerCase();
    for (const group of this.#groups) group.filter(words);
  }
}

class Group {
  constructor({ name, description, fields }, context) {
    // A group of one object is that object: its fields stand here, and are sent inside of it.
    const [only] = fields;
    this.inside = fields.length === 1 && isObject(only[1]) ? only[0] : null;
    const inner = new Fields(fields, context);
    this.fields = inner;
    if (this.inside) inner.fields[0].control.open();
    this.badge = el("span", { class: "count", hidden: true });
    const summary = el(
      "summary",
      { class: "unfolds" },
      el("span", { class: "group-name" }, name.length <= 3 ? name.toUpperCase() : name),
      this.badge,
    );
    this.node = el(
      "details",
      { class: this.inside ? "group of-one" : "group" },
      summary,
      el("p", { class: "group-about" }, marked(description)),
      inner.nodes,
    );
  }

  fold(isFolded) {
    this.node.open = !isFolded;
  }

  get() {
    return this.fields.get();
  }

  set(values) {
    this.fields.set(values);
    if (this.count() > 0) this.fold(false);
  }

  count() {
    const value = this.get();
    const count = Object.keys(this.inside ? (value[this.inside] ?? {}) : value).length;
    tell(this.badge, count ? String(count) : "");
    this.badge.setAttribute("aria-label", `${count} changed`);
    this.badge.setAttribute("role", "img");
    return count;
  }

  filter(words) {
    let found = 0;
    const [first] = this.fields.fields;
    for (const field of this.inside ? first.control.inner.fields : this.fields.fields) {
      const isIt =
        !words ||
        field.words.includes(words) ||
        field.node.textContent.toLowerCase().includes(words);
      field.node.hidden = !isIt;
      found += isIt ? 1 : 0;
    }
    this.node.hidden = found === 0;
    if (words && found) this.fold(false);
  }
}
