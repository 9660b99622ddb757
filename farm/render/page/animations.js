// Moves animations to their ends: for `emulation.py`.
async function (name, ...args) {
  const shadowOf = Object.getOwnPropertyDescriptor(Element.prototype, 'shadowRoot').get;
  // The document and the open shadow trees in it.
  const roots = (root) => [
    root,
    // Not through the element's own property: a form's fields can hide it.
    ...[...root.querySelectorAll('*')].flatMap((element) => {
      const shadow = shadowOf.call(element);
      return shadow ? roots(shadow) : [];
    }),
  ];

  // As in Playwright's screenshots: animations with an end are at it, others have not begun.
  const finishAnimations = (root) => {
    for (const animation of root.getAnimations()) {
      if (!animation.effect || animation.playbackRate === 0) continue;
      try {
        if (Number.isFinite(animation.effect.getComputedTiming().endTime)) animation.finish();
        else animation.cancel();
      } catch {
        // An animation that has no end at its rate stays as it is.
      }
    }
  };

  // SVG animations follow the screen's real frames.
  const stopSvg = (root) => {
    for (const svg of root.querySelectorAll('svg')) {
      if (svg.ownerSVGElement) continue;
      svg.pauseAnimations();
      svg.setCurrentTime(0);
    }
  };

  // Also finishes animations that begin when others have ended.
  const keepFinished = (root) => {
    finishAnimations(root);
    for (const event of ['transitionrun', 'animationstart'])
      root.addEventListener(event, () => finishAnimations(root));
  };

  const farm = {
    // `hasTimers`: whether the page's clock runs.
    finishAnimations: async (hasTimers) => {
      for (const root of roots(document)) {
        keepFinished(root);
        if (!hasTimers) stopSvg(root);
      }
    },
  };
  return farm[name](...args);
}
