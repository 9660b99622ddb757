// Asks the farm for a render: once for all changes of a moment, the last one only.

const ROUTES = { html: "render", markdown: "render", url: "render-url" };
/** As long as the farm is busy it is asked again, so many times. */
const MOST_TRIES = 5;

export class Renderer {
  #say;
  #key;
  #timer = 0;
  #running = null;

  /** `say(state)` is told of `{name: "waiting" | "rendering" | "busy" | "done" | "failed" | "cancelled", …}`. */
  constructor(key, say) {
    this.#key = key;
    this.#say = say;
  }

  /** Renders what `request()` gives when nothing has changed for `ms`. */
  soon(request, ms) {
    this.#stop();
    this.#say({ name: "waiting" });
    this.#timer = setTimeout(() => this.#render(request()), ms);
  }

  now(request) {
    this.#stop();
    this.#render(request());
  }

  /** Whoever has asked is told so. */
  cancel() {
    this.#stop();
    this.#say({ name: "cancelled" });
  }

  /** Nothing that was asked for before is shown. */
  #stop() {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = null;
  }

  /** `request`: `{source, body}`; null: there is nothing to be rendered. */
  async #render(request, tries = 1) {
    if (!request) return;
    const mine = new AbortController();
    this.#running = mine;
    const say = (state) => {
      if (this.#running === mine) this.#say({ ...state, source: request.source });
    };
    say({ name: "rendering", since: performance.now() });
    const answer = await this.#ask(request, mine.signal);
    if (this.#running !== mine) return;
    if (answer.retryAfterS && answer.status === 503 && tries < MOST_TRIES) {
      say({ name: "busy", answer, seconds: answer.retryAfterS });
      this.#timer = setTimeout(() => this.#render(request, tries + 1), answer.retryAfterS * 1000);
      return;
    }
    this.#running = null;
    this.#say({ name: answer.data ? "done" : "failed", answer, source: request.source });
  }

  async #ask({ source, body }, signal) {
    const begun = performance.now();
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    const key = this.#key();
    if (key) headers.Authorization = `Bearer ${key}`;
    try {
      const response = await fetch(ROUTES[source], { method: "POST", headers, body, signal });
      const content = await response.json();
      return {
        status: response.status,
        data: content.success ? content.data : null,
        error: content.success ? null : content,
        cache: response.headers.get("X-Farm-Cache"),
        retryAfterS: Number(response.headers.get("Retry-After")) || 0,
        ms: performance.now() - begun,
      };
    } catch (error) {
      const sentence =
        error instanceof SyntaxError
          ? "What answered is no farm: its answer was not JSON."
          : "The farm does not answer. Is it running, and is there a network?";
      return {
        status: 0,
        data: null,
        error: { code: "no_answer", error: sentence },
        retryAfterS: 0,
        ms: performance.now() - begun,
      };
    }
  }
}
