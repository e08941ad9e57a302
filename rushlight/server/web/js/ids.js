// Names for conversations and messages.

/** Sixteen random hexadecimal digits. (`crypto.randomUUID` is missing where a page comes without TLS.) */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
