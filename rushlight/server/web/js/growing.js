// Markdown that grows at its end. Blocks that more text can no longer change are left alone, so that a long answer
// costs no more per token than a short one; and where a block itself is long, it is drawn less often.

import { blockElement, blocksOf } from "./markdown.js";
import { patchChildren } from "./patch.js";

// A line that looks like a paragraph may yet become part of the list before it, so two blocks stay open.
const OPEN_BLOCKS = 2;
const REST_PER_WORK = 4;

/** Shows a text in an element, from `show` to `show`, each time a longer one or another altogether. */
export class GrowingMarkdown {
  #shown = "";
  #settled = 0;
  #nodes = 0;
  #defined = false;
  #next = null;
  #frame = 0;
  #restUntil = 0;

  constructor(element) {
    this.element = element;
  }

  /** Show a text soon, at the browser's pace. */
  showSoon(text) {
    this.#next = text;
    this.#frame ||= requestAnimationFrame((now) => this.#draw(now));
  }

  /** Show a whole text now; it does not grow any more. */
  show(text) {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#next = null;
    this.#grow(text.replace(/\r\n?/g, "\n"));
    // A definition of a link may stand below the paragraphs that use it.
    if (this.#defined) this.#redraw();
  }

  #draw(now) {
    this.#frame = 0;
    if (now < this.#restUntil) {
      this.#frame = requestAnimationFrame((later) => this.#draw(later));
      return;
    }
    const begin = performance.now();
    this.#grow(this.#next.replace(/\r\n?/g, "\n"));
    const end = performance.now();
    this.#restUntil = end + REST_PER_WORK * (end - begin);
  }

  #grow(text) {
    if (!text.startsWith(this.#shown.slice(0, this.#settled))) this.#settled = this.#nodes = 0;
    this.#shown = text;
    const tokens = blocksOf(text.slice(this.#settled));
    this.#defined ||= tokens.some((token) => token.type === "def");
    const elements = tokens.map((token) => blockElement(token));
    patchChildren(this.element, elements.filter(Boolean), this.#nodes);
    const visible = elements.flatMap((element, i) => (element ? [i] : []));
    const firstOpen = visible.at(-OPEN_BLOCKS) ?? 0;
    for (let i = 0; i < firstOpen; i++) {
      this.#settled += tokens[i].raw.length;
      if (elements[i]) this.#nodes++;
    }
  }

  #redraw() {
    this.#settled = this.#nodes = 0;
    this.#defined = false;
    patchChildren(
      this.element,
      blocksOf(this.#shown)
        .map((token) => blockElement(token))
        .filter(Boolean),
    );
  }
}
