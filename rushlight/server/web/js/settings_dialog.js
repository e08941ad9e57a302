// The dialog with the system prompt and the sampling settings of a conversation.

import { byId, el } from "./dom.js";
import { SAMPLING, problemWith } from "./settings.js";

/** Calls `save({ system, settings }, forNew)` when the reader is done. */
export class SettingsDialog {
  #inputs = new Map();

  constructor(save) {
    Object.assign(this, {
      save,
      dialog: byId("settings-dialog"),
      system: byId("system"),
      problem: byId("settings-problem"),
      keep: byId("settings-keep"),
    });
    byId("sampling").append(...SAMPLING.map((field) => this.#row(field)));
    byId("settings-save").addEventListener("click", () => this.#done());
    byId("settings-cancel").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      if (event.target.matches("input") || event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.#done();
      }
    });
  }

  /** Show what a conversation has. */
  open({ system, settings }) {
    this.system.value = system;
    this.keep.checked = false;
    this.problem.textContent = "";
    for (const [name, input] of this.#inputs) input.value = settings[name] ?? "";
    this.dialog.showModal();
  }

  #row({ name, label, about, whole }) {
    const input = el("input", {
      id: `setting-${name}`,
      inputmode: whole ? "numeric" : "decimal",
      autocomplete: "off",
      placeholder: name === "seed" ? "random" : "default",
      "aria-describedby": `about-${name}`,
    });
    this.#inputs.set(name, input);
    return el(
      "div",
      { class: "setting" },
      el("label", { for: input.id, class: "field-label" }, label),
      input,
      el("p", { class: "field-about", id: `about-${name}` }, about),
    );
  }

  #done() {
    const settings = {};
    for (const field of SAMPLING) {
      const input = this.#inputs.get(field.name);
      const problem = problemWith(field, input.value);
      input.setAttribute("aria-invalid", Boolean(problem));
      if (problem) {
        this.problem.textContent = problem;
        return input.focus();
      }
      if (input.value.trim()) settings[field.name] = Number(input.value);
    }
    this.dialog.close();
    this.save({ system: this.system.value, settings }, this.keep.checked);
  }
}
