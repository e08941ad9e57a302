// Whether the server is there: asks for its models at the beginning, and looks again while it does not answer.

import { byId } from "./dom.js";
import { askForKey } from "./key_dialog.js";

const EVERY = 3000;

/** Calls `found(models)` once the server has told them. */
export class Watch {
  #timer = 0;

  constructor(api, found) {
    Object.assign(this, { api, found, notice: byId("notice") });
  }

  /** Ask the server for its models. */
  async look() {
    try {
      this.found(await this.api.models());
      this.notice.hidden = true;
    } catch (failure) {
      if (failure.kind === "key") return this.#askForKey(failure);
      if (failure.kind === "gone" || failure.kind === "busy") return this.lost(failure.title);
      this.#say(`${failure.title}. ${failure.detail ?? ""}`);
    }
  }

  /** The server does not answer: say so until it does. */
  lost(title = "The server does not answer") {
    this.#say(`${title}. The page goes on as soon as it does.`);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      if (await this.api.isThere()) this.look();
      else this.lost(title);
    }, EVERY);
  }

  async #askForKey({ detail }) {
    const key = await askForKey(this.api.key ? detail : "");
    if (!key) return;
    this.api.key = key;
    this.look();
  }

  #say(text) {
    if (this.notice.textContent !== text) this.notice.textContent = text;
    this.notice.hidden = false;
  }
}
