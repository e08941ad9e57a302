// The box that messages are written in, and the button beside it.

import { byId } from "./dom.js";
import { grow, isSend } from "./editor.js";
import { ofTab, setOfTab } from "./preferences.js";

/** Calls `send(text)`, `stop()` and `editLast()`; drafts are kept for each conversation until the tab is closed. */
export class Composer {
  #running = false;
  #draft = "draft";

  constructor({ send, stop, editLast }) {
    Object.assign(this, { input: byId("input"), button: byId("send"), send });
    this.button.addEventListener("click", () => (this.#running ? stop() : this.#send()));
    this.input.addEventListener("input", () => this.#changed());
    this.input.addEventListener("keydown", (event) => {
      if (isSend(event)) {
        event.preventDefault();
        if (!this.#running) this.#send();
      } else if (event.key === "ArrowUp" && !this.input.value && editLast()) {
        event.preventDefault();
      }
    });
  }

  /** Show the draft of a conversation. */
  open(id) {
    this.#draft = `draft.${id}`;
    this.text = ofTab(this.#draft, "");
  }

  set text(text) {
    this.input.value = text;
    this.#changed();
  }

  /** Show whether an answer is being written. */
  set running(running) {
    this.#running = running;
    this.button.classList.toggle("is-stop", running);
    const label = running ? "Stop" : "Send";
    this.button.setAttribute("aria-label", label);
    this.button.title = running ? "Stop (Esc)" : "Send (Enter)";
    this.button.querySelector("use").setAttribute("href", running ? "#icon-stop" : "#icon-send");
    this.#changed();
  }

  focus() {
    this.input.focus();
  }

  #send() {
    const text = this.input.value.trim();
    const draft = this.#draft;
    if (!text || this.send(text) === false) return;
    setOfTab(draft, null);
    this.text = "";
  }

  #changed() {
    grow(this.input);
    this.button.disabled = !this.#running && !this.input.value.trim();
    setOfTab(this.#draft, this.input.value || null);
  }
}
