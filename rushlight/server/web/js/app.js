// The page as a whole: which conversation is shown, and what each action does to it.

import { announce } from "./announcer.js";
import { Answers } from "./answers.js";
import { Api } from "./api.js";
import { copyText } from "./clipboard.js";
import { Composer } from "./composer.js";
import { addMessage, choose, newConversation, newMessage, pathOf, removeMessage } from "./conversation.js";
import { byId } from "./dom.js";
import { Follow } from "./follow.js";
import { askForKey } from "./key_dialog.js";
import { Keeper } from "./keeper.js";
import { Library } from "./library.js";
import { Models } from "./models.js";
import { preference, setPreference } from "./preferences.js";
import { SettingsDialog } from "./settings_dialog.js";
import { Store } from "./store.js";
import { ThreadView } from "./thread_view.js";
import { toast } from "./toast.js";
import { Watch } from "./watch.js";
import { showCopied } from "./welcome.js";

/** Everything that the page's parts ask for. */
export class App {
  constructor() {
    this.api = new Api();
    this.store = new Store();
    this.keeper = new Keeper(this.store, () =>
      toast("This browser does not keep conversations; export what you need."),
    );
    this.answers = new Answers(this.api, this.keeper);
    this.models = new Models();
    this.library = new Library(this);
    this.thread = new ThreadView(byId("thread"), {
      copy: (message, button) => this.copy(message.content, button),
      edit: (message) => this.edit(message),
      again: (message) => this.again(message),
      choose: (message, step) => this.choose(message, step),
    });
    this.composer = new Composer({
      send: (text) => this.send(text),
      stop: () => this.stop(),
      editLast: () => this.editLast(),
    });
    this.settings = new SettingsDialog((values, forNew) => this.setSettings(values, forNew));
    this.follow = new Follow(byId("scroller"), byId("column"), (following) => {
      byId("to-end").hidden = following;
    });
    this.watch = new Watch(this.api, (models) => this.models.set(models));
    this.answers.addEventListener("grow", ({ detail }) => this.thread.view(detail.message)?.grow(detail));
    this.answers.addEventListener("end", ({ detail }) => this.#ended(detail));
    this.show(newConversation(preference("new", {})));
  }

  /** Show a conversation. */
  show(conversation) {
    this.conversation = conversation;
    this.composer.open(conversation.messages.length ? conversation.id : "new");
    this.refresh();
    this.follow.start();
  }

  /** Show the same conversation as another tab has written it. */
  replace(conversation) {
    this.conversation = conversation;
    this.refresh();
  }

  /** Show the conversation as it is now. */
  refresh() {
    const { conversation } = this;
    const running = this.answers.of(conversation);
    const path = pathOf(conversation);
    this.thread.show(conversation, running);
    this.composer.running = Boolean(running);
    byId("welcome").hidden = path.length > 0;
    byId("title").textContent = conversation.title || "New conversation";
    document.title = conversation.title ? `${conversation.title} · Rushlight` : "Rushlight";
    byId("context").textContent = this.models.contextText(path.findLast((message) => message.usage)?.usage);
    this.library.refresh();
  }

  /** Begin a new conversation. */
  begin() {
    history.pushState(null, "", location.pathname + location.search);
    this.show(newConversation(preference("new", {})));
    this.composer.focus();
  }

  /** Send what the reader wrote; false if it has to wait. */
  send(text) {
    if (this.answers.of(this.conversation)) return false;
    const last = pathOf(this.conversation).at(-1);
    this.#ask(addMessage(this.conversation, newMessage("user", last?.id ?? null, text)));
    return true;
  }

  /** Ask for another answer in the place of one. */
  again(message = this.#lastAnswer()) {
    if (!message || this.answers.of(this.conversation)) return;
    const { parent } = message;
    if (message.failure && !message.content && !message.reasoning) removeMessage(this.conversation, message.id);
    this.#answer(parent);
  }

  /** Change a message; what followed the old one stays on a branch of its own. */
  edit(message) {
    if (this.answers.of(this.conversation)) return;
    this.thread.edit(message, (text) => {
      this.#ask(addMessage(this.conversation, newMessage("user", message.parent, text)));
      this.composer.focus();
    });
  }

  /** Change the message that the reader wrote last; false if there is none. */
  editLast() {
    const message = pathOf(this.conversation).findLast(({ role }) => role === "user");
    if (message) this.edit(message);
    return Boolean(message);
  }

  /** Show another branch; `step` tells which way the reader went. */
  choose(message, step) {
    if (this.answers.of(this.conversation)) return;
    choose(this.conversation, message);
    this.keeper.now(this.conversation);
    this.refresh();
    const arrows = [...this.thread.view(message).element.querySelectorAll(".branches button:not([disabled])")];
    (arrows.find((arrow) => arrow.dataset.step === String(step)) ?? arrows[0])?.focus();
  }

  /** Stop the answer that is being written; what came so far stays. */
  stop() {
    this.answers.of(this.conversation)?.stop();
  }

  /** Copy a text and show on the button that this was done. */
  async copy(text, button) {
    showCopied(button, await copyText(text));
  }

  /** Keep a system prompt and sampling settings. */
  setSettings({ system, settings }, forNew) {
    Object.assign(this.conversation, { system, settings });
    if (forNew) setPreference("new", { system, settings });
    if (this.conversation.messages.length) this.keeper.now(this.conversation);
  }

  #lastAnswer() {
    return pathOf(this.conversation).findLast(({ role }) => role === "assistant");
  }

  #ask(message) {
    if (location.hash.slice(1) !== this.conversation.id) history.pushState(null, "", `#${this.conversation.id}`);
    this.composer.open(this.conversation.id);
    this.#answer(message.id);
  }

  #answer(parent) {
    this.answers.begin(this.conversation, parent, this.models.id);
    this.refresh();
    this.follow.start();
  }

  async #ended({ conversation, message }) {
    this.thread.view(message)?.finish(null);
    if (conversation === this.conversation) this.refresh();
    else this.library.refresh();
    const { failure } = message;
    if (failure) announce(`${failure.title}. ${failure.detail}`);
    else announce(message.finish === "stopped" ? "Stopped." : `The answer: ${message.content}`);
    if (failure?.kind === "gone") this.watch.lost();
    if (failure?.kind !== "key" || conversation !== this.conversation) return;
    const key = await askForKey(this.api.key ? failure.detail : "");
    if (!key) return;
    this.api.key = key;
    this.watch.look();
    if (conversation === this.conversation) this.again(message);
  }
}
