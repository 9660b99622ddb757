// A list of texts or of objects, one after the other.

import { el, icon } from "../dom.js";
import { control, freshId, isObject } from "./control.js";
import { fields } from "./object.js";

export function list(schema, items, context) {
  const rows = [];
  const holder = el("ol", { class: "rows" });
  const add = el(
    "button",
    {
      type: "button",
      class: "button small add",
      onclick: () => {
        const row = insert();
        context.changed();
        focus(row);
      },
    },
    icon("plus"),
    "Add",
  );
  const node = el(
    "div",
    {
      class: "list",
      role: "group",
      "aria-labelledby": context.labelledBy,
      "aria-describedby": context.describedBy,
    },
    holder,
    add,
  );

  function insert(value) {
    const id = freshId("item");
    const label = el("span", { class: "unseen", id }, `item ${rows.length + 1}`);
    const inner = { ...context, labelledBy: `${context.labelledBy} ${id}` };
    const made = isObject(items) ? fields(items, inner, true) : control(items, inner);
    if (value !== undefined) made.set(value);
    const drop = el(
      "button",
      {
        type: "button",
        class: "back drop",
        "aria-label": `Remove item ${rows.length + 1}`,
        title: "Remove",
        onclick: () => remove(row),
      },
      icon("close"),
    );
    const row = { made, node: el("li", {}, label, made.node, drop), label, drop };
    rows.push(row);
    holder.append(row.node);
    bound();
    return row;
  }

  function remove(row) {
    const place = rows.indexOf(row);
    rows.splice(place, 1);
    row.node.remove();
    rows.forEach((each, index) => {
      each.label.textContent = `item ${index + 1}`;
      each.drop.setAttribute("aria-label", `Remove item ${index + 1}`);
    });
    bound();
    context.changed();
    const next = rows[Math.min(place, rows.length - 1)];
    if (next) next.drop.focus();
    else add.focus();
  }

  function bound() {
    add.disabled = rows.length >= (schema.maxItems ?? Infinity);
  }

  function focus(row) {
    row.node.querySelector("input, textarea, select")?.focus();
  }

  return {
    node,
    input: node,
    get: () => rows.map((row) => row.made.get()).filter((value) => value !== undefined),
    set(value) {
      rows.splice(0);
      holder.replaceChildren();
      for (const each of value ?? schema.default ?? []) insert(each);
      bound();
    },
    fault: () => rows.map((row) => row.made.fault()).find(Boolean) ?? null,
    at([place, ...rest]) {
      // Rows without a value are not sent, so that the places of the others move up.
      const sent = rows.filter((row) => row.made.get() !== undefined);
      return sent[Number(place)]?.made.at(rest) ?? null;
    },
  };
}
