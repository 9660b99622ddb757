// An object of known fields: a row each, of which those are sent that differ from their defaults.

import { el, icon, marked, tell } from "../dom.js";
import { description, same } from "../schema.js";
import { control, freshId, isObject } from "./control.js";

/** Whether it is typed, and may be long. */
function isWords(schema) {
  return schema.type === "string" && !schema.enum;
}

/** A field with its label, its description, its control, a way back and a place for what is wrong. */
export class Field {
  constructor(name, schema, context, required = false) {
    this.name = name;
    this.default = schema.default;
    this.words = `${name} ${schema.description ?? ""}`.toLowerCase();
    const id = freshId(name);
    const [label, help, error] = [`${id}-label`, `${id}-help`, `${id}-error`];
    const inner = {
      ...context,
      labelledBy: `${context.labelledBy ? `${context.labelledBy} ` : ""}${label}`,
      describedBy: `${help} ${error}`,
      changed: () => this.#changed(context),
    };
    this.control = control(schema, inner);
    this.error = el("p", { class: "problem", id: error, hidden: true });
    this.back = el(
      "button",
      {
        type: "button",
        class: "back",
        "aria-label": `Reset ${name}`,
        title: "Reset",
        hidden: true,
        onclick: () => this.#reset(context),
      },
      icon("undo"),
    );
    const text = description(schema);
    const isWide =
      isObject(schema) ||
      schema.type === "array" ||
      schema.type === "object" ||
      Boolean(schema.anyOf?.some(isObject)) ||
      isWords(schema);
    const input = this.control.input?.matches("input, select, textarea")
      ? this.control.input
      : null;
    if (input) input.id = id;
    const title = el(
      input ? "label" : "span",
      { class: "field-name", id: label, for: input ? id : null },
      name,
      required ? el("span", { class: "required" }, " required") : null,
    );
    this.node = el(
      "div",
      { class: isWide ? "field wide" : "field" },
      el("div", { class: "field-head" }, title, this.back),
      el("div", { class: "field-control" }, this.control.node),
      el("p", { class: "help", id: help }, marked(text)),
      this.error,
    );
  }

  #changed(context) {
    this.mark();
    context.changed();
  }

  #reset(context) {
    this.set(undefined);
    this.#focusAfterReset();
    context.changed();
  }

  #focusAfterReset() {
    const target = this.control.input?.matches?.("input, select, textarea")
      ? this.control.input
      : this.node.querySelector("input, select, textarea, button:not([hidden])");
    target?.focus();
  }

  mark() {
    const isChanged = this.get() !== undefined;
    this.back.hidden = !isChanged;
    this.node.classList.toggle("changed", isChanged);
    this.fail(null);
  }

  /** What is sent; undefined: it is as it was. */
  get() {
    const value = this.control.get();
    return value === undefined || same(value, this.default) ? undefined : value;
  }

  set(value) {
    this.control.set(value);
    this.mark();
  }

  /** Says what is wrong, or that nothing is. */
  fail(problem) {
    tell(this.error, problem);
    this.node.classList.toggle("wrong", Boolean(problem));
    const input = this.control.input;
    if (!input) return;
    if (problem) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  /** The field that is nearest to the place, this one at the least. */
  at(path) {
    return this.control.at(path) ?? this;
  }
}

/** Several fields as one value. */
export class Fields {
  constructor(named, context, required = []) {
    this.fields = named.map(
      ([name, schema]) => new Field(name, schema, context, required.includes(name)),
    );
    this.nodes = this.fields.map((field) => field.node);
  }

  get() {
    const found = {};
    for (const field of this.fields) {
      const value = field.get();
      if (value !== undefined) found[field.name] = value;
    }
    return found;
  }

  set(values = {}) {
    for (const field of this.fields) field.set(values[field.name]);
  }

  fault() {
    for (const field of this.fields) {
      const fault = field.control.fault();
      if (fault) return { field, fault };
    }
    return null;
  }

  at([name, ...rest]) {
    return this.fields.find((field) => field.name === name)?.at(rest) ?? null;
  }
}

/** The control of such an object; `isItem`: one of a list, which is there even if it is empty. */
export function fields(schema, context, isItem = false) {
  const { contract } = context;
  const named = Object.entries(schema.properties).map(([name, each]) => [
    name,
    contract.resolve(each),
  ]);
  const inner = new Fields(named, context, schema.required ?? []);
  const get = () => {
    const value = inner.get();
    return isItem || Object.keys(value).length ? value : undefined;
  };
  const box = el(
    "div",
    { class: "nested", role: "group", "aria-labelledby": context.labelledBy },
    inner.nodes,
  );
  // Of a list it is there because it was asked for; else it is folded until it is.
  const folded = isItem
    ? null
    : el(
        "details",
        { class: "folded" },
        el(
          "summary",
          { "aria-describedby": context.labelledBy },
          Object.keys(schema.properties).join(", "),
        ),
        box,
      );
  const open = () => {
    if (folded) folded.open = true;
  };
  return {
    node: folded ?? box,
    input: null,
    inner,
    get,
    set(value) {
      inner.set(value);
      if (get() !== undefined) open();
    },
    fault() {
      const found = inner.fault();
      if (found) open();
      return found?.fault ?? null;
    },
    at(path) {
      const found = inner.at(path);
      if (found) open();
      return found;
    },
    open,
  };
}
