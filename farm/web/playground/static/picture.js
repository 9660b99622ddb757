// The rendered files on the stage: pictures as pictures, PDFs as PDFs, all else as text.
//
// A file's bytes come from a stranger's page. They are only ever an image's, a PDF's or a text's, of
// a type that is decided here.

import { byId, el, icon } from "./dom.js";

const PICTURES = { png: "image/png", jpeg: "image/jpeg", webp: "image/webp", avif: "image/avif" };
const MOST_SHOWN = 200_000;
/** A picture that is so many times as high as wide is fitted by its width. */
const TALL = 2;

export function isPicture(format) {
  return format in PICTURES;
}

export class Stage {
  #urls = [];
  #zoom = "fit";
  #current = 0;

  constructor() {
    this.node = byId("stage");
    const buttons = [...byId("zoom").querySelectorAll("button")];
    for (const button of buttons) {
      button.addEventListener("click", () => {
        this.#zoom = button.dataset.zoom;
        for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
        this.#fit();
      });
    }
    new ResizeObserver(() => this.#fit()).observe(this.node);
  }

  /** Shows a file of an answer; resolves to its URL, or to null where another came meanwhile. */
  async show(file) {
    const mine = (this.#current += 1);
    const bytes = decode(file.imageBase64);
    const type =
      PICTURES[file.format] ?? (file.format === "pdf" ? "application/pdf" : "text/plain");
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    const shown = await this.#node(file, url, bytes);
    if (mine !== this.#current) {
      URL.revokeObjectURL(url);
      return null;
    }
    const old = this.#urls;
    this.#urls = [url];
    this.node.replaceChildren(shown);
    this.node.dataset.kind = isPicture(file.format)
      ? "picture"
      : file.format === "pdf"
        ? "pdf"
        : "text";
    byId("zoom").hidden = !isPicture(file.format);
    this.#fit();
    for (const each of old) URL.revokeObjectURL(each);
    return url;
  }

  /** What was shown stays, but looks as if it were of before. */
  fade(isOld) {
    this.node.classList.toggle("old", isOld);
  }

  /** Nothing was rendered of what there is now. */
  clear() {
    this.#current += 1;
    for (const url of this.#urls) URL.revokeObjectURL(url);
    this.#urls = [];
    this.fade(false);
    this.node.dataset.kind = "none";
    this.node.replaceChildren(
      el("div", { class: "nothing" }, icon("picture"), el("p", {}, "The picture will be here.")),
    );
    byId("zoom").hidden = true;
  }

  async #node(file, url, bytes) {
    if (isPicture(file.format)) {
      const image = el("img", { class: "picture", alt: describe(file), src: url });
      // A browser that cannot read it (AVIF) shows its words instead.
      await image.decode().catch(() => {});
      return image;
    }
    if (file.format === "pdf") {
      // Not in a sandbox, where no browser runs its viewer. That it is a PDF is decided above.
      if (navigator.pdfViewerEnabled)
        return el("iframe", {
          class: "document",
          title: describe(file),
          src: `${url}#navpanes=0&view=FitH`,
        });
      return el(
        "div",
        { class: "card" },
        el("p", {}, describe(file)),
        el("p", {}, "This browser shows no PDFs in a page."),
        el("a", { class: "button primary", href: url, download: "page.pdf" }, "Save the PDF"),
      );
    }
    const text = new TextDecoder().decode(bytes);
    const cut = text.length > MOST_SHOWN;
    return el(
      "pre",
      { class: "listing" },
      cut ? `${text.slice(0, MOST_SHOWN)}\n… cut here; the download has all of it` : text,
    );
  }

  #fit() {
    const image = this.node.querySelector("img.picture");
    if (!image?.naturalWidth) return;
    const isTall = image.naturalHeight > TALL * image.naturalWidth;
    image.classList.toggle("fit", this.#zoom === "fit");
    image.classList.toggle("tall", isTall);
    this.node.classList.toggle("full", this.#zoom === "full");
    byId("zoom-fit").textContent =
      this.#zoom === "fit"
        ? `Fit: ${Math.round((100 * image.clientWidth) / image.naturalWidth)} %`
        : "Fit";
  }
}

function describe(file) {
  const title = file.title ? `“${file.title}”, ` : "";
  const pages = file.pages ? `, ${file.pages} ${file.pages === 1 ? "page" : "pages"}` : "";
  if (file.format === "pdf") return `${title}a PDF${pages}`;
  return `${title}${file.width} × ${file.height} pixels`;
}

function decode(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let place = 0; place < text.length; place += 1) bytes[place] = text.charCodeAt(place);
  return bytes;
}
