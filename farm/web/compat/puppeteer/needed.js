// Throws where nothing matches.
(selector) => {
  if (!document.querySelector(selector)) throw new Error('Element not found on page!');
}
