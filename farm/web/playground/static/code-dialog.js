// The dialog with a render as code.

import { byId, el, tell, toast } from "./dom.js";
import { codeOf, KEY_VARIABLE, LANGUAGES } from "./code.js";
import { tabs } from "./tabs.js";

/** A longer page would make the dialog slow. */
const LONGEST_SHOWN = 1_000_000;

/** `state()` is what is rendered now, `hasKey()` whether a key is sent with it. */
export function codeDialog(state, hasKey) {
  const dialog = byId("code-dialog");
  const list = byId("code-tabs");
  let chosen = LANGUAGES[0];

  function show() {
    const now = state();
    const hints = [chosen.hint];
    if (hasKey()) hints.push(`The key is read from ${KEY_VARIABLE}.`);
    if (now.text.length > LONGEST_SHOWN) {
      now.text = "…";
      hints.push("The page is left out, since it is too long to be shown: put it where … is.");
    }
    const base = document.baseURI.split("#")[0];
    byId("code-listing").textContent = codeOf(chosen, base, now, hasKey());
    byId("code-listing").scrollTop = 0;
    tell(byId("code-hint"), hints.join(" "));
  }

  const select = tabs(list, (tab) => {
    chosen = LANGUAGES.find((language) => language.name === tab.textContent);
    show();
  });
  list.append(
    ...LANGUAGES.map((language) =>
      el("button", { type: "button", role: "tab", "aria-controls": "code-listing" }, language.name),
    ),
  );
  select(list.firstElementChild);

  byId("code-button").addEventListener("click", () => {
    show();
    dialog.showModal();
  });
  byId("code-close").addEventListener("click", () => dialog.close());
  closesOutside(dialog);
  byId("code-copy").addEventListener("click", () =>
    copy(byId("code-listing").textContent, "Copied."),
  );
}

export function closesOutside(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

/** Puts a text on the clipboard and says so; where that is forbidden, says what to do. */
export async function copy(text, sentence) {
  try {
    // There is a clipboard over https and on this machine alone.
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else if (!copySelected(text)) throw new Error("no clipboard");
    toast(sentence);
  } catch {
    toast("This browser gives no way to the clipboard here: select it and copy.");
  }
}

function copySelected(text) {
  const area = el("textarea", { value: text, class: "unseen" });
  const before = document.activeElement;
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  before?.focus();
  return isCopied;
}
