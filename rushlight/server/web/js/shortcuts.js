// Keyboard shortcuts: one table does them and documents them.

import { byId, el } from "./dom.js";
import { preference, setPreference } from "./preferences.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.userAgent);
const COMMAND = isMac ? "⌘" : "Ctrl";

// `keys` are shown; `when` recognises the event. Those of a single key work outside of text fields and can be
// switched off.
const withCommand =
  (code, shift = false) =>
  (event) =>
    (isMac ? event.metaKey : event.ctrlKey) && event.shiftKey === shift && !event.altKey && event.code === code;
const single = (key) => (event) => event.key === key && !event.ctrlKey && !event.metaKey && !event.altKey;
const SHORTCUTS = [
  { keys: ["Enter"], about: "Send the message" },
  { keys: ["Shift", "Enter"], about: "Begin a new line" },
  { keys: ["Esc"], about: "Stop the answer" },
  { keys: ["↑"], about: "In an empty box: edit the last message" },
  { keys: ["/"], about: "Go to the message box", act: "focus", when: single("/"), isSingle: true },
  { keys: ["?"], about: "Show these shortcuts", act: "help", when: single("?"), isSingle: true },
  { keys: [COMMAND, "K"], about: "Search conversations", act: "search", when: withCommand("KeyK") },
  { keys: [COMMAND, "Shift", "O"], about: "New conversation", act: "begin", when: withCommand("KeyO", true) },
  {
    keys: [COMMAND, "Shift", "E"],
    about: "Answer the last message again",
    act: "again",
    when: withCommand("KeyE", true),
  },
  { keys: [COMMAND, "B"], about: "Show or hide the list", act: "sidebar", when: withCommand("KeyB") },
  { keys: [COMMAND, ","], about: "Settings", act: "settings", when: withCommand("Comma") },
];

/** Listen for shortcuts; `actions` has a function for each `act`, and `escape`. */
export function startShortcuts(actions) {
  const dialog = byId("shortcuts-dialog");
  const all = { ...actions, help: () => dialog.showModal() };
  byId("shortcuts").addEventListener("click", all.help);
  byId("shortcuts-close").addEventListener("click", () => dialog.close());
  byId("shortcuts-list").append(
    ...SHORTCUTS.map(({ keys, about }) =>
      el("tr", {}, el("td", {}, about), el("td", {}, ...keys.map((key) => el("kbd", {}, key)))),
    ),
  );
  const switched = byId("single-keys");
  switched.checked = preference("single-keys", true);
  switched.addEventListener("change", () => setPreference("single-keys", switched.checked));
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open], :popover-open")) return;
    if (event.key === "Escape") return all.escape();
    const isText = event.target.matches("input, textarea, select");
    const found = SHORTCUTS.find(({ when, isSingle }) => when?.(event) && !(isSingle && (isText || !switched.checked)));
    if (!found) return;
    event.preventDefault();
    all[found.act]();
  });
}
