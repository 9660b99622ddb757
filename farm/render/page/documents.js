// The document itself as the file: for `documents.py`.
async function (name, ...args) {
  const showCursor = () => {
    for (const [element, { before, after }] of globalThis.hidden ?? []) {
      if (element.getAttribute('style') !== after) element.style.removeProperty('caret-color');
      else if (before === null) element.removeAttribute('style');
      else element.setAttribute('style', before);
    }
    globalThis.hidden?.clear();
  };

  const farm = {
    // The document as it is now, without what the farm did to it; null: it is longer than that.
    html: async (maxLength) => {
      showCursor();
      const doctype = document.doctype;
      const html =
        (doctype ? new XMLSerializer().serializeToString(doctype) : '') +
        (document.documentElement?.outerHTML ?? '');
      return { html: html.length > maxLength ? null : html };
    },

    showCursor: async () => showCursor(),
  };
  return farm[name](...args);
}
