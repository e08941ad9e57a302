// Conversations as a JSON file, out of this browser and into it.

import { newId } from "./ids.js";
import { readSettings } from "./settings.js";

const FORMAT = "rushlight-conversations";
const ROLES = new Set(["user", "assistant"]);

const isText = (value) => typeof value === "string";
const isNumber = (value) => Number.isFinite(value);
const numbers =
  (...names) =>
  (value) =>
    names.every((name) => isNumber(value?.[name]));
// What is told of an answer, and what each must be to be taken over.
const FACTS = {
  reasoning: isText,
  finish: isText,
  model: isText,
  thought_ms: isNumber,
  seed: isNumber,
  usage: numbers("prompt_tokens", "completion_tokens"),
  speed: (value) =>
    ["tokens_per_second", "first_ms"].every((name) => value?.[name] === null || isNumber(value?.[name])),
  failure: (value) => isText(value?.title) && isText(value?.detail),
};

/** The text of a file that holds conversations. */
export function exported(conversations) {
  return JSON.stringify({ format: FORMAT, version: 1, conversations }, null, 2);
}

/** The conversations of a file's text, under new ids. Throws an Error with a sentence for people. */
export function imported(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    throw new Error("The file is not JSON.");
  }
  if (data?.format !== FORMAT || !Array.isArray(data.conversations)) {
    throw new Error("The file holds no conversations of this page; export one to see what they look like.");
  }
  return data.conversations.map(conversationFrom);
}

/** Offer a text as a file to save. */
export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Only fields that are known are taken over, each of its own type: the file may come from anybody.
function conversationFrom(data, index) {
  const wrong = new Error(`Conversation ${index + 1} of the file is damaged; nothing was imported.`);
  if (!Array.isArray(data?.messages)) throw wrong;
  const ids = new Map();
  const messages = data.messages.map((message) => {
    if (!ROLES.has(message?.role) || typeof message.content !== "string") throw wrong;
    if (message.parent !== null && !ids.has(message.parent)) throw wrong;
    const id = newId();
    ids.set(message.id, id);
    const { role, content } = message;
    const facts = role === "assistant" ? { reasoning: "", finish: null, ...factsOf(message) } : {};
    return { id, parent: ids.get(message.parent) ?? null, role, content, created: timeOf(message.created), ...facts };
  });
  const pairs = Object.entries(data.chosen ?? {}).map(([parent, child]) => [ids.get(parent) ?? "", ids.get(child)]);
  return {
    id: newId(),
    title: String(data.title ?? ""),
    created: timeOf(data.created),
    updated: timeOf(data.updated),
    system: String(data.system ?? ""),
    settings: readSettings(data.settings),
    messages,
    chosen: Object.fromEntries(pairs.filter(([, child]) => child)),
  };
}

function factsOf(message) {
  return Object.fromEntries(
    Object.entries(FACTS).flatMap(([name, fits]) => (fits(message[name]) ? [[name, message[name]]] : [])),
  );
}

const timeOf = (value) => (Number.isFinite(value) ? value : Date.now());
