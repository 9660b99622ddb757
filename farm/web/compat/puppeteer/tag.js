// Adds an element (`script` or `link`); of one that loads something, until it has.
(kind, attributes) =>
  new Promise((resolve, reject) => {
    const element = document.createElement(kind);
    const { content, ...others } = attributes;
    for (const [name, value] of Object.entries(others)) element.setAttribute(name, value);
    if (content !== undefined) element.textContent = content;
    const address = others.src ?? others.href;
    element.onload = () => resolve();
    element.onerror = () => reject(new Error(`could not load ${address}`));
    (document.head ?? document.documentElement).append(element);
    if (address === undefined) resolve();
  })
