// The server, as far as the page needs it. Addresses are relative, so that the page also works behind a prefix.

import { eventsOf } from "./events.js";
import { Failure, connectionFailure, errorFailure, responseFailure } from "./failure.js";
import { ofTab, setOfTab } from "./preferences.js";

const KEY = "api-key";

/** Requests to the server that served the page. Every method rejects with a `Failure`, or an AbortError. */
export class Api {
  /** The key sent with requests; kept until the tab is closed. */
  get key() {
    return ofTab(KEY, "");
  }

  set key(value) {
    setOfTab(KEY, value || null);
  }

  /** The models: `[{ id, ... }]`. */
  async models() {
    const response = await this.#fetch("v1/models");
    return (await response.json()).data;
  }

  /** Whether the server answers. */
  async isThere() {
    try {
      return (await fetch("health", { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  }

  /** The chunks of a chat completion, while it is written. */
  async *chat(body, signal) {
    const asked = { ...body, stream: true, stream_options: { include_usage: true } };
    const response = await this.#fetch("v1/chat/completions", { method: "POST", body: JSON.stringify(asked), signal });
    let begun = false;
    let ended = false;
    try {
      for await (const data of eventsOf(response.body)) {
        ended ||= data === "[DONE]";
        if (ended) continue;
        const chunk = parsed(data);
        if (chunk.error) throw errorFailure(chunk.error, chunk.error.status ?? null);
        begun = true;
        yield chunk;
      }
    } catch (error) {
      if (ended) return;
      throw error instanceof TypeError ? connectionFailure(begun) : error;
    }
    if (!ended) throw connectionFailure(begun);
  }

  async #fetch(path, options = {}) {
    const headers = { ...(options.body ? { "Content-Type": "application/json" } : {}) };
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    let response;
    try {
      response = await fetch(path, { cache: "no-store", ...options, headers });
    } catch (error) {
      throw error instanceof TypeError ? connectionFailure(false) : error;
    }
    if (!response.ok) throw await responseFailure(response);
    return response;
  }
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new Failure("server", "The server sent something else than JSON", data.slice(0, 200));
  }
}
