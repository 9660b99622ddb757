// One value: a switch, a number, a text.

import { el } from "../dom.js";
import { freshId } from "./control.js";

/** A text this long is several lines of something. */
const MANY_CHARACTERS = 10_000;
const NUMBER = /^-?\d+(\.\d+)?$/;

function simple(node, input, get, set) {
  return { node, input, get, set, fault: () => null, at: () => null };
}

/** What the label says of its input. */
export function named(context) {
  return { "aria-labelledby": context.labelledBy, "aria-describedby": context.describedBy };
}

export function toggle(schema, context) {
  const input = el("input", {
    type: "checkbox",
    class: "toggle",
    role: "switch",
    checked: schema.default,
    ...named(context),
    onchange: context.changed,
  });
  return simple(
    input,
    input,
    () => input.checked,
    (value) => {
      input.checked = value ?? schema.default;
    },
  );
}

export function number(schema, context) {
  const input = el("input", {
    type: "number",
    min: schema.minimum,
    max: schema.maximum,
    step: schema.type === "integer" ? "1" : "any",
    placeholder: schema.default ?? "",
    ...named(context),
    oninput: context.changed,
  });
  const unit = schema["x-unit"];
  const node = unit
    ? el("span", { class: "with-unit" }, input, el("span", { class: "unit" }, short(unit)))
    : input;
  // What is no number is sent as null, so that the farm says what it should be.
  const get = () =>
    input.validity.badInput ? null : input.value === "" ? undefined : Number(input.value);
  return simple(node, input, get, (value) => {
    input.value = value ?? "";
  });
}

const SHORT = { pixels: "px", milliseconds: "ms", seconds: "s", metres: "m", degrees: "°" };

function short(unit) {
  return SHORT[unit] ?? unit;
}

/** Of texts that may be numbers too (lengths, statuses), numbers are sent as such. */
export function text(schema, context) {
  const choices = schema.anyOf ?? [schema];
  const numbers = choices.some((each) => each.type === "number" || each.type === "integer");
  const longest = Math.max(...choices.map((each) => each.maxLength ?? 0));
  const isLong = longest >= MANY_CHARACTERS;
  const shared = {
    ...named(context),
    oninput: context.changed,
    spellcheck: false,
    autocomplete: "off",
  };
  const hints = schema.examples ?? [];
  const listed = hints.length ? freshId("hints") : undefined;
  const input = isLong
    ? el("textarea", { rows: 3, class: "many-lines", wrap: "off", ...shared })
    : el("input", { type: "text", list: listed, placeholder: schema.default ?? "", ...shared });
  const node = listed
    ? el(
        "span",
        { class: "hinted" },
        input,
        el(
          "datalist",
          { id: listed },
          hints.map((value) => el("option", { value })),
        ),
      )
    : input;
  const get = () => {
    const value = input.value;
    if (value === "") return undefined;
    return numbers && NUMBER.test(value.trim()) ? Number(value) : value;
  };
  return simple(node, input, get, (value) => {
    input.value = value ?? "";
  });
}
