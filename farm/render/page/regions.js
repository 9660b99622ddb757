// Where things are in a page: for `regions.py`.
async function (name, ...args) {
  const farm = {
    // How large the document is, and where it is scrolled to.
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

    scrollTo: async (x, y) => {
      // Its promise is not awaited: it waits for a frame, of which there may be none.
      window.scrollTo({ left: x, top: y, behavior: 'instant' });
    },

    // The border box of the first match, in the viewport; null: that is no selector.
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

    elementOf: async (selector) => document.querySelector(selector),
  };
  return farm[name](...args);
}
