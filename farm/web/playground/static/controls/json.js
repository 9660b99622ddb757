// What has no form of its own, as JSON that is checked while it is typed.

import { el } from "../dom.js";
import { named } from "./scalar.js";

export function json(schema, context) {
  const input = el("textarea", {
    rows: 3,
    class: "many-lines",
    wrap: "off",
    placeholder: "JSON",
    spellcheck: false,
    autocomplete: "off",
    ...named(context),
    oninput: context.changed,
  });
  const read = () => {
    if (input.value.trim() === "") return { value: undefined };
    try {
      return { value: JSON.parse(input.value) };
    } catch {
      return { value: undefined, fault: "must be JSON" };
    }
  };
  return {
    node: input,
    input,
    get: () => read().value,
    set: (value) => {
      input.value = value === undefined ? "" : JSON.stringify(value, null, 1);
    },
    fault: () => read().fault ?? null,
    at: () => null,
  };
}
