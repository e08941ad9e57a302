// A conversation: a tree of messages, and which branch of it is shown. Plain data, so that it can be stored as it is.

import { newId } from "./ids.js";

const ROOT = "";
const TITLE_LENGTH = 60;

/** An empty conversation with a system prompt and sampling settings. */
export function newConversation({ system = "", settings = {} } = {}) {
  const now = Date.now();
  return {
    id: newId(),
    title: "",
    created: now,
    updated: now,
    system,
    settings: { ...settings },
    messages: [],
    chosen: {},
  };
}

/** A message to hang below another one (null: the beginning). `finish` says how an answer ended; null: it did not. */
export function newMessage(role, parent, content = "") {
  return {
    id: newId(),
    parent,
    role,
    content,
    created: Date.now(),
    ...(role === "assistant" ? { reasoning: "", finish: null } : {}),
  };
}

/** The message with an id. */
export const messageOf = (conversation, id) => conversation.messages.find((message) => message.id === id) ?? null;

/** The messages that follow one, oldest first. */
export const repliesTo = (conversation, parent) => conversation.messages.filter((message) => message.parent === parent);

/** Hang a message into the tree and show it. */
export function addMessage(conversation, message) {
  conversation.messages.push(message);
  conversation.chosen[message.parent ?? ROOT] = message.id;
  conversation.updated = Date.now();
  if (!conversation.title && message.role === "user") conversation.title = titleOf(message.content);
  return message;
}

/** Take a message and all that follows it out of the tree. */
export function removeMessage(conversation, id) {
  const gone = new Set([id]);
  for (const message of conversation.messages) if (gone.has(message.parent)) gone.add(message.id);
  conversation.messages = conversation.messages.filter((message) => !gone.has(message.id));
  for (const [parent, child] of Object.entries(conversation.chosen)) {
    if (!gone.has(child) && !gone.has(parent)) continue;
    const left = gone.has(parent) ? null : repliesTo(conversation, parent === ROOT ? null : parent).at(-1);
    if (left) conversation.chosen[parent] = left.id;
    else delete conversation.chosen[parent];
  }
}

/** The messages that are shown, from the beginning to the end of the chosen branch, or up to `last`. */
export function pathOf(conversation, last = null) {
  if (last !== null) {
    const path = [];
    for (let at = messageOf(conversation, last); at; at = messageOf(conversation, at.parent)) path.unshift(at);
    return path;
  }
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const path = [];
  for (let at = byId.get(conversation.chosen[ROOT]); at; at = byId.get(conversation.chosen[at.id])) path.push(at);
  return path;
}

/** A message's place among those it could be exchanged with: `{ index, siblings }`. */
export function branchOf(conversation, message) {
  const siblings = repliesTo(conversation, message.parent);
  return { index: siblings.findIndex((each) => each.id === message.id), siblings };
}

/** Show another branch. */
export function choose(conversation, message) {
  conversation.chosen[message.parent ?? ROOT] = message.id;
}

/** The messages of a request that asks for what follows `last`, in the words of the API. */
export function asRequest(conversation, last) {
  const said = pathOf(conversation, last)
    .filter((message) => message.role === "user" || message.content)
    .map(({ role, content }) => ({ role, content }));
  return conversation.system.trim() ? [{ role: "system", content: conversation.system }, ...said] : said;
}

/** What a conversation that begins with this text is called. */
export function titleOf(text) {
  const line = text.trim().split("\n", 1)[0].replace(/\s+/g, " ");
  return line.length <= TITLE_LENGTH ? line : `${line.slice(0, TITLE_LENGTH - 1).trimEnd()}…`;
}
