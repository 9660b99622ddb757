// The dialog with a render as code.

import { byId, el, tell, toast } from "./dom.js";
import { bodyOf, codeOf, KEY_VARIABLE, LANGUAGES } from "./code.js";
import { signedLink } from "./link.js";
import { tabs } from "./tabs.js";

/** A longer page would make the dialog slow. */
const LONGEST_SHOWN = 1_000_000;

/** `state()` is what is rendered now, `key()` is sent with it, `contract` says what it may be. */
export function codeDialog(state, key, contract) {
  const dialog = byId("code-dialog");
  const list = byId("code-tabs");
  const listing = byId("code-listing");
  let chosen = LANGUAGES[0];
  let shown = 0;

  async function show() {
    const mine = (shown += 1);
    const now = state();
    const hasKey = Boolean(key());
    const base = document.baseURI.split("#")[0];
    if (!chosen.write) {
      if (now.text.length > LONGEST_SHOWN) {
        say("", null, "The page is too long for a link: put it where a URL leads to it.");
        return;
      }
      say("", "The farm signs it…", null);
      const { link, problem } = await signedLink(bodyOf(now), key(), base);
      if (mine === shown) say(link ?? "", problem ? null : chosen.hint, problem);
      return;
    }
    const hints = [chosen.hint];
    if (hasKey) hints.push(`The key is read from ${KEY_VARIABLE}.`);
    if (now.text.length > LONGEST_SHOWN) {
      now.text = "…";
      hints.push("The page is left out, since it is too long to be shown: put it where … is.");
    }
    say(codeOf(chosen, base, now, hasKey, contract), hints.join(" "), null);
  }

  function say(code, hint, problem) {
    listing.textContent = code;
    listing.scrollTop = 0;
    listing.classList.toggle("wrapped", !chosen.write);
    byId("code-copy").disabled = !code;
    tell(byId("code-hint"), hint);
    tell(byId("code-problem"), problem);
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
    copy(listing.textContent, "Copied."),
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
