// One of several values, or some of them.

import { el } from "../dom.js";
import { freshId } from "./control.js";
import { named } from "./scalar.js";

/** As many characters fit beside one another. */
const ONE_LINE = 26;

export function choice(schema, context) {
  const values = schema.enum;
  const isShort = values.length <= 3 && values.join("").length <= ONE_LINE;
  return "default" in schema && isShort ? segments(schema, context) : select(schema, context);
}

function select(schema, context) {
  const values = schema.enum;
  const none = "default" in schema ? [] : [el("option", { value: "" }, "not set")];
  const options = values.map((value, place) =>
    el("option", { value: String(place) }, String(value)),
  );
  const input = el("select", { ...named(context), onchange: context.changed }, none, options);
  const set = (value) => {
    const place = values.indexOf(value ?? schema.default);
    input.value = place < 0 ? "" : String(place);
  };
  set();
  return {
    node: input,
    input,
    get: () => (input.value === "" ? undefined : values[Number(input.value)]),
    set,
    fault: () => null,
    at: () => null,
  };
}

function segments(schema, context) {
  const group = freshId("choice");
  const inputs = schema.enum.map((value) =>
    el("input", {
      type: "radio",
      name: group,
      id: freshId(String(value)),
      value: String(value),
      onchange: context.changed,
    }),
  );
  const node = el(
    "span",
    { class: "segments choices", role: "radiogroup", ...named(context) },
    inputs.map((input) => el("label", { for: input.id }, input, el("span", {}, input.value))),
  );
  const set = (value) => {
    inputs[schema.enum.indexOf(value ?? schema.default)].checked = true;
  };
  set();
  return {
    node,
    input: node,
    get: () => schema.enum[inputs.findIndex((input) => input.checked)],
    set,
    fault: () => null,
    at: () => null,
  };
}

/** A list whose items are some of a few values. */
export function chips(schema, items, context) {
  const inputs = items.enum.map((value) =>
    el("input", { type: "checkbox", id: freshId(value), value, onchange: context.changed }),
  );
  const node = el(
    "span",
    { class: "chips", role: "group", ...named(context) },
    inputs.map((input) => el("label", { for: input.id }, input, el("span", {}, input.value))),
  );
  const set = (value) => {
    const chosen = value ?? schema.default ?? [];
    for (const input of inputs) input.checked = chosen.includes(input.value);
  };
  set();
  return {
    node,
    input: node,
    get: () => inputs.filter((input) => input.checked).map((input) => input.value),
    set,
    fault: () => null,
    at: () => null,
  };
}
