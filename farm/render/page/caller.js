// Runs the request's own scripts, in the page's main world, with the page's rights. The page may
// have changed every function that is used here. The result is short: a value of the page may be as
// large as its memory.
async function (name, text) {
  // The debugger may compile texts, whatever the page's policy (CSP) says.
  const compiled = (code) => {
    try {
      return (0, eval)(code);
    } catch {
      return null;
    }
  };
  const asExpression = () => compiled(`async () => (\n${text.replace(/[;\s]+$/, '')}\n)`);

  // Runs a script, which may use `await` as a module does: either an expression, or a function's
  // body.
  const run = () => {
    if (!/\bawait\b/.test(text)) return (0, eval)(text);
    const declares = /^(?:\s|\/\/.*|\/\*[^]*?\*\/)*(?:async\s+)?(?:function|class)\b/.test(text);
    const expression = !declares && asExpression();
    if (expression) return expression();
    // Outside of an `async` function, `await (x)` would call a function of that name.
    const awaits = /\bawait\s*[([`+\-/]/.test(text) || !compiled(`(() => {\n${text}\n})`);
    const body = awaits && compiled(`(async () => {\n${text}\n})`);
    return body ? body() : (0, eval)(text);
  };

  const isTruthy = async () => {
    const expression = asExpression();
    let value = expression ? await expression() : await (0, eval)(text);
    if (typeof value === 'function') value = await value();
    return Boolean(value);
  };

  const messageOf = (error) => {
    let message, cut = '';
    try {
      message = error instanceof Error ? `${error.name}: ${error.message}` : `${error}`;
    } catch {
      message = 'an object';
    }
    for (let n = 0; n < 500 && n < message.length; n++) cut += message[n];
    return cut;
  };

  try {
    if (name === 'isTruthy') return { value: await isTruthy() };
    await run();
    return {};
  } catch (error) {
    return { error: messageOf(error) };
  }
}
