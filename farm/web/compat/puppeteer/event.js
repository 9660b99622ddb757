// Whether an event has come to the document or the window since this was first asked.
(name) => {
  const key = Symbol.for(`event ${name}`);
  if (!globalThis[key]) {
    const mark = (globalThis[key] = { came: false });
    const note = () => (mark.came = true);
    document.addEventListener(name, note, { once: true });
    addEventListener(name, note, { once: true });
  }
  return globalThis[key].came;
}
