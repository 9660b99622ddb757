// Finds where things are in a page: for `regions.py`.
async function (name, ...args) {
  const places = Symbol.for('places');
  // A form may have fields that are named like properties.
  const property = (of, name, element) => Reflect.get(of.prototype, name, element);
  const placesAround = (element) => {
    const found = [];
    for (let each = element; each; each = property(Node, 'parentElement', each))
      found.push([each, ...['scrollLeft', 'scrollTop'].map((name) => property(Element, name, each))]);
    return found;
  };
  const farm = {
    // The size of the document, and the position to which it is scrolled.
    pageSize: async () => {
      const roots = [document.documentElement, document.body].filter((root) => root);
      const largest = (...names) =>
        Math.max(0, ...roots.flatMap((root) => names.map((name) => root[name] ?? 0)));
      return {
        width: largest('scrollWidth', 'offsetWidth', 'clientWidth'),
        height: largest('scrollHeight', 'offsetHeight', 'clientHeight'),
        scrollX,
        scrollY,
      };
    },

    // The border box of the first match, in the viewport; null if the selector is invalid.
    boxOf: async (selector) => {
      let element;
      try {
        element = document.querySelector(selector);
      } catch {
        return null;
      }
      if (element === null) return {};
      const { x, y, width, height } = Element.prototype.getBoundingClientRect.call(element);
      // A transform can make it infinite.
      if (![x, y, width, height].every(Number.isFinite)) return {};
      return { x, y, width, height, scrollX, scrollY };
    },

    // Called before the element is scrolled into view: it keeps the scroll positions of all its
    // ancestors.
    elementOf: async (selector) => {
      const element = document.querySelector(selector);
      globalThis[places] ??= placesAround(element);
      return element;
    },

    scrollBack: async () => {
      // The promises are not awaited: they wait for a frame, and there may be none.
      for (const [element, left, top] of globalThis[places] ?? [])
        Element.prototype.scrollTo.call(element, { left, top, behavior: 'instant' });
      delete globalThis[places];
    },
  };
  return farm[name](...args);
}
