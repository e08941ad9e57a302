// Keeps conversations in the store while they change, and says so once if the browser refuses.

import { preference, setPreference } from "./preferences.js";

const EVERY = 1000;
const LEFT = "left-behind";

/** Writes conversations at once, or at most once a second while an answer is written. */
export class Keeper {
  #later = new Map();
  #forgotten = new WeakSet();
  #refused = false;

  constructor(store, onRefused) {
    Object.assign(this, { store, onRefused });
    // A page that is hidden may never be shown again.
    document.addEventListener("visibilitychange", () => document.hidden && this.#flush());
    addEventListener("pagehide", () => this.#leaveBehind());
  }

  /** Put into the store what a page that was closed left behind. */
  async takeOver() {
    const left = preference(LEFT, []);
    setPreference(LEFT, null);
    for (const conversation of left) {
      const kept = await this.store.get(conversation.id).catch(() => null);
      if (kept && kept.updated <= conversation.updated) await this.now(conversation);
    }
  }

  /** Keep a conversation now. */
  async now(conversation) {
    clearTimeout(this.#later.get(conversation));
    this.#later.delete(conversation);
    if (this.#forgotten.has(conversation)) return;
    try {
      await this.store.put(conversation);
    } catch (error) {
      if (!this.#refused) this.onRefused(error);
      this.#refused = true;
    }
  }

  /** Keep a conversation soon. */
  soon(conversation) {
    if (!this.#later.has(conversation))
      this.#later.set(
        conversation,
        setTimeout(() => this.now(conversation), EVERY),
      );
  }

  /** Keep it no more, whatever still happens to it. */
  forget(conversation) {
    clearTimeout(this.#later.get(conversation));
    this.#later.delete(conversation);
    this.#forgotten.add(conversation);
  }

  /** Keep one again that was forgotten. */
  recall(conversation) {
    this.#forgotten.delete(conversation);
    return this.now(conversation);
  }

  #flush() {
    for (const conversation of [...this.#later.keys()]) this.now(conversation);
  }

  // IndexedDB is too slow for a page that goes away; localStorage is not.
  #leaveBehind() {
    const left = [...this.#later.keys()].map((conversation) => ({ ...conversation, updated: Date.now() }));
    if (left.length) setPreference(LEFT, [...preference(LEFT, []), ...left]);
  }
}
