// A render as code that does it: what is copied runs as it is, from a shell or a file.

import { isPicture } from "./picture.js";

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
/** Where the code finds the key. */
export const KEY_VARIABLE = "FARM_API_KEY";

/** What every language says in its own words. */
class Call {
  constructor(base, { source, text, options, beside }, hasKey) {
    this.url = new URL(ROUTES[source], base).href;
    this.body = { [source]: text };
    if (Object.keys(options).length) this.body.options = options;
    Object.assign(this.body, beside);
    const format = options.format ?? "png";
    const isMany = Boolean(beside.outputs?.length);
    this.accept = isMany ? "application/zip" : TYPES[format];
    this.file = `page.${isMany ? "zip" : isPicture(format) || format in TYPES ? format : "bin"}`;
    this.hasKey = hasKey;
  }
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

function python(call) {
  const key = call.hasKey ? `, "Authorization": "Bearer " + os.environ["${KEY_VARIABLE}"]` : "";
  const { body, before } = apart(call, (name, text) => `${name} = ${pythonText(text)}\n\n`);
  return `${call.hasKey ? "import os\n\n" : ""}import requests

${before}response = requests.post(
    ${pythonValue(call.url, 1)},
    headers={"Accept": ${pythonValue(call.accept, 1)}${key}},
    json=${pythonValue(body, 1)},
    timeout=60,
)
if not response.ok:
    raise SystemExit(response.json()["error"])
with open(${pythonValue(call.file, 0)}, "wb") as file:
    file.write(response.content)
`;
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

function pythonText(text) {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"""', '\\"\\"\\"')
    .replace(/"$/, '\\"')
    .replace(
      /[\0-\x08\x0b-\x1f\x7f]/g,
      (letter) => `\\x${letter.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
  return `"""${escaped}"""`;
}

function pythonValue(value, depth) {
  if (value instanceof Name) return value.name;
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) return `[${value.map((each) => pythonValue(each, depth)).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(
    ([name, each]) => `${JSON.stringify(name)}: ${pythonValue(each, depth + 1)}`,
  );
  return layout(pairs, depth, "    ");
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

/** The ways to do a render; each is a tab, in this order. */
export const LANGUAGES = [
  { name: "curl", write: curl, hint: "For a shell." },
  { name: "Python", write: python, hint: "With requests: pip install requests." },
  {
    name: "JavaScript",
    write: javaScript,
    hint: "A module for Node 18 and later; in a browser, use the response's blob.",
  },
];

/** The code of a state in a language; `base` is where the farm is. */
export function codeOf(language, base, state, hasKey) {
  return language.write(new Call(base, state, hasKey));
}
