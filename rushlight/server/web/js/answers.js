// The answers that are being written: at most one in each conversation, also in those that are not shown.

import { announce } from "./announcer.js";
import { addMessage, asRequest, newMessage } from "./conversation.js";
import { Generation } from "./generation.js";

/** Dispatches "grow" and "end" with the generation as detail. */
export class Answers extends EventTarget {
  #running = new Map();

  constructor(api, keeper) {
    super();
    Object.assign(this, { api, keeper });
  }

  /** The generation of a conversation, or null. */
  of(conversation) {
    return this.find(conversation.id);
  }

  /** The generation of the conversation with an id, or null. */
  find(id) {
    return this.#running.get(id) ?? null;
  }

  /** Ids of the conversations that are being answered. */
  get ids() {
    return new Set(this.#running.keys());
  }

  /** Ask for an answer to the message with the id `parent`. */
  begin(conversation, parent, model) {
    const message = addMessage(conversation, newMessage("assistant", parent));
    const body = { ...(model ? { model } : {}), messages: asRequest(conversation, parent), ...conversation.settings };
    const generation = new Generation(this.api, conversation, message, body);
    this.#running.set(conversation.id, generation);
    const tell = (type) => this.dispatchEvent(new CustomEvent(type, { detail: generation }));
    generation.addEventListener("change", () => {
      this.keeper.soon(conversation);
      tell("grow");
    });
    generation.addEventListener("wait", () => tell("grow"));
    generation.addEventListener("end", () => {
      this.#running.delete(conversation.id);
      conversation.updated = Date.now();
      this.keeper.now(conversation);
      tell("end");
    });
    announce("The answer begins.");
    this.keeper.now(conversation);
    generation.run();
    return generation;
  }
}
