// What went wrong, in words for people.

const DEFAULT_RETRY = 2;

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
    : new Failure(
        "gone",
        "The server does not answer",
        "Is it still running? Your message is kept; try again once it is.",
      );
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

// What the page does about an error, and how it calls it, by the API's code and by the status of HTTP.
const BY_CODE = {
  invalid_api_key: ["key", "An API key is needed"],
  context_length_exceeded: ["context", "This conversation no longer fits"],
  timeout: ["server", "The server took too long"],
  server_stopped: ["gone", "The server was stopped"],
};
const BY_STATUS = {
  401: ["key", "An API key is needed"],
  413: ["request", "The message is too large"],
  429: ["busy", "The server is busy"],
  503: ["busy", "The server is not ready"],
  504: ["server", "The server took too long"],
};

/** Of an error object of the API, in an answer of its own or in the middle of a stream. */
export function errorFailure(error, status = null, retrySeconds = null) {
  const isRefused = status !== null && status < 500;
  const otherwise = isRefused ? ["request", "The server refused the request"] : ["server", "The server failed"];
  const [kind, title] = BY_CODE[error?.code] ?? BY_STATUS[status] ?? otherwise;
  const said = typeof error?.message === "string" ? error.message : status === null ? "" : `It answered ${status}.`;
  const advice = kind === "context" ? " Begin a new conversation, or edit an earlier message." : "";
  return new Failure(kind, title, said + advice, kind === "busy" ? (retrySeconds ?? DEFAULT_RETRY) : null);
}
