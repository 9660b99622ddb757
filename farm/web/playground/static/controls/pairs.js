// An object of any names with texts: a row each.

import { el, icon } from "../dom.js";

export function pairs(schema, context) {
  const rows = [];
  const holder = el("ol", { class: "rows" });
  const add = el(
    "button",
    {
      type: "button",
      class: "button small add",
      onclick: () => {
        insert().name.focus();
        context.changed();
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

  function insert(name = "", value = "") {
    const made = (what, text) =>
      el("input", {
        type: "text",
        value: text,
        placeholder: what,
        "aria-label": `${what} of row ${rows.length + 1}`,
        "aria-describedby": context.describedBy,
        autocomplete: "off",
        spellcheck: false,
        oninput: context.changed,
      });
    const row = { name: made("name", name), value: made("value", value) };
    const drop = el(
      "button",
      {
        type: "button",
        class: "back drop",
        "aria-label": "Remove this row",
        title: "Remove",
        onclick: () => {
          rows.splice(rows.indexOf(row), 1);
          row.node.remove();
          context.changed();
          add.focus();
        },
      },
      icon("close"),
    );
    row.node = el("li", { class: "pair" }, row.name, row.value, drop);
    rows.push(row);
    holder.append(row.node);
    return row;
  }

  return {
    node,
    input: node,
    get: () =>
      Object.fromEntries(
        rows.filter((row) => row.name.value !== "").map((row) => [row.name.value, row.value.value]),
      ),
    set(value) {
      rows.splice(0);
      holder.replaceChildren();
      for (const [name, text] of Object.entries(value ?? schema.default ?? {})) insert(name, text);
    },
    fault: () => null,
    at: () => null,
  };
}
