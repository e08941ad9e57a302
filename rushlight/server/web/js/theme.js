// Light or dark: what the system says, unless the reader chose. The colours themselves are in styles/theme.css.

import { preference, setPreference } from "./preferences.js";

const ORDER = ["system", "light", "dark"];

/** What was chosen: "system", "light" or "dark". */
export const chosenTheme = () => (ORDER.includes(preference("theme")) ? preference("theme") : "system");

/** Show the chosen theme. */
export function applyTheme() {
  document.documentElement.dataset.theme = chosenTheme();
}

/** Choose the next of system, light and dark; returns it. */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(chosenTheme()) + 1) % ORDER.length];
  setPreference("theme", next);
  applyTheme();
  return next;
}
