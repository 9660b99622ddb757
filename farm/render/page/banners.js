// Runs in the farm's own world of the page. `rules`: pairs of lists of selectors, each of which
// must match something, and the selectors to hide then. Also undoes the lock on the page's
// scrolling that banners set.
function (rules) {
  // A form's fields can hide its own properties.
  const htmlStyle = Object.getOwnPropertyDescriptor(HTMLElement.prototype, 'style').get;
  const styleOf = (element) =>
    element instanceof HTMLElement ? htmlStyle.call(element) : element.style;
  const all = (selector) => {
    try {
      return [...document.querySelectorAll(selector)];
    } catch {
      return [];
    }
  };
  const roots = [document.documentElement, document.body].filter((root) => root);
  const banners = rules
    .filter(([there]) => there.every((choices) => choices.some((each) => all(each).length)))
    .flatMap(([, hidden]) => hidden.flatMap(all))
    .filter((element) => !roots.includes(element));
  for (const banner of banners) styleOf(banner)?.setProperty('display', 'none', 'important');
  for (const root of banners.length ? roots : [])
    if (getComputedStyle(root).overflowY === 'hidden')
      styleOf(root)?.setProperty('overflow', 'visible', 'important');
}
