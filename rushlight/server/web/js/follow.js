// Keeps the end of the conversation in view while it grows, until the reader scrolls up.

const NEAR = 48;

/** Follows the end of `content` inside of `scroller`; `onChange` hears whether it does. */
export class Follow {
  #lastTop = 0;
  #following = true;

  constructor(scroller, content, onChange) {
    Object.assign(this, { scroller, onChange });
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && this.#canScroll() && this.#set(false), {
      passive: true,
    });
    const observer = new ResizeObserver(() => this.#following && this.#toEnd());
    observer.observe(content);
    observer.observe(scroller);
  }

  /** Go to the end and stay there. */
  start() {
    this.#set(true);
    this.#toEnd();
  }

  #toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.#lastTop = this.scroller.scrollTop;
  }

  #canScroll() {
    return this.scroller.scrollTop > 0;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    const below = scrollHeight - scrollTop - clientHeight;
    // Where the content shrank, the browser itself moves up, and stays at the end.
    if (below < 2 || (below < NEAR && scrollTop > this.#lastTop)) this.#set(true);
    else if (scrollTop < this.#lastTop) this.#set(false);
    this.#lastTop = scrollTop;
  }

  #set(following) {
    if (following === this.#following) return;
    this.#following = following;
    this.onChange(following);
  }
}
