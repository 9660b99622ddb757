// Runs in the page's main world, with a function of the caller's as `this`.
async function () {
  let value = await this();
  if (typeof value === 'function') value = await value();
  return Boolean(value);
}
