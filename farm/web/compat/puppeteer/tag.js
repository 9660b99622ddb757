// Adds an element (`script` or `link`) that loads something, until it has.
(kind, attributes) =>
  new Promise((resolve, reject) => {
    const element = document.createElement(kind);
    const { content, ...others } = attributes;
    for (const [name, value] of Object.entries(others)) element.setAttribute(name, value);
    if (content !== undefined) element.textContent = content;
    element.onload = () => resolve();
    element.onerror = () => reject(new Error(`could not load ${others.src ?? others.href ?? kind}`));
    (document.head ?? document.documentElement).append(element);
  })
