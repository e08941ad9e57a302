// A line that says what was done and, for a while, lets it be undone.

import { byId, el } from "./dom.js";

const SECONDS = 8;
let timer = 0;

/** Show a line; `undo`, if given, is offered as a button. */
export function toast(text, undo = null) {
  const element = byId("toast");
  const hide = () => {
    element.hidden = true;
  };
  const button = undo && el("button", { type: "button", class: "text-button", click: () => (hide(), undo()) }, "Undo");
  element.replaceChildren(text, ...(button ? [button] : []));
  element.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hide, SECONDS * 1000);
}
