// One message on the page.

import { branchOf } from "./conversation.js";
import { el, icon, iconButton } from "./dom.js";
import { GrowingMarkdown } from "./growing.js";
import { countsOf, durationOf, endingOf } from "./words.js";

/** Shows a message; `actions` are the page's `copy`, `edit`, `again` and `choose`, each called with the message. */
export class MessageView {
  #content = null;
  #thinking = null;

  constructor(conversation, message, actions) {
    Object.assign(this, { conversation, message, actions });
    this.body = el("div", { class: "body" });
    this.foot = el("div", { class: "message-foot" });
    this.element = el("article", { class: `message ${message.role}`, "data-id": message.id });
    this.element.append(
      el("h2", { class: "off-screen" }, message.role === "user" ? "You wrote" : "Answer"),
      this.body,
      this.foot,
    );
    if (message.role === "assistant") this.#prepareAnswer();
    else this.body.append(el("div", { class: "said" }, message.content));
    this.finish(null);
  }

  /** Show what has come since, while the answer is written. */
  grow(generation) {
    const { message } = this;
    this.#showThinking(true);
    if (message.content) this.#content.showSoon(message.content);
    this.status.hidden = this.#isThinking;
    this.statusText.textContent = generation.waiting
      ? `The server is busy. Trying again in ${generation.waiting} s`
      : "";
    this.ending.replaceChildren();
  }

  /** Show the message as it is kept; `generation` is its own while it is written, else null. */
  finish(generation) {
    const { message } = this;
    this.element.classList.toggle("is-running", Boolean(generation));
    this.element.setAttribute("aria-busy", Boolean(generation));
    if (message.role === "assistant") {
      if (generation) this.grow(generation);
      else this.#showEnd();
    }
    this.showFoot(generation);
  }

  /** The row below the message: which of several it is, what can be done with it, and its numbers. */
  showFoot(generation) {
    const { message } = this;
    const parts = [this.#branches()];
    if (!generation && (message.content || !message.failure)) parts.push(this.#tools());
    if (message.role === "assistant" && !generation) parts.push(this.#counts());
    this.foot.replaceChildren(...parts.filter(Boolean));
  }

  #prepareAnswer() {
    this.thinkingText = el("div", { class: "prose" });
    this.thinkingLabel = el("span", {}, "Thinking");
    this.thinkingFlame = icon("flame");
    this.thinking = el(
      "details",
      { class: "thinking", hidden: true },
      el("summary", {}, icon("right"), this.thinkingLabel, this.thinkingFlame),
      this.thinkingText,
    );
    this.thinking.addEventListener("toggle", () => this.#showThinking(this.element.classList.contains("is-running")));
    this.answer = el("div", { class: "prose" });
    this.statusText = el("span", {});
    this.status = el("p", { class: "status", hidden: true }, icon("flame"), this.statusText);
    this.ending = el("div", { class: "ending" });
    this.body.append(this.thinking, this.answer, this.status, this.ending);
    this.#content = new GrowingMarkdown(this.answer);
    this.#thinking = new GrowingMarkdown(this.thinkingText);
  }

  #showThinking(growing) {
    const { reasoning, thought_ms: took } = this.message;
    this.thinking.hidden = !reasoning;
    this.thinkingFlame.toggleAttribute("hidden", !growing || !this.#isThinking);
    this.thinkingLabel.textContent = took === undefined ? "Thinking" : `Thought for ${durationOf(took)}`;
    if (!reasoning || !this.thinking.open) return;
    if (growing) this.#thinking.showSoon(reasoning);
    else this.#thinking.show(reasoning);
  }

  get #isThinking() {
    return Boolean(this.message.reasoning) && this.message.thought_ms === undefined;
  }

  #showEnd() {
    this.status.hidden = true;
    this.#content.show(this.message.content);
    this.#showThinking(false);
    const ending = endingOf(this.message);
    this.ending.replaceChildren(...(ending ? [this.#endingElement(ending)] : []));
  }

  #endingElement({ kind, title, detail }) {
    const again = el(
      "button",
      { type: "button", class: "text-button", click: () => this.actions.again(this.message) },
      "Try again",
    );
    const words = el(
      "div",
      {},
      el("strong", {}, title),
      detail ? el("p", {}, detail) : null,
      kind === "failure" ? again : null,
    );
    return kind === "failure"
      ? el("div", { class: "failure" }, icon("warning"), words)
      : el("p", { class: "note" }, title);
  }

  #branches() {
    const { index, siblings } = branchOf(this.conversation, this.message);
    if (siblings.length < 2) return null;
    const go = (step) => () => this.actions.choose(siblings[index + step], step);
    return el(
      "span",
      { class: "branches", role: "group", "aria-label": "Versions of this message" },
      iconButton("left", "Earlier version", go(-1), { disabled: index === 0, "data-step": "-1" }),
      el("span", { "aria-label": `Version ${index + 1} of ${siblings.length}` }, `${index + 1}/${siblings.length}`),
      iconButton("right", "Later version", go(1), { disabled: index === siblings.length - 1, "data-step": "1" }),
    );
  }

  #counts() {
    const spans = countsOf(this.message).map(({ text, isMore }) => el("span", { class: isMore && "more" }, text));
    return el("span", { class: "counts" }, ...spans);
  }

  #tools() {
    const { message, actions } = this;
    const copy = iconButton("copy", "Copy message", ({ currentTarget }) => actions.copy(message, currentTarget));
    const other =
      message.role === "user"
        ? iconButton("edit", "Edit and ask again", () => actions.edit(message))
        : iconButton("again", "Answer again", () => actions.again(message));
    return el("span", { class: "tools" }, message.content ? copy : null, other);
  }
}
