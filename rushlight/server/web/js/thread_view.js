// The messages of the shown branch, one below the other.

import { pathOf } from "./conversation.js";
import { beginEditing, editorFor } from "./editor.js";
import { MessageView } from "./message_view.js";

/** Shows a conversation in an element. */
export class ThreadView {
  #views = new Map();
  #conversation = null;

  constructor(element, actions) {
    Object.assign(this, { element, actions });
  }

  /** Show the chosen branch of a conversation; `running` is the generation that writes into it, or null. */
  show(conversation, running) {
    if (conversation !== this.#conversation) this.#views.clear();
    this.#conversation = conversation;
    const path = pathOf(conversation);
    const views = new Map(
      path.map((message) => [
        message.id,
        this.#views.get(message.id) ?? new MessageView(conversation, message, this.actions),
      ]),
    );
    this.#views = views;
    for (const view of views.values()) {
      const isRunning = running?.message === view.message;
      if (isRunning || view.message.role === "user") view.finish(isRunning ? running : null);
      else view.showFoot(null);
      view.element.classList.toggle("is-last", view.message === path.at(-1));
    }
    this.element.replaceChildren(...[...views.values()].map((view) => view.element));
  }

  /** The view of a message, if it is shown. */
  view(message) {
    return this.#views.get(message.id) ?? null;
  }

  /** Let the reader change a message that they wrote; `save` gets the text. */
  edit(message, save) {
    const view = this.view(message);
    if (!view || view.element.classList.contains("is-edited")) return;
    const end = () => {
      editor.remove();
      view.element.classList.remove("is-edited");
    };
    const editor = editorFor(message.content, {
      cancel: () => {
        end();
        view.element.querySelector(".tools button:last-child")?.focus();
      },
      save: (text) => {
        end();
        save(text);
      },
    });
    view.element.classList.add("is-edited");
    view.element.append(editor);
    beginEditing(editor);
  }
}
