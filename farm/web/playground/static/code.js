// A render as code that does it: what is copied runs as it is, from a shell or a file.

import { isPicture } from "./picture.js";
import { python } from "./python.js";

const ROUTES = { html: "render", markdown: "render", url: "render-url" };
const TYPES = {
  png: "image/png",
  jpeg: "image/jpeg",
  jpg: "image/jpeg",
  webp: "image/webp",
  avif: "image/avif",
  pdf: "application/pdf",
  html: "text/html",
  mhtml: "multipart/related",
};
/** Where the code finds the key, as the command line does. */
export const KEY_VARIABLE = "RENDER_FARM_KEY";

/** What every language says in its own words. */
class Call {
  constructor(base, { source, text, options, beside }, hasKey) {
    Object.assign(this, { source, text, options, beside, hasKey });
    this.base = new URL(".", base).href.replace(/\/$/, "");
    this.url = new URL(ROUTES[source], base).href;
    this.body = bodyOf({ source, text, options, beside });
    const format = options.format ?? "png";
    const isMany = Boolean(beside.outputs?.length);
    this.accept = isMany ? "application/zip" : TYPES[format];
    this.file = `page.${isMany ? "zip" : isPicture(format) || format in TYPES ? format : "bin"}`;
  }
}

/** The JSON of a request. */
export function bodyOf({ source, text, options, beside }) {
  return {
    [source]: text,
    ...(Object.keys(options).length ? { options } : {}),
    ...beside,
  };
}

function curl(call) {
  const lines = [
    `curl ${shell(call.url)} --fail-with-body -o ${call.file}`,
    "-H 'Content-Type: application/json'",
    `-H 'Accept: ${call.accept}'`,
  ];
  if (call.hasKey) lines.push(`-H "Authorization: Bearer $${KEY_VARIABLE}"`);
  lines.push("--data-binary @- <<'END'");
  return `${lines.join(" \\\n  ")}\n${JSON.stringify(call.body, null, 1)}\nEND\n`;
}

function shell(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A name that stands for a text of several lines. */
class Name {
  constructor(name) {
    this.name = name;
  }
}

/** The body, with its page of several lines as a variable before it. */
function apart(call, declare) {
  const [[source, text], ...others] = Object.entries(call.body);
  if (!text.includes("\n")) return { body: call.body, before: "" };
  return {
    body: Object.fromEntries([[source, new Name(source)], ...others]),
    before: declare(source, text),
  };
}

function layout(pairs, depth, indent) {
  const line = `{${pairs.join(", ")}}`;
  if (line.length < 72 && !line.includes("\n")) return line;
  const inner = indent.repeat(depth + 1);
  return `{\n${pairs.map((pair) => `${inner}${pair},\n`).join("")}${indent.repeat(depth)}}`;
}

function javaScript(call) {
  const key = call.hasKey ? `, Authorization: \`Bearer \${process.env.${KEY_VARIABLE}}\`` : "";
  const { body, before } = apart(call, (name, text) => `const ${name} = ${template(text)};\n\n`);
  return `import { writeFile } from "node:fs/promises";

${before}const response = await fetch(${JSON.stringify(call.url)}, {
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: ${JSON.stringify(call.accept)}${key} },
  body: JSON.stringify(${javaScriptValue(body, 1)}),
});
if (!response.ok) throw new Error((await response.json()).error);
await writeFile(${JSON.stringify(call.file)}, new Uint8Array(await response.arrayBuffer()));
`;
}

function template(text) {
  return `\`${text.replaceAll("\\", "\\\\").replaceAll("`", "\\`").replaceAll("${", "\\${").replaceAll("\r", "\\r")}\``;
}

function javaScriptValue(value, depth) {
  if (value instanceof Name) return value.name;
  if (Array.isArray(value))
    return `[${value.map((each) => javaScriptValue(each, depth)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(([name, each]) => {
    if (each instanceof Name && each.name === name) return name;
    const said =
      /^[A-Za-z_$][\w$]*$/.test(name) && name !== "__proto__"
        ? name
        : name === "__proto__"
          ? '["__proto__"]'
          : JSON.stringify(name);
    return `${said}: ${javaScriptValue(each, depth + 1)}`;
  });
  return layout(pairs, depth, "  ");
}

/** The ways to do a render; each is a tab, in this order. One without `write` is the farm's to make. */
export const LANGUAGES = [
  { name: "curl", write: curl, hint: "For a shell." },
  {
    name: "Python",
    write: (call, contract) =>
      python({ ...call, hasKey: call.hasKey ? KEY_VARIABLE : null }, contract),
    hint: "With the farm's client: pip install render-farm.",
  },
  {
    name: "JavaScript",
    write: javaScript,
    hint: "A module for Node 18 and later; in a browser, use the response's blob.",
  },
  {
    name: "Signed link",
    hint:
      "For an <img src> or an og:image. Everybody who has the link can open it and read what is " +
      "in it. It is good for as long as the farm's link key.",
  },
];

/** The code of a state in a language; `base` is where the farm is, `contract` its document. */
export function codeOf(language, base, state, hasKey, contract) {
  return language.write(new Call(base, state, hasKey), contract);
}
