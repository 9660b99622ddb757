// What the farm tells of a render: its times as a bar, and what the page did and lacked, in lists.

import { byId, bytesText, el, msText, plural } from "./dom.js";

const STEPS = [
  ["wait", "Wait", "in the line for a page"],
  ["load", "Load", "the document and what it names"],
  ["settle", "Settle", "until nothing is under way"],
  ["capture", "Capture", "the file itself"],
  ["report", "Report", "looking at the page afterwards"],
];

/** The times of a render, and what the way to the farm took besides. */
export function showTimings(timings, wholeMs) {
  const node = byId("timings");
  node.hidden = !timings;
  if (!timings) return;
  const parts = STEPS.map(([name, label, about]) => ({
    name,
    label,
    about,
    ms: timings[name] ?? 0,
  }));
  const farm = parts.reduce((sum, part) => sum + part.ms, 0);
  parts.push({
    name: "rest",
    label: "Rest",
    about: "sending, encoding, reading",
    ms: Math.max(0, wholeMs - farm),
  });
  const whole = farm + parts.at(-1).ms || 1;
  const bar = el(
    "div",
    { class: "bar-chart", "aria-hidden": "true" },
    parts.map((part) => {
      const piece = el("span", {
        class: `part part-${part.name}`,
        title: `${part.label}: ${msText(part.ms)}`,
      });
      piece.style.flexGrow = String(part.ms / whole);
      return piece;
    }),
  );
  const legend = el(
    "dl",
    { class: "legend" },
    parts.map((part) =>
      el(
        "div",
        { class: `part-${part.name}`, title: part.about },
        el("dt", {}, part.label),
        el("dd", {}, msText(part.ms)),
      ),
    ),
  );
  node.replaceChildren(bar, legend);
}

/** The lists of a report that have something in them, folded. */
export function showReport(data) {
  const node = byId("report");
  const open = new Set(
    [...node.querySelectorAll("details[open]")].map((each) => each.dataset.name),
  );
  const lists = data ? sections(data) : [];
  node.replaceChildren(
    ...lists.map(({ name, title, count, kind, rows }) => {
      const badge = el("span", { class: `count ${kind ?? ""}` }, String(count));
      return el(
        "details",
        { "data-name": name, open: open.has(name) },
        el("summary", { class: "unfolds" }, title, " ", badge),
        el(
          "ul",
          {},
          rows.map((row) => el("li", {}, row)),
        ),
      );
    }),
  );
}

function sections(data) {
  const report = data.report ?? {};
  const found = [];
  const add = (name, title, rows, kind, count) => {
    if (rows.length) found.push({ name, title, rows, kind, count: count ?? rows.length });
  };
  add(
    "errors",
    "Page errors",
    (report.pageErrors ?? []).map((each) => [code(each.text), place(each)]),
    "bad",
  );
  add(
    "failed",
    "Failed requests",
    (report.requests?.failed ?? []).map((each) => [
      code(each.url),
      quiet(`${each.status ? `${each.status}, ` : ""}${each.reason}`),
    ]),
    "bad",
  );
  add(
    "blocked",
    "Blocked",
    (report.blocked ?? data.blocked ?? []).map((each) => [
      code(each.url ?? each.host),
      quiet(each.reason),
    ]),
    "bad",
  );
  add(
    "unfinished",
    "Unfinished",
    (data.unfinished ?? []).map((each) => [code(each)]),
    "bad",
  );
  add("late", "Timed out", data.timedOut ? [[code(data.timedOut)]] : [], "bad");
  add(
    "glyphs",
    "Missing glyphs",
    (report.missingGlyphs ?? []).map((each) => [
      el("span", { class: "glyph" }, each.character),
      quiet(each.codePoints),
    ]),
    "bad",
  );
  add(
    "console",
    "Console",
    (report.console ?? []).map((each) => [
      el(
        "span",
        { class: `level level-${/^\w+$/.test(each.level) ? each.level : "log"}` },
        each.level,
      ),
      code(each.text),
      place(each),
    ]),
  );
  add(
    "redirects",
    "Redirects",
    (report.redirects ?? []).map((each) => [quiet(String(each.status ?? "")), code(each.url)]),
  );
  const requests = report.requests;
  add(
    "requests",
    "Requests",
    (requests?.slowest ?? []).map((each) => [
      code(each.url),
      quiet(`${each.status ?? ""} ${each.type}, ${msText(each.ms)}, ${bytesText(each.bytes)}`),
    ]),
    null,
    requests?.count,
  );
  add(
    "fonts",
    "Fonts",
    (report.fonts ?? []).map((each) => [
      each.family,
      quiet(each.isWebFont ? "web font" : each.name),
    ]),
  );
  return found;
}

function code(text) {
  return el("code", {}, text);
}

function quiet(text) {
  return el("span", { class: "quiet-text" }, text);
}

function place({ url, line }) {
  if (!url && !line) return null;
  return quiet([url, line ? `line ${line}` : null].filter(Boolean).join(", "));
}

/** The report in a few words, for the line of the status. */
export function summary(data) {
  const report = data.report ?? {};
  const words = [
    [report.pageErrors?.length, "page error"],
    [report.requests?.failed?.length, "failed request"],
    [(report.blocked ?? data.blocked)?.length, "blocked"],
    [report.missingGlyphs?.length, "missing glyph"],
  ];
  return words
    .filter(([count]) => count)
    .map(([count, word]) => (word === "blocked" ? `${count} blocked` : plural(count, word)))
    .join(", ");
}
