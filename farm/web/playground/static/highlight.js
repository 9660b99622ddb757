// Text as pieces with kinds, line by line, for the editor's colours. No piece is ever markup.
//
// It is a reading for the eye: what it takes for a tag may not be one to a browser.

const RULES = {
  html: [
    ["comment", /<!--[\s\S]*?(?:-->|$)/y],
    ["tag", /<!doctype[^>]*>/iy],
    ["tag", /<\/?[a-zA-Z][\w:-]*/y, "tag"],
    ["entity", /&(?:#\d+|#x[\da-f]+|\w+);/iy],
    [null, /[^<&]+/y],
  ],
  tag: [
    ["tag", /\/?>/y, "html"],
    ["string", /"[^"]*(?:"|$)|'[^']*(?:'|$)/y],
    ["attribute", /[^\s"'<>\/=]+/y],
    [null, /[\s=\/]+/y],
  ],
  css: [
    ["comment", /\/\*[\s\S]*?(?:\*\/|$)/y],
    ["string", /"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?/y],
    ["keyword", /@[\w-]+/y],
    ["attribute", /--[\w-]+|[a-z-]+(?=\s*:[^:{}]*[;}])/iy],
    ["number", /#[\da-f]{3,8}\b|-?\.?\d+(?:\.\d+)?(?:%|[a-z]+)?/iy],
    [null, /[\w-]+|\s+/y],
  ],
  js: [
    ["comment", /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y],
    ["string", /"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|`(?:[^`\\]|\\[\s\S])*`?/y],
    [
      "keyword",
      /\b(?:async|await|break|case|catch|class|const|continue|default|delete|do|else|export|false|finally|for|from|function|if|import|in|instanceof|let|new|null|of|return|static|switch|this|throw|true|try|typeof|undefined|var|void|while|yield)\b/y,
    ],
    ["number", /\b\d[\d_.]*(?:e[+-]?\d+)?\b/iy],
    [null, /[\w$]+|\s+/y],
  ],
  markdown: [
    ["comment", /<!--[\s\S]*?(?:-->|$)/y],
    ["string", /(?<![^\n])(```|~~~)[\s\S]*?(?:\n\1[^\n]*|$)/y],
    ["keyword", /(?<![^\n])#{1,6} [^\n]*/y],
    ["tag", /(?<![^\n])\s*(?:[-*+]|\d+[.)]) /y],
    ["comment", /(?<![^\n])> ?/y],
    ["string", /`[^`\n]+`/y],
    ["strong", /\*\*[^*\n]+\*\*|__[^_\n]+__/y],
    ["emphasis", /\*[^*\n]+\*|_[^_\n]+_(?!\w)/y],
    ["attribute", /!?\[[^\]\n]*\]\([^)\n]*\)/y],
    [null, /[^\n`*_!\[<]+|\n/y],
  ],
};
const RAW = { "<style": ["css", /<\/style/gi], "<script": ["js", /<\/script/gi] };

/** `[[kind, text], …]` of the whole text; kind null: nothing of its own. */
export function pieces(text, language) {
  if (language === "markdown") return read(text, 0, text.length, "markdown");
  const found = [];
  let at = 0;
  let mode = "html";
  let opened = null;
  while (at < text.length) {
    const [kind, part, next] = one(text, at, text.length, mode);
    found.push([kind, part]);
    at += part.length;
    if (next === "tag") opened = part.toLowerCase();
    mode = next ?? mode;
    if (next === "html" && RAW[opened] && part !== "/>") {
      const [language, end] = RAW[opened];
      end.lastIndex = at;
      const close = end.exec(text)?.index ?? text.length;
      found.push(...read(text, at, close, language));
      at = close;
    }
    if (next === "html") opened = null;
  }
  return found;
}

function read(text, from, to, mode) {
  const found = [];
  for (let at = from; at < to;) {
    const [kind, part] = one(text, at, to, mode);
    found.push([kind, part]);
    at += part.length;
  }
  return found;
}

function one(text, at, to, mode) {
  for (const [kind, rule, next] of RULES[mode]) {
    rule.lastIndex = at;
    const match = rule.exec(text);
    if (match && match[0].length > 0)
      return [kind, text.slice(at, Math.min(at + match[0].length, to)), next];
  }
  return [null, text[at]];
}

/** The pieces of each line. */
export function lines(text, language) {
  const found = [[]];
  for (const [kind, part] of pieces(text, language)) {
    part.split("\n").forEach((line, place) => {
      if (place > 0) found.push([]);
      if (line) found.at(-1).push([kind, line]);
    });
  }
  return found;
}
