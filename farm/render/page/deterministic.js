// Run in each document and worker of a deterministic render, before anything of the page. What it
// takes the place of is random, or tells of the screen's real frames: the clock itself is virtual.
(() => {
  // The generator known as mulberry32.
  let state = 0x5eed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const replace = (owner, name, made) =>
    Object.defineProperty(owner, name, { value: made, writable: true, configurable: true });

  replace(Math, 'random', () => random() / 2 ** 32);
  const fill = crypto.getRandomValues.bind(crypto);
  replace(crypto, 'getRandomValues', (array) => {
    fill(array); // throws for what cannot be filled
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = random();
    return array;
  });
  if (crypto.randomUUID) {
    const hex = (length) => Array.from({ length }, () => (random() % 16).toString(16)).join('');
    replace(crypto, 'randomUUID', () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`);
  }

  // A frame each 60th of a second of virtual time.
  const { setTimeout, clearTimeout, performance } = self;
  replace(self, 'requestAnimationFrame', (callback) => {
    const now = performance.now();
    const next = (Math.floor((now * 60) / 1000) + 1) * (1000 / 60);
    return setTimeout(() => callback(performance.now()), next - now);
  });
  replace(self, 'cancelAnimationFrame', (handle) => clearTimeout(handle));
})();
