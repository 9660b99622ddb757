// Reads values out of the page, and leaves them as all that the document has: for `reading.py`.
async (name, ...args) => {
  const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

  const isThere = async (selector, timeoutMs) => {
    const end = performance.now() + timeoutMs;
    while (!document.querySelector(selector)) {
      if (performance.now() >= end) return false;
      await after(Math.min(50, Math.max(1, end - performance.now())));
    }
    return true;
  };

  const told = (element) => {
    const { left, top } = element.getBoundingClientRect();
    return {
      attributes: [...element.attributes].map(({ name, value }) => ({ name, value })),
      height: element.offsetHeight,
      html: element.innerHTML,
      left,
      text: element.innerText ?? element.textContent,
      top,
      width: element.offsetWidth,
    };
  };

  const readers = {
    elements: async (elements, html) => {
      for (const [index, { selector }] of elements.entries()) {
        try {
          document.querySelector(selector);
        } catch {
          throw new Error(`elements.${index}.selector must be a CSS selector`);
        }
      }
      const there = await Promise.all(elements.map((each) => isThere(each.selector, each.timeoutMs)));
      const missing = elements.find((each, index) => each.isNeeded && !there[index]);
      if (missing) throw new Error(`Timed out waiting for selector "${missing.selector}"`);
      const values = elements.map(({ selector }) => ({
        results: [...document.querySelectorAll(selector)].map(told),
        selector,
      }));
      return { values, html: html ? document.documentElement.outerHTML : undefined };
    },

    links: async (visibleOnly, ownOnly) => {
      const links = [...document.querySelectorAll('a[href], area[href]')].filter(
        (link) =>
          typeof link.href === 'string' &&
          /^https?:/.test(link.href) &&
          (!visibleOnly || link.checkVisibility({ opacityProperty: true, visibilityProperty: true })) &&
          (!ownOnly || link.host === location.host),
      );
      return { values: links.map((link) => link.href) };
    },
  };

  // In letters that no document writes otherwise.
  const title = document.title;
  const text = JSON.stringify({ title, ...(await readers[name](...args)) }).replace(
    /[<>&\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const holder = document.createElementNS('http://www.w3.org/1999/xhtml', 'farm-values');
  holder.textContent = text;
  (document.documentElement ?? document).replaceChildren(holder);
}
