// The state of the playground in the URL's fragment, which is never sent to a server.
//
// `#s=` and what is rendered, how: JSON, compressed, in base64url. `#example=` and a name. The key is
// no part of it.

/** More than that is no link that anybody could send. */
const LONGEST = 200_000;
/** What a link may become when it is read. */
const LARGEST = 8_000_000;

/** The fragment of a state; null: it would be too long. */
export async function written(state) {
  if (state.text.length > LARGEST) return null;
  const json = new TextEncoder().encode(JSON.stringify(state));
  if (json.length > LARGEST) return null;
  const packed = await bytesOf(
    new Blob([json]).stream().pipeThrough(new CompressionStream("deflate-raw")),
    LARGEST,
  );
  const text = base64url(packed);
  return text.length > LONGEST ? null : `#s=${text}`;
}

/** The state in a fragment, `{example: name}`, or null where there is none that can be read. */
export async function read(fragment) {
  const [, name, value] = /^#(s|example)=(.*)$/.exec(fragment) ?? [];
  if (!name) return null;
  if (name === "example") return { example: value };
  try {
    const packed = Uint8Array.from(
      atob(value.replaceAll("-", "+").replaceAll("_", "/")),
      (letter) => letter.charCodeAt(0),
    );
    const json = await bytesOf(
      new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")),
      LARGEST,
    );
    return sane(JSON.parse(new TextDecoder().decode(json)));
  } catch {
    return null;
  }
}

/** What a link may say, and nothing else of it. */
function sane(state) {
  const { source, text, options = {}, beside = {} } = state;
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const isSane =
    ["html", "markdown", "url"].includes(source) &&
    typeof text === "string" &&
    isObject(options) &&
    isObject(beside);
  return isSane ? { source, text, options, beside } : null;
}

async function bytesOf(stream, most) {
  const chunks = [];
  let length = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new RangeError("too long");
    }
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function base64url(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
