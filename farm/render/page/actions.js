// What is done to a page for its request. They run in an isolated world of the main document, as
// those of `scripts.js` do, and each comes to its end at once. A document's own methods are called by
// its prototype: an element named as one of them would be found in its place.
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
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility === 'visible';
  };

  const addSheet = (sheet) => document.adoptedStyleSheets.push(sheet);

  // What scrolls the page: the document, its body, or the element that takes most of the viewport.
  const scroller = () => {
    const root = document.scrollingElement ?? document.documentElement;
    const canScroll = (element) =>
      element.scrollHeight > element.clientHeight + 1 &&
      ['auto', 'scroll', 'overlay'].includes(getComputedStyle(element).overflowY);
    const canRootScroll =
      root.scrollHeight > innerHeight + 1 &&
      !['hidden', 'clip'].includes(getComputedStyle(document.documentElement).overflowY);
    if (canRootScroll) return root;
    let element = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
    for (; element; element = element.parentElement) if (canScroll(element)) return element;
    return document.body && canScroll(document.body) ? document.body : root;
  };

  const scrollTo = (element, top) => element.scrollTo({ top, behavior: 'instant' });

  const farm = {
    // Which of the selectors is none; -1: each is one.
    wrong: (selectors) => selectors.findIndex((selector) => !isSelector(selector)),

    has: (selector, state) => {
      const element = first(selector);
      if (state === 'attached') return element !== null;
      return (element !== null && isVisible(element)) === (state === 'visible');
    },

    // Sheets that are made by a script are not subject to the page's policy, and take no @import.
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

    // Where to click the first match; null: there is nothing to be clicked.
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
      if (typeof target === 'number') scrollTo(scroller(), target);
      else first(target)?.scrollIntoView({ block: 'start', behavior: 'instant' });
    },

    // Goes on by most of what is in view: what is cut at its edge is seen whole after it.
    scrollOn: () => {
      const element = scroller();
      const before = element.scrollTop;
      scrollTo(element, before + Math.max(1, element.clientHeight * 0.8));
      return { before, top: element.scrollTop, height: element.scrollHeight };
    },

    // A rule holds for what the page adds later too. What is in a hidden element may be visible again.
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
