// The farm's own functions. They run in an isolated world of the page: what the page did to its
// globals does not reach them. `scripts.py` sends this file with each call; `name` is one of `farm`.
async function (name, ...args) {
  // Where a document may not run scripts (a sandbox), timers and frame callbacks never come.
  const canWait = () => {
    const probe = document.createElement('div');
    probe.innerHTML = '<noscript><b></b></noscript>';
    return probe.firstChild.firstElementChild === null;
  };

  // The text cursor blinks; it is hidden as Playwright's own screenshots do it. Each frame hides its
  // own: the focus may be in one of another site.
  const hideCursor = () => {
    for (let root = document; root?.activeElement; root = root.activeElement.shadowRoot) {
      const active = root.activeElement;
      if (!active.style || (active === document.body && !active.isContentEditable)) continue;
      const before = active.getAttribute('style');
      active.style.setProperty('caret-color', 'transparent', 'important');
      const after = active.getAttribute('style');
      // The world is the document's for as long as it lives.
      globalThis.hidden ??= new Map();
      if (before !== after) globalThis.hidden.set(active, { before, after });
    }
  };

  const showCursor = () => {
    for (const [element, { before, after }] of globalThis.hidden ?? []) {
      if (element.getAttribute('style') !== after) element.style.removeProperty('caret-color');
      else if (before === null) element.removeAttribute('style');
      else element.setAttribute('style', before);
    }
    globalThis.hidden?.clear();
  };

  const isInView = (element) => {
    const box = element.getBoundingClientRect();
    return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  };

  // A frame that cannot be seen is not drawn; the page itself is, on a busy machine late.
  const drawn = () =>
    Promise.race([
      new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      new Promise((done) => setTimeout(done, window === top ? 2000 : 200)),
    ]);

  // Fonts are there, and images in view are decoded. The layout is asked for first, since only a
  // layout tells the document which fonts it needs.
  const settle = async (awaitFrames) => {
    hideCursor();
    const waits = canWait();
    if (waits) {
      document.documentElement?.getBoundingClientRect();
      await document.fonts?.ready;
      const images = [...(document.images ?? [])].filter((image) => image.complete && isInView(image));
      await Promise.all(images.map((image) => image.decode().catch(() => {})));
      // `autofocus` is heeded with the next frame, and printing draws none.
      if (awaitFrames || document.querySelector('[autofocus]')) await drawn();
      // Frames are drawn before messages that have come are delivered.
      if (awaitFrames) await new Promise((done) => setTimeout(done));
      hideCursor();
    }
    return { frames: window.length, waits };
  };

  const farm = {
    settle,

    // Makes `html` the document. What then still loads is waited for by the events that it causes.
    write: async (html, awaitFrames) => {
      document.open();
      document.write(html);
      document.close();
      if (document.readyState !== 'complete') return null;
      // The load event comes after this turn.
      await new Promise((done) => setTimeout(done));
      const written = performance.now();
      document.documentElement?.getBoundingClientRect();
      if (document.fonts?.status === 'loading') return null;
      return { ...(await settle(awaitFrames)), ms: performance.now() - written };
    },

    // Nothing here waits: for pages that give no time.
    hideCursor: async () => hideCursor(),

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

    // The border box of the first match, in the viewport; null: that is no selector.
    boxOf: async (selector) => {
      let element;
      try {
        element = document.querySelector(selector);
      } catch {
        return null;
      }
      if (element === null) return {};
      const { x, y, width, height } = element.getBoundingClientRect();
      // A transform can make it infinite.
      if (![x, y, width, height].every(Number.isFinite)) return {};
      return { x, y, width, height, scrollX, scrollY };
    },

    elementOf: async (selector) => document.querySelector(selector),

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
