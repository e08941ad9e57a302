// Which models the server has, and which one is asked.

import { byId, el } from "./dom.js";
import { preference, setPreference } from "./preferences.js";
import { numberOf } from "./words.js";

/** The models, as the page's head shows them. */
export class Models {
  #all = [];

  constructor() {
    Object.assign(this, { name: byId("model"), choice: byId("model-choice") });
    this.choice.addEventListener("change", () => setPreference("model", this.choice.value));
  }

  /** Show what the server has. */
  set(models) {
    this.#all = models;
    const several = models.length > 1;
    this.choice.hidden = !several;
    this.name.hidden = several;
    this.name.textContent = models[0]?.id ?? "";
    this.choice.replaceChildren(...models.map(({ id }) => el("option", { value: id }, id)));
    const chosen = preference("model");
    this.choice.value = models.some(({ id }) => id === chosen) ? chosen : (models[0]?.id ?? "");
    byId("welcome-model").textContent = this.id
      ? `The model here is ${this.id}. What you write goes to this server and is kept in this browser only.`
      : "";
  }

  /** The name of the model that is asked; "" before the server has told. */
  get id() {
    return this.choice.value || "";
  }

  /** How much of the context a conversation uses, in words; "" where that is not known. */
  contextText(usage) {
    if (!usage) return "";
    const used = usage.prompt_tokens + usage.completion_tokens;
    const most = this.#all.find(({ id }) => id === this.id)?.max_model_len;
    return most ? `${numberOf(used)} of ${numberOf(most)} tokens of context` : `${numberOf(used)} tokens of context`;
  }
}
