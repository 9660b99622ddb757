// What a request does to its page: for `actions.py`. The functions run in an isolated world of the
// main document, as those of `scripts.js` do, and none of them waits. Methods of the document are
// taken from its prototype: an element that is named like a method would be found instead.
async function (name, ...args) {
  const all = (selector) => [...Document.prototype.querySelectorAll.call(document, selector)];
  const first = (selector) => Document.prototype.querySelector.call(document, selector);

  const isSelector = (selector) => {
    try {
      document.createDocumentFragment().querySelector(selector);
      return true;
    } catch {
      return false;
    }
  };

  const isVisible = (element) => {
    const box = Element.prototype.getBoundingClientRect.call(element);
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility === 'visible';
  };

  const addSheet = (sheet) => document.adoptedStyleSheets.push(sheet);

  const parentOf = Object.getOwnPropertyDescriptor(Node.prototype, 'parentElement').get;
  const canScroll = (element) =>
    element.scrollHeight > element.clientHeight + 1 &&
    ['auto', 'scroll', 'overlay'].includes(getComputedStyle(element).overflowY);

  const canRootScroll = (root) =>
    root.scrollHeight > innerHeight + 1 &&
    !['hidden', 'clip'].includes(getComputedStyle(document.documentElement).overflowY);

  // The elements that scroll the page: those that take most of the viewport (the body, or another
  // element), and the document itself.
  const findScrollers = () => {
    const root = document.scrollingElement ?? document.documentElement;
    let element = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    while (element && !(element !== root && canScroll(element)))
      element = parentOf.call(element);
    const isLarge = element && element.clientWidth * element.clientHeight * 2 > innerWidth * innerHeight;
    return [...(isLarge ? [element] : []), ...(root && canRootScroll(root) ? [root] : [])];
  };

  const scrollTo = (element, top) => Element.prototype.scrollTo.call(element, { top, behavior: 'instant' });

  const farm = {
    // The index of the first invalid selector; -1 if all are valid.
    wrong: (selectors) => selectors.findIndex((selector) => !isSelector(selector)),

    has: (selector, state) => {
      const element = first(selector);
      if (state === 'attached') return element !== null;
      return (element !== null && isVisible(element)) === (state === 'visible');
    },

    // Style sheets that a script makes are not subject to the page's policy, and take no @import.
    style: (texts) => {
      for (const text of texts) {
        if (/@import/i.test(text)) {
          const element = document.createElement('style');
          element.textContent = text;
          (document.head ?? document.documentElement)?.append(element);
        } else {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(text);
          addSheet(sheet);
        }
      }
    },

    // Where to click the first match; null if there is nothing to click.
    point: (selector) => {
      const element = first(selector);
      if (element === null || !isVisible(element)) return null;
      const center = { block: 'center', inline: 'center', behavior: 'instant' };
      Element.prototype.scrollIntoView.call(element, center);
      const box = [...element.getClientRects()].find(({ width, height }) => width > 0 && height > 0);
      if (box === undefined) return null;
      const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
      const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
      return left < right && top < bottom ? { x: (left + right) / 2, y: (top + bottom) / 2 } : null;
    },

    scrollTo: (target) => {
      const start = { block: 'start', behavior: 'instant' };
      if (typeof target === 'string') {
        const element = first(target);
        if (element) Element.prototype.scrollIntoView.call(element, start);
        return;
      }
      const depth = (element) => element.scrollHeight - element.clientHeight;
      const [deepest] = findScrollers().sort((one, other) => depth(other) - depth(one));
      if (deepest) scrollTo(deepest, target);
    },

    // The number of scrollers. The functions below take an index, from 0.
    findScrollers: () => {
      globalThis.scrollers = findScrollers();
      return scrollers.length;
    },

    // Scrolls on by most of what is in view, so that what its edge cuts is then seen whole.
    scrollOn: (number) => {
      const element = globalThis.scrollers[number];
      const before = element.scrollTop;
      scrollTo(element, before + Math.max(1, element.clientHeight * 0.8));
      return { before, top: element.scrollTop, height: element.scrollHeight };
    },

    // Returns nothing: a promise of the scrolling's end would be awaited, and is fulfilled with a
    // frame only.
    scrollBack: (number, top) => {
      scrollTo(globalThis.scrollers[number], top);
    },

    // A rule also applies to what the page adds later. An element inside a hidden one may be
    // visible.
    hide: (selectors) => {
      const sheet = new CSSStyleSheet();
      for (const selector of selectors) {
        const add = (text) => {
          const rule = sheet.cssRules[sheet.insertRule('*{visibility:hidden!important}')];
          rule.selectorText = 'none-such';
          rule.selectorText = text;
          return rule;
        };
        const rule = add(selector);
        add(`:is(${rule.selectorText}) *`);
      }
      addSheet(sheet);
    },

    remove: (selectors) => {
      for (const element of selectors.flatMap(all)) Element.prototype.remove.call(element);
    },
  };
  return farm[name](...args) ?? null;
}
