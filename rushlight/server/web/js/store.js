// Conversations, kept in this browser's IndexedDB. Other tabs hear of every change.

const NAME = "rushlight";
const VERSION = 1;
const WHOLE = "conversations";
const SHORT = "summaries";

const asked = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function open() {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(WHOLE, { keyPath: "id" });
    request.result.createObjectStore(SHORT, { keyPath: "id" });
  };
  return asked(request);
}

const summaryOf = ({ id, title, created, updated }) => ({ id, title, created, updated });

/** What is kept. Every method may reject, as browsers refuse to store things in some private windows. */
export class Store extends EventTarget {
  #opening = null;
  #channel = new BroadcastChannel(NAME);

  constructor() {
    super();
    this.#channel.onmessage = ({ data }) => this.dispatchEvent(new CustomEvent("elsewhere", { detail: data }));
  }

  /** Id, title and times of all conversations, the latest first. */
  async list() {
    const found = await this.#run("readonly", (_, summaries) => summaries.getAll());
    return found.sort((a, b) => b.updated - a.updated);
  }

  /** A conversation, or undefined. */
  get(id) {
    return this.#run("readonly", (conversations) => conversations.get(id));
  }

  /** All conversations. */
  all() {
    return this.#run("readonly", (conversations) => conversations.getAll());
  }

  /** Keep a conversation as it is now. */
  async put(conversation) {
    await this.#run("readwrite", (conversations, summaries) => {
      summaries.put(summaryOf(conversation));
      return conversations.put(conversation);
    });
    this.#channel.postMessage({ id: conversation.id });
  }

  /** Forget a conversation. */
  async remove(id) {
    await this.#run("readwrite", (conversations, summaries) => {
      summaries.delete(id);
      return conversations.delete(id);
    });
    this.#channel.postMessage({ id, removed: true });
  }

  /** Ids of the conversations whose title or messages hold all words of a query. */
  async search(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = new Set();
    const database = await this.#database();
    const request = database.transaction(WHOLE).objectStore(WHOLE).openCursor();
    return new Promise((resolve, reject) => {
      request.onerror = () => reject(request.error);
      request.onsuccess = () => {
        const cursor = request.result;
        if (!cursor) return resolve(found);
        const { title, messages } = cursor.value;
        const text = [title, ...messages.map((message) => message.content)].join("\n").toLowerCase();
        if (words.every((word) => text.includes(word))) found.add(cursor.value.id);
        cursor.continue();
      };
    });
  }

  #database() {
    this.#opening ??= open();
    return this.#opening;
  }

  async #run(mode, work) {
    const database = await this.#database();
    const transaction = database.transaction([WHOLE, SHORT], mode);
    const result = asked(work(transaction.objectStore(WHOLE), transaction.objectStore(SHORT)));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
    return result;
  }
}
