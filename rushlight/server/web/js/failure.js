// What went wrong, in words for people.

/** An error with a kind for the page, a title, a sentence of detail and, if the server said so, when to try again. */
export class Failure extends Error {
  constructor(kind, title, detail = "", retrySeconds = null) {
    super(title);
    Object.assign(this, { kind, title, detail, retrySeconds });
  }

  /** As it is kept with a message. */
  get data() {
    return { kind: this.kind, title: this.title, detail: this.detail };
  }
}

/** The server did not answer, or stopped in the middle. */
export function connectionFailure(begun) {
  return begun
    ? new Failure("gone", "The connection was lost", "What had been written is kept. Is the server still running?")
    : new Failure("gone", "The server does not answer", "Is it still running? Your message is kept; try again once it is.");
}

/** Of an answer of HTTP that is not a success. */
export async function responseFailure(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // A proxy's page, perhaps: the status has to say it all.
  }
  const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return errorFailure(error, response.status, Number.isFinite(seconds) ? seconds : null);
}

/** Of an error object of the API, in an answer of its own or in the middle of a stream. */
export function errorFailure(error, status = null, retrySeconds = null) {
  const message = typeof error?.message === "string" ? error.message : "";
  const code = error?.code ?? "";
  if (status === 401 || code === "invalid_api_key") return new Failure("key", "An API key is needed", message);
  if (code === "context_length_exceeded") {
    return new Failure("context", "This conversation no longer fits", `${message} Begin a new conversation, or edit an earlier message.`);
  }
  if (status === 429) return new Failure("busy", "The server is busy", message, retrySeconds ?? 2);
  if (status === 503 || code === "loading") return new Failure("busy", "The server is not ready", message, retrySeconds ?? 2);
  if (status === 504) return new Failure("server", "The server took too long", message);
  if (status === 413) return new Failure("request", "The message is too large", message);
  if (status !== null && status < 500) return new Failure("request", "The server refused the request", message || `It answered ${status}.`);
  return new Failure("server", "The server failed", message || (status === null ? "" : `It answered ${status}.`));
}
