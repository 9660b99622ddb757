// A render as Python, with the farm's own client.

/** Python's own name of a field: `waitFor` is `wait_for`. */
function snake(name) {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The whole program. */
export function python({ base, source, text, options, beside, file, hasKey }, contract) {
  const isLong = text.includes("\n");
  const { RenderOptions } = contract.schemas;
  const fields = [
    `${source}=${isLong ? source : textOf(text)}`,
    ...keywords(options, RenderOptions, contract),
    ...keywords(beside, contract.requestOf(source), contract),
  ];
  const key = hasKey ? `, key=os.environ["${hasKey}"]` : "";
  const call = fields.map((field) => `        ${field},\n`).join("");
  return [
    hasKey ? "import os\n\n" : "",
    "from farm.client import Farm\n\n",
    isLong ? `${source} = ${longText(text)}\n\n` : "",
    `with Farm(${textOf(base)}${key}) as farm:\n`,
    `    picture = farm.render(\n${call}    )\n`,
    `    picture.save(${textOf(file)})\n`,
  ].join("");
}

function keywords(values, schema, contract) {
  return Object.entries(values).map(([name, value]) => {
    const field = schema.properties?.[name];
    return `${snake(name)}=${literal(value, field ? contract.choices(field) : [], contract, 2)}`;
  });
}

/** A value as Python writes it. Fields of the farm's are snake_case; other names are the caller's. */
function literal(value, choices, contract, depth) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null) return "None";
  if (Array.isArray(value)) {
    const items = choices.flatMap((choice) => (choice.items ? contract.choices(choice.items) : []));
    return layout("[", value.map((each) => literal(each, items, contract, depth + 1)), "]", depth);
  }
  if (typeof value !== "object") return textOf(value);
  const pairs = Object.entries(value).map(([name, each]) => {
    const field = choices.map((choice) => choice.properties?.[name]).find(Boolean);
    const others = choices.map((choice) => choice.additionalProperties).find(isSchema);
    const inside = field ?? others;
    const text = literal(each, inside ? contract.choices(inside) : [], contract, depth + 1);
    return `${textOf(field ? snake(name) : name)}: ${text}`;
  });
  return layout("{", pairs, "}", depth);
}

function isSchema(found) {
  return typeof found === "object" && found !== null;
}

function layout(open, parts, close, depth) {
  const line = `${open}${parts.join(", ")}${close}`;
  if (line.length < 72 && !line.includes("\n")) return line;
  const indent = "    ".repeat(depth);
  return `${open}\n${parts.map((part) => `${indent}    ${part},\n`).join("")}${indent}${close}`;
}

/** JSON's numbers and texts are Python's, too. */
function textOf(value) {
  return JSON.stringify(value);
}

function longText(text) {
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
