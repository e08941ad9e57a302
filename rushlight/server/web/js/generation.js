// One answer on its way: asks, waits where the server is busy, and fills a message with what comes.

import { Failure } from "./failure.js";

const MOST_TRIES = 6;

const wait = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", aborted, { once: true });
  });

/** Dispatches "change" when the message has more, "wait" with the seconds left before another try, and "end". */
export class Generation extends EventTarget {
  #abort = new AbortController();
  #asked = 0;
  #first = 0;
  #last = 0;
  #thinkingSince = 0;

  /** Fill `message`, an answer of `conversation`, from what `api` answers to `body`. */
  constructor(api, conversation, message, body) {
    super();
    Object.assign(this, { api, conversation, message, body, waiting: 0, running: true });
  }

  /** Until the answer has ended, in whatever way; `message.finish` and `message.failure` say how. */
  async run() {
    try {
      await this.#tryUntilItWorks();
      this.message.finish ??= "stop";
    } catch (error) {
      if (this.#abort.signal.aborted) this.message.finish = "stopped";
      else this.#fail(error instanceof Failure ? error : new Failure("page", "The page failed", String(error)));
    }
    this.#endThinking();
    this.running = false;
    this.dispatchEvent(new Event("end"));
  }

  /** Stop. What came so far stays. */
  stop() {
    this.#abort.abort();
  }

  #fail(failure) {
    this.message.finish = "failed";
    this.message.failure = failure.data;
  }

  async #tryUntilItWorks() {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#ask();
      } catch (error) {
        if (error.kind !== "busy" || this.#first || tries === MOST_TRIES) throw error;
        await this.#pause(error.retrySeconds);
      }
    }
  }

  async #pause(seconds) {
    for (this.waiting = Math.max(1, seconds); this.waiting > 0; this.waiting--) {
      this.dispatchEvent(new CustomEvent("wait", { detail: this.waiting }));
      await wait(1000, this.#abort.signal);
    }
    this.dispatchEvent(new CustomEvent("wait", { detail: 0 }));
  }

  async #ask() {
    this.#asked = performance.now();
    for await (const chunk of this.api.chat(this.body, this.#abort.signal)) this.#take(chunk);
  }

  #take(chunk) {
    const { message } = this;
    const [choice] = chunk.choices ?? [];
    const reasoning = choice?.delta?.reasoning_content ?? "";
    const content = choice?.delta?.content ?? "";
    if (chunk.model) message.model = chunk.model;
    if (choice?.finish_reason) message.finish = choice.finish_reason;
    if (choice?.seed !== undefined) message.seed = choice.seed;
    if (chunk.usage) this.#count(chunk);
    if (!reasoning && !content) return;
    this.#last = performance.now();
    this.#first ||= this.#last;
    if (reasoning) this.#thinkingSince ||= this.#last;
    if (content.trim()) this.#endThinking();
    message.reasoning += reasoning;
    message.content += content;
    this.dispatchEvent(new Event("change"));
  }

  #endThinking() {
    if (this.#thinkingSince && this.message.thought_ms === undefined) {
      this.message.thought_ms = Math.round(performance.now() - this.#thinkingSince);
    }
  }

  // The server's own timings where it tells them; else what was measured here.
  #count({ usage, timings }) {
    const tokens = usage.completion_tokens;
    const between = (this.#last - this.#first) / 1000;
    const rate = timings?.predicted_per_second ?? (tokens > 1 && between > 0 ? (tokens - 1) / between : null);
    this.message.usage = {
      prompt_tokens: usage.prompt_tokens,
      completion_tokens: tokens,
      cached_tokens: usage.prompt_tokens_details?.cached_tokens ?? null,
    };
    this.message.speed = {
      tokens_per_second: rate,
      first_ms: this.#first ? Math.round(this.#first - this.#asked) : null,
    };
  }
}
