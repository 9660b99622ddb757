// A single value, or an object that says more: `"A4"`, or a width and a height.

import { el } from "../dom.js";
import { control, isObject } from "./control.js";
import { fields } from "./object.js";

export function either(schema, context) {
  const { anyOf, ...beside } = schema;
  const plain = anyOf.filter((each) => !isObject(each));
  const values = plain.flatMap((each) => each.enum ?? ("const" in each ? [each.const] : []));
  const isListed = values.length > 0 && plain.every((each) => each.enum || "const" in each);
  const one = isListed
    ? { ...beside, enum: values }
    : plain.length === 1
      ? { ...plain[0], default: schema.default }
      : { anyOf: plain, default: schema.default };
  const simple = control(one, context);
  const detailed = fields(anyOf.find(isObject), context);
  const more = el(
    "button",
    {
      type: "button",
      class: "button small more",
      "aria-expanded": "false",
      onclick: () => {
        open(detailed.node.hidden);
        context.changed();
      },
    },
    "As an object",
  );
  detailed.node.hidden = true;

  function open(isOpen) {
    detailed.node.hidden = !isOpen;
    simple.node.hidden = isOpen;
    more.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) detailed.open();
    more.textContent = isOpen ? "As one value" : "As an object";
  }

  const chosen = () => (detailed.node.hidden ? simple : detailed);
  return {
    node: el("div", { class: "either" }, simple.node, detailed.node, more),
    input: simple.input,
    get: () => chosen().get(),
    set(value) {
      const isDetailed = typeof value === "object" && value !== null;
      open(isDetailed);
      simple.set(isDetailed ? undefined : value);
      detailed.set(isDetailed ? value : undefined);
    },
    fault: () => chosen().fault(),
    at: (path) => (detailed.node.hidden ? null : detailed.at(path)),
  };
}
