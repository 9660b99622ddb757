// What is said of a render on its way and at its end: the status, the facts, the problems.

import { byId, bytesText, el, msText, plural, tell } from "./dom.js";
import { isPicture, Stage } from "./picture.js";
import { showReport, showTimings, summary } from "./report.js";

export class Result {
  #stage = new Stage();
  #clock = 0;
  #url = null;

  /** A render's states, as the renderer tells them. */
  show(state) {
    clearInterval(this.#clock);
    const isBusy = state.name === "rendering" || state.name === "busy";
    byId("result").setAttribute("aria-busy", String(isBusy));
    byId("progress").classList.toggle("moves", isBusy);
    byId("cancel").hidden = !isBusy;
    if (state.name === "rendering") this.#rendering(state.since);
    else if (state.name === "busy") this.#busy(state);
    else if (state.name === "cancelled") this.#say("Cancelled.");
    else if (state.name === "done") this.#done(state.answer);
    else if (state.name === "failed") this.failed(state.answer.error, state.answer.retryAfterS);
  }

  #say(text, isBad = false) {
    const status = byId("status");
    byId("result").classList.toggle("bad", isBad);
    byId("view-result").classList.toggle("bad", isBad);
    if (status.textContent !== text) status.textContent = text;
    byId("code").textContent = "";
  }

  #rendering(since) {
    this.#say("Rendering…");
    const button = byId("cancel");
    const tellTime = () => {
      const seconds = Math.floor((performance.now() - since) / 1000);
      // Not in the status itself, which is read aloud.
      button.textContent = seconds > 0 ? `Cancel (${seconds} s)` : "Cancel";
    };
    tellTime();
    this.#clock = setInterval(tellTime, 250);
  }

  #busy({ answer, seconds }) {
    byId("cancel").textContent = "Cancel";
    this.#say(`The farm is busy (${answer.error.code}). It is asked again in ${seconds} s.`, true);
  }

  async #done(answer) {
    const { data } = answer;
    this.#stage.fade(false);
    byId("notice").hidden = true;
    const files = data.outputs ?? [data];
    this.#tabs(files, data);
    showTimings(data.report?.timings, answer.ms);
    showReport(data);
    const found = summary(data);
    const from = { hit: " from the cache", joined: " with another request" }[answer.cache] ?? "";
    const what = data.outputs
      ? plural(files.length, "file")
      : isPicture(data.format)
        ? "The picture"
        : data.format.toUpperCase();
    this.#say(`${what}${from} in ${msText(answer.ms)}${found ? `: ${found}` : ""}.`);
    await this.#file(files[0], data);
  }

  #tabs(files, data) {
    const list = byId("files");
    list.hidden = files.length < 2;
    list.replaceChildren(
      ...(files.length < 2 ? [] : files).map((file, place) =>
        el(
          "button",
          {
            type: "button",
            role: "tab",
            "aria-controls": "stage",
            "aria-selected": String(place === 0),
            onclick: (event) => {
              for (const tab of list.children)
                tab.setAttribute("aria-selected", String(tab === event.currentTarget));
              this.#file(file, data);
            },
          },
          file.fileName,
        ),
      ),
    );
  }

  async #file(file, data) {
    const url = await this.#stage.show({ ...file, title: data.title });
    if (url === null) return;
    this.#url = url;
    const sides = isPicture(file.format)
      ? `${file.width} × ${file.height}`
      : file.pages
        ? plural(file.pages, "page")
        : null;
    byId("facts").replaceChildren(
      ...[sides, file.format.toUpperCase(), bytesText(file.size)]
        .filter(Boolean)
        .map((text) => el("span", {}, text)),
    );
    byId("facts").append(
      ...(data.title ? [el("span", { class: "title", title: data.title }, data.title)] : []),
    );
    const link = byId("download");
    link.hidden = false;
    link.href = url;
    link.download = file.fileName ?? `page.${file.format}`;
  }

  /** Says what went wrong, beside the last picture. */
  failed(error, retryAfterS = 0) {
    this.#stage.fade(true);
    const again = retryAfterS ? ` Try again in ${retryAfterS} s.` : "";
    this.#say(`${error.error}${again}`, true);
    byId("code").textContent = error.code;
    const details = error.details ?? [];
    const notice = byId("notice");
    notice.replaceChildren(
      el(
        "ul",
        {},
        details.map(({ field, problem }) => el("li", {}, el("code", {}, field), " ", problem)),
      ),
    );
    notice.hidden = details.length < 2;
    showTimings(null);
    showReport(null);
  }

  /** There is nothing to be rendered, or not yet; `text` says what to do. */
  empty(text) {
    this.#say(text);
    this.#stage.clear();
    byId("facts").replaceChildren();
    byId("files").hidden = true;
    byId("download").hidden = true;
    tell(byId("notice"), null);
    showTimings(null);
    showReport(null);
  }
}
