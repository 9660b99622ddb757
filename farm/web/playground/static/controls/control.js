// What every control of the form is, and which one a schema gets.
//
// A control has `node`, `get()` (undefined: not given), `set(value)`, `fault()` (what cannot be
// sent, in words) and `at(path)`: the control that is nearest to a place in its value.

import { choice, chips } from "./choice.js";
import { either } from "./either.js";
import { json } from "./json.js";
import { list } from "./list.js";
import { fields } from "./object.js";
import { pairs } from "./pairs.js";
import { number, text, toggle } from "./scalar.js";

let last = 0;

/** An id that no other element has. */
export function freshId(name) {
  last += 1;
  return `c${last}-${name.replace(/\W/g, "")}`;
}

export function isObject(schema) {
  return schema.type === "object" && Boolean(schema.properties);
}

function isScalar(schema) {
  return (
    ["string", "integer", "number", "boolean"].includes(schema.type) ||
    "enum" in schema ||
    "const" in schema
  );
}

/** `context`: `contract`, `changed()` to be called, and `labelledBy` and `describedBy` of its label. */
export function control(schema, context) {
  if (schema.anyOf) {
    const objects = schema.anyOf.filter((each) => !isScalar(each));
    if (objects.length === 0) return text(schema, context);
    return objects.length === 1 && isObject(objects[0])
      ? either(schema, context)
      : json(schema, context);
  }
  if (schema.enum) return choice(schema, context);
  if (schema.type === "boolean")
    return "default" in schema ? toggle(schema, context) : choice(asEnum(schema), context);
  if (schema.type === "integer" || schema.type === "number") return number(schema, context);
  if (schema.type === "string") return text(schema, context);
  if (isObject(schema)) return fields(schema, context);
  if (schema.type === "object") {
    const values = context.contract.resolve(schema.additionalProperties ?? {});
    return values.type === "string" && !values.anyOf
      ? pairs(schema, context)
      : json(schema, context);
  }
  if (schema.type === "array") {
    const items = context.contract.resolve(schema.items);
    return items.enum ? chips(schema, items, context) : list(schema, items, context);
  }
  return json(schema, context);
}

function asEnum(schema) {
  return { ...schema, enum: [true, false] };
}
