// Sampling settings: their names are those of the API; what is left empty is up to the server.

export const SAMPLING = [
  {
    name: "temperature",
    label: "Temperature",
    min: 0,
    max: 10,
    step: 0.1,
    about: "0 always takes the likeliest token; higher is more varied.",
  },
  {
    name: "top_p",
    label: "Top p",
    min: 0.01,
    max: 1,
    step: 0.05,
    about: "Keep the likeliest tokens until they hold this much probability.",
  },
  {
    name: "top_k",
    label: "Top k",
    min: 0,
    max: 1000000,
    step: 1,
    whole: true,
    about: "Keep this many of the likeliest tokens; 0 keeps all.",
  },
  {
    name: "min_p",
    label: "Min p",
    min: 0,
    max: 1,
    step: 0.01,
    about: "Keep tokens at least this likely relative to the likeliest.",
  },
  {
    name: "repeat_penalty",
    label: "Repeat penalty",
    min: 0.001,
    max: 1000,
    step: 0.05,
    about: "Above 1, tokens that came lately become less likely.",
  },
  {
    name: "max_tokens",
    label: "Max tokens",
    min: 1,
    max: 10000000,
    step: 1,
    whole: true,
    about: "The answer ends after this many.",
  },
  {
    name: "seed",
    label: "Seed",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    step: 1,
    whole: true,
    about: "The same seed gives the same words.",
  },
];

/** What is wrong with a setting's text, as a sentence; "" where nothing is. */
export function problemWith(field, text) {
  if (text.trim() === "") return "";
  const value = Number(text);
  if (!Number.isFinite(value)) return `${field.label} must be a number.`;
  if (field.whole && !Number.isInteger(value)) return `${field.label} must be a whole number.`;
  if (value < field.min || value > field.max) return `${field.label} must be from ${field.min} to ${field.max}.`;
  return "";
}

/** The settings among some data that are known and in range. */
export function readSettings(data) {
  const found = SAMPLING.filter(({ name }) => typeof data?.[name] === "number");
  return Object.fromEntries(
    found.filter((field) => !problemWith(field, String(data[field.name]))).map(({ name }) => [name, data[name]]),
  );
}
