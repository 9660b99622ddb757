// The farm's own functions. They run in an isolated world of the page: what the page did to its
// globals does not reach them. `scripts.py` sends this file with each call; `name` is one of `farm`.
async function (name, ...args) {
  // Where a document may not run scripts (a sandbox), timers and frame callbacks never come.
  const canWait = () => !matchMedia('(scripting: none)').matches;

  // A field of a form's that is named `style` stands in the place of the form's own, also in this
  // world.
  const formStyle = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'style').get;
  const styleOf = (element) =>
    element instanceof HTMLFormElement ? formStyle.call(element) : element.style;
  const attribute = (element) => Element.prototype.getAttribute.call(element, 'style');

  // The text cursor blinks; it is hidden as Playwright's own screenshots do it. Each frame hides its
  // own: the focus may be in one of another site.
  const hideCursor = () => {
    for (let root = document; root?.activeElement; root = root.activeElement.shadowRoot) {
      const active = root.activeElement;
      const style = styleOf(active);
      if (!style || (active === document.body && !active.isContentEditable)) continue;
      const before = attribute(active);
      style.setProperty('caret-color', 'transparent', 'important');
      const after = attribute(active);
      // The world is the document's for as long as it lives.
      if (!Object.hasOwn(globalThis, 'hidden')) globalThis.hidden = new Map();
      if (before !== after) globalThis.hidden.set(active, { before, after });
    }
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

  // As much of it as answers tell, without halves of characters.
  const title = () => document.title.slice(0, 300).replace(/\p{Cs}/gu, '');

  // Fonts are there, and images in view are decoded. The layout is asked for first, since only a
  // layout tells the document which fonts it needs.
  // `hasTimers`: the page's clock goes.
  const settle = async (awaitFrames, hasTimers) => {
    hideCursor();
    const runs = canWait();
    if (runs) {
      document.documentElement?.getBoundingClientRect();
      await document.fonts?.ready;
      const images = [...(document.images ?? [])].filter((image) => image.complete && isInView(image));
      await Promise.all(images.map((image) => image.decode().catch(() => {})));
      if (hasTimers) {
        // `autofocus` is heeded with the next frame, and printing draws none.
        if (awaitFrames || document.querySelector('[autofocus]')) await drawn();
        // Frames are drawn before messages that have come are delivered.
        if (awaitFrames) await new Promise((done) => setTimeout(done));
      }
      hideCursor();
    }
    return { frames: window.length, waits: runs && hasTimers, title: title() };
  };

  const farm = {
    settle,

    // Makes `html` the document. What then still loads is waited for by the events that it causes.
    write: async (html, awaitFrames, hasTimers) => {
      document.open();
      document.write(html);
      document.close();
      // Where no timers come, only its events tell more.
      if (!hasTimers || !canWait()) return null;
      if (document.readyState !== 'complete') return null;
      // The load event comes after this turn.
      await new Promise((done) => setTimeout(done));
      const written = performance.now();
      document.documentElement?.getBoundingClientRect();
      if (document.fonts?.status === 'loading') return null;
      return { ...(await settle(awaitFrames, hasTimers)), ms: performance.now() - written };
    },

    // Nothing here waits: for pages that give no time.
    hideCursor: async () => {
      hideCursor();
      return { title: title() };
    },
  };
  return farm[name](...args);
}
