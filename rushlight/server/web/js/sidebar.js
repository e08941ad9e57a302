// The list of conversations: by day, searched, renamed, deleted, exported.

import { byId, el, iconButton, icon } from "./dom.js";
import { preference, setPreference } from "./preferences.js";

const DAY = 86_400_000;
const narrow = matchMedia("(max-width: 800px)");

/** Calls `rename(id, title)`, `remove(id)`, `exportOne(id)` and `search(words)`, which gives a set of ids. */
export class Sidebar {
  #summaries = [];
  #current = null;
  #running = new Set();
  #found = null;
  #searches = 0;

  constructor(actions) {
    Object.assign(this, {
      actions,
      list: byId("conversations"),
      element: byId("sidebar"),
      toggleButton: byId("sidebar-toggle"),
    });
    this.toggleButton.addEventListener("click", () => this.toggle());
    byId("sidebar-close").addEventListener("click", () => this.toggle(false));
    byId("curtain").addEventListener("click", () => this.toggle(false));
    byId("search").addEventListener("input", ({ target }) => this.#search(target.value));
    byId("search").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !event.target.value) return;
      event.stopPropagation();
      event.target.value = "";
      this.#search("");
    });
    narrow.addEventListener("change", () => this.#layOut());
    this.open = !narrow.matches && preference("sidebar", true);
    this.#layOut();
  }

  /** Show or hide the list. */
  toggle(open = !this.open) {
    this.open = open;
    if (!narrow.matches) setPreference("sidebar", open);
    this.#layOut();
    if (narrow.matches) (open ? byId("sidebar-close") : this.toggleButton).focus();
  }

  /** Whether the list lies over the page, as on a phone. */
  get covers() {
    return this.open && narrow.matches;
  }

  /** Show these conversations; `running` holds the ids of those being answered. */
  show(summaries, current, running) {
    [this.#summaries, this.#current, this.#running] = [summaries, current, running];
    this.#draw();
  }

  /** Go to the search box. */
  focusSearch() {
    this.toggle(true);
    byId("search").focus();
    byId("search").select();
  }

  #layOut() {
    if (!narrow.matches) this.open = preference("sidebar", true);
    document.documentElement.classList.toggle("has-sidebar", this.open);
    this.element.inert = !this.open;
    byId("page").inert = this.covers;
    this.toggleButton.setAttribute("aria-expanded", this.open);
  }

  async #search(query) {
    const mine = ++this.#searches;
    const found = query.trim() ? await this.actions.search(query) : null;
    if (mine !== this.#searches) return;
    this.#found = found;
    this.#draw();
  }

  #draw() {
    if (this.list.querySelector(".rename")) return;
    const shown = this.#summaries.filter(({ id }) => !this.#found || this.#found.has(id));
    const groups = new Map();
    for (const summary of shown) {
      const name = this.#found ? "Found" : dayOf(summary.updated);
      groups.set(name, [...(groups.get(name) ?? []), summary]);
    }
    const nothing = this.#found ? "Nothing found." : "Conversations are kept here, in this browser.";
    const parts = [...groups].map(([name, group]) =>
      el("section", {}, el("h2", { class: "day" }, name), el("ul", {}, ...group.map((summary) => this.#item(summary)))),
    );
    this.list.replaceChildren(...(parts.length ? parts : [el("p", { class: "nothing" }, nothing)]));
  }

  #item(summary) {
    const { id, title } = summary;
    const isCurrent = id === this.#current;
    const link = el("a", {
      href: `#${id}`,
      class: "conversation",
      "aria-current": isCurrent && "page",
      title,
      click: () => narrow.matches && this.toggle(false),
    });
    if (this.#running.has(id)) link.append(icon("flame"));
    link.append(title || "New conversation");
    const item = el("li", { class: isCurrent && "is-current" }, link);
    item.append(
      iconButton("more", `More for ${title}`, ({ currentTarget }) => this.#menu(currentTarget, item, summary), {
        "aria-haspopup": "menu",
      }),
    );
    return item;
  }

  #menu(button, item, summary) {
    const menu = byId("menu");
    const entry = (label, act, danger) =>
      el(
        "button",
        { type: "button", role: "menuitem", class: danger && "danger", click: () => (menu.hidePopover(), act()) },
        label,
      );
    menu.replaceChildren(
      entry("Rename", () => this.#rename(item, summary)),
      entry("Export", () => this.actions.exportOne(summary.id)),
      entry("Delete", () => this.actions.remove(summary.id), true),
    );
    menu.onkeydown = (event) => moveInMenu(event, menu);
    const box = button.getBoundingClientRect();
    menu.showPopover();
    menu.style.left = `${Math.max(8, Math.min(box.left, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${Math.min(box.bottom + 4, innerHeight - menu.offsetHeight - 8)}px`;
    menu.querySelector("button").focus();
  }

  #rename(item, { id, title }) {
    const input = el("input", { class: "rename", "aria-label": "Name of the conversation" });
    input.value = title;
    let ended = false;
    const end = (save) => {
      // Taking the focused box away makes it lose the focus, which ends it once more.
      if (ended) return;
      ended = true;
      const name = input.value.trim();
      input.remove();
      if (save && name && name !== title) this.actions.rename(id, name);
      else this.#draw();
      this.list.querySelector(`a[href="#${id}"]`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true);
      if (event.key === "Escape") end(false);
      event.stopPropagation();
    });
    input.addEventListener("blur", () => end(true));
    item.replaceChildren(input);
    input.focus();
    input.select();
  }
}

function moveInMenu(event, menu) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const entries = [...menu.children];
  entries[(entries.indexOf(document.activeElement) + step + entries.length) % entries.length].focus();
}

function dayOf(time) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  if (time >= midnight) return "Today";
  if (time >= midnight - DAY) return "Yesterday";
  return time >= midnight - 6 * DAY ? "Last seven days" : "Earlier";
}
