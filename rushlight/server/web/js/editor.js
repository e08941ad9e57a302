// Boxes to write in: one that grows with its text, and one that changes a message.

import { el } from "./dom.js";

/** Make a text area as high as its text. */
export function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}

/** Whether a key press means "done": Enter alone, and not one that an input method takes. */
export const isSend = (event) =>
  event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;

/** A box with a text to change. Enter saves, Escape cancels. */
export function editorFor(text, { save, cancel }) {
  const area = el("textarea", { "aria-label": "Change the message", rows: "1" });
  area.value = text;
  const done = () => area.value.trim() && save(area.value.trim());
  area.addEventListener("input", () => grow(area));
  area.addEventListener("keydown", (event) => {
    if (isSend(event)) {
      event.preventDefault();
      done();
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      cancel();
    }
  });
  const buttons = el(
    "div",
    { class: "editor-foot" },
    el("button", { type: "button", class: "button", click: cancel }, "Cancel"),
    el("button", { type: "button", class: "button primary", click: done }, "Send"),
  );
  return el("div", { class: "editor" }, area, buttons);
}

/** Begin to write in a box that is on the page now, at the end of its text. */
export function beginEditing(editor) {
  const area = editor.querySelector("textarea");
  grow(area);
  area.focus();
  area.setSelectionRange(area.value.length, area.value.length);
}
