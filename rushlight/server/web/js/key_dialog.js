// The dialog that asks for an API key.

import { byId } from "./dom.js";

/** A key from the reader; null where they would rather not. `problem` says why they are asked again. */
export function askForKey(problem = "") {
  const dialog = byId("key-dialog");
  const input = byId("key");
  if (dialog.open) return Promise.resolve(null);
  input.value = "";
  byId("key-problem").textContent = problem;
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => {
    const controller = new AbortController();
    const on = (element, type, act) => element.addEventListener(type, act, { signal: controller.signal });
    const end = (key) => {
      controller.abort();
      if (dialog.open) dialog.close();
      resolve(key);
    };
    const use = () => (input.value.trim() ? end(input.value.trim()) : input.focus());
    on(byId("key-save"), "click", use);
    on(byId("key-cancel"), "click", () => end(null));
    on(input, "keydown", (event) => event.key === "Enter" && use());
    on(dialog, "close", () => end(null));
  });
}
