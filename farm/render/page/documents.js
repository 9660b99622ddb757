// Gives the document itself as the file: for `documents.py`.
async function (name, ...args) {
  // Not through the element's own properties: a form's fields can hide them.
  const { getAttribute, removeAttribute, setAttribute } = Element.prototype;
  const styleOf = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'style').get;

  const showCursor = () => {
    const hidden = Object.hasOwn(globalThis, 'hidden') ? globalThis.hidden : new Map();
    for (const [element, { before, after }] of hidden) {
      if (getAttribute.call(element, 'style') !== after) {
        const style = element instanceof HTMLElement ? styleOf.call(element) : element.style;
        style.removeProperty('caret-color');
      } else if (before === null) removeAttribute.call(element, 'style');
      else setAttribute.call(element, 'style', before);
    }
    hidden.clear();
  };

  const farm = {
    // The document as it is now, without the farm's changes; null if it is longer than `maxLength`.
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
