// Pages worth a look, each with its options.

import { byId, el } from "./dom.js";

const folder = new URL("examples/", import.meta.url);

/** All of them: `[{name, title, about, source, file, options, beside}, …]`. */
export async function loadExamples() {
  return (await fetch(new URL("index.json", folder))).json();
}

/** An example as a state. */
export async function exampleState({ source, file, options = {}, assets }) {
  const text = await (await fetch(new URL(file, folder))).text();
  const beside = assets ? { assets: await (await fetch(new URL(assets, folder))).json() } : {};
  return { source, text, options, beside };
}

/** The menu of them; `choose(example)` is called with the one that is taken. */
export function exampleMenu(examples, choose) {
  const menu = byId("examples");
  menu.append(
    ...examples.map((example) =>
      el(
        "button",
        {
          type: "button",
          class: "example",
          onclick: () => {
            menu.hidePopover();
            choose(example);
          },
        },
        el("img", {
          src: new URL(`${example.name}.webp`, folder).href,
          alt: "",
          width: 112,
          height: 72,
          loading: "lazy",
        }),
        el(
          "span",
          { class: "example-words" },
          el("strong", {}, example.title),
          el("span", {}, example.about),
        ),
      ),
    ),
  );
}
