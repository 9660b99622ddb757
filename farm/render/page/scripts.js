// The farm's own functions. They run in an isolated world of the page, where changes that the page
// has made to its globals have no effect. `scripts.py` sends this file with each call; `name` is
// one of `farm`.
async function (name, ...args) {
  // In a document that may not run scripts (a sandbox), timers and frame callbacks never fire.
  const canWait = () => !matchMedia('(scripting: none)').matches;

  // A form's field that is named `style` hides the form's own property, also in this world.
  const formStyle = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'style').get;
  const styleOf = (element) =>
    element instanceof HTMLFormElement ? formStyle.call(element) : element.style;
  const attribute = (element) => Element.prototype.getAttribute.call(element, 'style');

  // The text cursor blinks. It is hidden as in Playwright's own screenshots. Each frame hides its
  // own, since the focus may be in a frame of another site.
  const hideCursor = () => {
    for (let root = document; root?.activeElement; root = root.activeElement.shadowRoot) {
      const active = root.activeElement;
      const style = styleOf(active);
      if (!style || (active === document.body && !active.isContentEditable)) continue;
      const before = attribute(active);
      style.setProperty('caret-color', 'transparent', 'important');
      const after = attribute(active);
      // The world lives as long as the document.
      if (!Object.hasOwn(globalThis, 'hidden')) globalThis.hidden = new Map();
      if (before !== after) globalThis.hidden.set(active, { before, after });
    }
  };

  const isInView = (element) => {
    const box = element.getBoundingClientRect();
    return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  };

  // A frame that cannot be seen is not drawn. The page itself is drawn, but late on a busy machine.
  const drawn = () =>
    Promise.race([
      new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      new Promise((done) => setTimeout(done, window === top ? 2000 : 200)),
    ]);

  // The part that answers have, without lone surrogates.
  const title = () => document.title.slice(0, 300).replace(/\p{Cs}/gu, '');

  // Waits until fonts are loaded and images in view are decoded. It asks for the layout first,
  // since only a layout tells the document which fonts it needs. `hasTimers`: whether the page's
  // clock runs.
  const settle = async (awaitFrames, hasTimers) => {
    hideCursor();
    const runs = canWait();
    if (runs) {
      document.documentElement?.getBoundingClientRect();
      await document.fonts?.ready;
      const images = [...(document.images ?? [])].filter((image) => image.complete && isInView(image));
      await Promise.all(images.map((image) => image.decode().catch(() => {})));
      if (hasTimers) {
        // `autofocus` takes effect with the next frame, and printing draws none.
        if (awaitFrames || document.querySelector('[autofocus]')) await drawn();
        // Frames are drawn before messages that have arrived are delivered.
        if (awaitFrames) await new Promise((done) => setTimeout(done));
      }
      hideCursor();
    }
    return { frames: window.length, waits: runs && hasTimers, title: title() };
  };

  const farm = {
    settle,

    // Makes `html` the document. What it still loads then is waited for by its events.
    write: async (html, awaitFrames, hasTimers) => {
      document.open();
      document.write(html);
      document.close();
      // Without timers only events say more.
      if (!hasTimers || !canWait()) return null;
      if (document.readyState !== 'complete') return null;
      // The load event comes after this turn.
      await new Promise((done) => setTimeout(done));
      const written = performance.now();
      document.documentElement?.getBoundingClientRect();
      if (document.fonts?.status === 'loading') return null;
      return { ...(await settle(awaitFrames, hasTimers)), ms: performance.now() - written };
    },

    // Does not wait: for pages that are too busy.
    hideCursor: async () => {
      hideCursor();
      return { title: title() };
    },
  };
  return farm[name](...args);
}
