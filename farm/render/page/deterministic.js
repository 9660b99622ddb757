// Runs in each document and worker of a deterministic render, before any script of the page. `end`:
// the moment of the capture, in milliseconds since 1970. No timer that is due later runs.
//
// Chromium's virtual clock advances by what the page waits for, and by 10 ms for answers of the
// network; how often depends on which of them arrive together. So the page sees another clock,
// which only its timers advance: when one runs, the time is the moment for which it was set.
(function (end) {
  const replace = (owner, name, value) =>
    Object.defineProperty(owner, name, { value, writable: true, configurable: true });

  // ---- Randomness

  // The generator known as mulberry32.
  let state = 0x5eed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  replace(Math, 'random', () => random() / 2 ** 32);
  const fill = crypto.getRandomValues.bind(crypto);
  replace(crypto, 'getRandomValues', (array) => {
    fill(array); // throws for an array that cannot be filled
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = random();
    return array;
  });
  if (crypto.randomUUID) {
    const hex = (length) => Array.from({ length }, () => (random() % 16).toString(16)).join('');
    replace(crypto, 'randomUUID', () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`);
  }

  // ---- The clock

  const RealDate = Date;
  // A frame begins when the timer that made it was due.
  const origin = Math.floor(RealDate.now() / 100) * 100;
  let clock = origin;
  const { setTimeout, setInterval, clearTimeout } = self;
  const milliseconds = (delay) => Math.max(1, Math.floor(Number(delay)) || 0);
  const run = (due, callback, args) => {
    if (due > end) return;
    clock = Math.max(clock, due);
    callback.apply(self, args);
  };
  replace(self, 'setTimeout', (callback, delay, ...args) => {
    if (typeof callback !== 'function') return setTimeout(callback, delay);
    const due = clock + milliseconds(delay);
    return setTimeout(() => run(due, callback, args), delay);
  });
  replace(self, 'setInterval', (callback, delay, ...args) => {
    if (typeof callback !== 'function') return setInterval(callback, delay);
    let due = clock;
    return setInterval(() => run((due += milliseconds(delay)), callback, args), delay);
  });
  // A frame each 60th of a second.
  replace(self, 'requestAnimationFrame', (callback) => {
    const since = clock - origin;
    const next = Math.ceil(((Math.floor((since * 60) / 1000) + 1) * 1000) / 60);
    return setTimeout(() => run(origin + next, callback, [next]), next - since);
  });
  replace(self, 'cancelAnimationFrame', (handle) => clearTimeout(handle));

  replace(RealDate, 'now', () => clock);
  const PageDate = new Proxy(RealDate, {
    apply: () => new RealDate(clock).toString(),
    construct: (target, args, made) => Reflect.construct(target, args.length ? args : [clock], made),
  });
  replace(RealDate.prototype, 'constructor', PageDate);
  replace(self, 'Date', PageDate);
  replace(Performance.prototype, 'now', () => clock - origin);
  replace(Performance.prototype, 'timeOrigin', origin);
})
