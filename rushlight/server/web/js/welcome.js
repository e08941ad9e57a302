// Small things that greet and confirm.

import { announce } from "./announcer.js";
import { byId, el } from "./dom.js";

const IDEAS = [
  "Write a haiku about ice hockey",
  "Explain how a candle burns, step by step",
  "Write a Python function that finds prime numbers",
  "What should I ask before signing a lease?",
];
const SHOWN_MS = 1600;

/** Offer ways to begin; `take(text)` gets the chosen one. */
export function showIdeas(take) {
  byId("ideas").append(
    ...IDEAS.map((text) =>
      el("li", {}, el("button", { type: "button", class: "idea", click: () => take(text) }, text)),
    ),
  );
}

/** Show on a button, for a moment, whether copying worked. */
export function showCopied(button, worked) {
  announce(worked ? "Copied." : "The browser did not allow copying.");
  if (!worked) return;
  const use = button.querySelector("use");
  const before = use.getAttribute("href");
  if (before === "#icon-check") return;
  use.setAttribute("href", "#icon-check");
  setTimeout(() => use.setAttribute("href", before), SHOWN_MS);
}
