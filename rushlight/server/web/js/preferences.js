// What this browser remembers besides conversations: localStorage for good, sessionStorage until the tab is closed.

const PREFIX = "rushlight.";

function read(storage, name, otherwise) {
  try {
    return JSON.parse(storage.getItem(PREFIX + name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) storage.removeItem(PREFIX + name);
    else storage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // A browser that refuses to store is no reason to stop.
  }
}

/** A preference, or `otherwise` where none was kept. */
export const preference = (name, otherwise = null) => read(localStorage, name, otherwise);

/** Keep a preference; null forgets it. */
export const setPreference = (name, value) => write(localStorage, name, value);

/** Something kept for this tab, or `otherwise`. */
export const ofTab = (name, otherwise = null) => read(sessionStorage, name, otherwise);

/** Keep something for this tab; null forgets it. */
export const setOfTab = (name, value) => write(sessionStorage, name, value);
