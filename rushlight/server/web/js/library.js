// The conversations of this browser: opened, renamed, deleted, exported, imported; and what other tabs do to them.

import { newConversation } from "./conversation.js";
import { byId } from "./dom.js";
import { preference } from "./preferences.js";
import { Sidebar } from "./sidebar.js";
import { toast } from "./toast.js";
import { download, exported, imported } from "./transfer.js";

const FILE = "rushlight-conversations.json";

/** The list at the side and what can be done with it. */
export class Library {
  constructor(app) {
    Object.assign(this, { app, store: app.store });
    this.sidebar = new Sidebar({
      rename: (id, title) => this.#change(id, (conversation) => Object.assign(conversation, { title })),
      remove: (id) => this.#remove(id),
      exportOne: async (id) => this.#export([await this.store.get(id)]),
      search: (words) => this.store.search(words).catch(() => new Set()),
    });
    byId("export").addEventListener("click", async () => this.#export(await this.store.all()));
    byId("import").addEventListener("click", () => byId("import-file").click());
    byId("import-file").addEventListener("change", ({ target }) => this.#import(target));
    this.store.addEventListener("elsewhere", ({ detail }) => this.#elsewhere(detail));
    addEventListener("hashchange", () => this.open());
    addEventListener("popstate", () => this.open());
  }

  /** Show the conversation that the address names, or an empty one. */
  async open() {
    const id = location.hash.slice(1);
    const { conversation } = this.app;
    if (id === conversation.id || (!id && !conversation.messages.length)) return;
    const running = this.app.answers.find(id);
    const found = running?.conversation ?? (id && (await this.store.get(id).catch(() => undefined)));
    if (location.hash.slice(1) === id) this.app.show(found || newConversation(preference("new", {})));
  }

  /** Draw the list as the store has it. */
  async refresh() {
    const summaries = await this.store.list().catch(() => []);
    this.sidebar.show(summaries, this.app.conversation.id, this.app.answers.ids);
  }

  async #change(id, act) {
    const conversation = await this.#live(id);
    act(conversation);
    await this.app.keeper.now(conversation);
    if (id === this.app.conversation.id) this.app.refresh();
    else this.refresh();
  }

  // The one that is shown or answered, not another copy of it.
  async #live(id) {
    if (id === this.app.conversation.id) return this.app.conversation;
    return this.app.answers.find(id)?.conversation ?? this.store.get(id);
  }

  async #remove(id) {
    const conversation = await this.#live(id);
    this.app.keeper.forget(conversation);
    this.app.answers.find(id)?.stop();
    await this.store.remove(id);
    if (id === this.app.conversation.id) this.app.begin();
    else this.refresh();
    toast("The conversation was deleted.", async () => {
      await this.app.keeper.recall(conversation);
      this.refresh();
    });
  }

  #export(conversations) {
    download(FILE, exported(conversations));
  }

  async #import(input) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    try {
      const conversations = imported(await file.text());
      for (const conversation of conversations) await this.store.put(conversation);
      toast(
        conversations.length === 1
          ? "One conversation was imported."
          : `${conversations.length} conversations were imported.`,
      );
    } catch (error) {
      toast(error.message);
    }
    this.refresh();
  }

  async #elsewhere({ id, removed }) {
    this.refresh();
    const { app } = this;
    if (id !== app.conversation.id || app.answers.find(id)) return;
    if (removed) return app.begin();
    const conversation = await this.store.get(id);
    if (conversation && id === app.conversation.id && !app.answers.find(id)) app.replace(conversation);
  }
}
