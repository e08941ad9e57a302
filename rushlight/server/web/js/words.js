// Numbers and endings of answers, in words.

const ENDINGS = {
  length: "The answer ended at the limit of tokens.",
  stopped: "Stopped.",
  content_filter: "The answer was cut off by a filter.",
};

/** A duration: "840 ms", "3.2 s", "1 min 20 s". */
export function durationOf(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return `${Math.floor(milliseconds / 60_000)} min ${Math.round((milliseconds % 60_000) / 1000)} s`;
}

/** A whole number with separators, as English has them. */
export const numberOf = (value) => value.toLocaleString("en");

/** What an answer cost: `[{ text: "412 tokens" }, ...]`; `isMore` marks what is shown of the last answer only. */
export function countsOf({ usage, speed, seed }) {
  const rate = speed?.tokens_per_second;
  const cached = usage?.cached_tokens ? ` (${numberOf(usage.cached_tokens)} cached)` : "";
  return [
    usage && { text: plural(usage.completion_tokens, "token") },
    rate && { text: `${rate < 100 ? rate.toFixed(1) : Math.round(rate)} tokens/s` },
    speed?.first_ms && { text: `first after ${durationOf(speed.first_ms)}` },
    usage && { text: `prompt ${numberOf(usage.prompt_tokens)}${cached}`, isMore: true },
    usage && seed !== undefined && { text: `seed ${seed}`, isMore: true },
  ].filter(Boolean);
}

/** How an answer ended, where that is worth saying: `{ kind: "failure" | "note", title, detail }`, or null. */
export function endingOf({ finish, failure, content, reasoning }) {
  if (failure) return { ...failure, kind: "failure" };
  if (finish === null)
    return { kind: "note", title: "Not finished: the page was closed, or another tab is still at it." };
  if (ENDINGS[finish]) return { kind: "note", title: ENDINGS[finish] };
  if (content) return null;
  return { kind: "note", title: reasoning ? "The model thought, but gave no answer." : "The answer is empty." };
}

const plural = (count, word) => `${numberOf(count)} ${word}${count === 1 ? "" : "s"}`;
