// Animations at their end: for `emulation.py`.
async function (name, ...args) {
  const shadowOf = Object.getOwnPropertyDescriptor(Element.prototype, 'shadowRoot').get;
  // The document and the shadow trees in it that can be entered.
  const roots = (root) => [
    root,
    // Not by the element's own property: a form's fields stand in its place.
    ...[...root.querySelectorAll('*')].flatMap((element) => {
      const shadow = shadowOf.call(element);
      return shadow ? roots(shadow) : [];
    }),
  ];

  // As Playwright's screenshots have them: those with an end are there, others have not begun.
  const finishAnimations = (root) => {
    for (const animation of root.getAnimations()) {
      if (!animation.effect || animation.playbackRate === 0) continue;
      try {
        if (Number.isFinite(animation.effect.getComputedTiming().endTime)) animation.finish();
        else animation.cancel();
      } catch {
        // One that has no end to go to at its rate stays as it is.
      }
    }
  };

  // SVG's own go by the screen's real frames.
  const stopSvg = (root) => {
    for (const svg of root.querySelectorAll('svg')) {
      if (svg.ownerSVGElement) continue;
      svg.pauseAnimations();
      svg.setCurrentTime(0);
    }
  };

  // Also those that begin when others have ended.
  const keepFinished = (root) => {
    finishAnimations(root);
    for (const event of ['transitionrun', 'animationstart'])
      root.addEventListener(event, () => finishAnimations(root));
  };

  const farm = {
    // `hasTimers`: the page's clock goes.
    finishAnimations: async (hasTimers) => {
      for (const root of roots(document)) {
        keepFinished(root);
        if (!hasTimers) stopSvg(root);
      }
    },
  };
  return farm[name](...args);
}
