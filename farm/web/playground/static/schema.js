// The OpenAPI document: what a request may have, as the form needs it.

const PLACE = "#/components/schemas/";

export async function loadDocument() {
  const response = await fetch("openapi.json");
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  return new Contract(await response.json());
}

export class Contract {
  constructor(document) {
    this.schemas = document.components.schemas;
  }

  /** A schema without `$ref`, and without one `anyOf` in another. */
  resolve(schema) {
    let found = schema;
    while (found.$ref) {
      const { $ref, ...beside } = found;
      found = { ...this.schemas[$ref.slice(PLACE.length)], ...beside };
    }
    if (!found.anyOf) return found;
    const choices = found.anyOf.flatMap((choice) => {
      const resolved = this.resolve(choice);
      return resolved.anyOf ?? [resolved];
    });
    return { ...found, anyOf: choices };
  }

  /** What a value may be: the schemas of `anyOf`, or the one. */
  choices(schema) {
    const found = this.resolve(schema);
    return found.anyOf ?? [found];
  }

  /** The schema of a request of this source. */
  requestOf(source) {
    return this.schemas[
      { html: "HtmlRequest", markdown: "MarkdownRequest", url: "UrlRequest" }[source]
    ];
  }

  /** The groups of options: `{name, description, fields: [[name, schema], …]}`. */
  groups() {
    const options = this.schemas.RenderOptions;
    const groups = options["x-groups"].map(({ name, description, options: names }) => ({
      name,
      description,
      fields: names.map((option) => [option, this.resolve(options.properties[option])]),
    }));
    // What everybody changes first is first.
    groups.sort((one, other) => (other.name === "capture") - (one.name === "capture"));
    return groups;
  }

  /** What stands beside `options` in a request of this source. */
  beside(source) {
    const left = new Set(["html", "markdown", "url", "options", "report"]);
    return Object.entries(this.requestOf(source).properties)
      .filter(([field]) => !left.has(field))
      .map(([field, schema]) => [field, this.resolve(schema)]);
  }
}

/** A description without the unit at its end, which has a place of its own. */
export function description(schema) {
  const unit = schema["x-unit"];
  const text = schema.description ?? "";
  return unit ? text.replace(new RegExp(`\\s*In ${unit}\\.$`), "") : text;
}

export function same(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  const names = Object.keys(one);
  return (
    Array.isArray(one) === Array.isArray(other) &&
    names.length === Object.keys(other).length &&
    names.every((name) => name in other && same(one[name], other[name]))
  );
}
