// What a screen reader is told: not every token as it comes, but that an answer begins, and what it was.

import { byId } from "./dom.js";

const LONGEST = 400;

/** Say something when there is time. */
export function announce(text) {
  const region = byId("announcements");
  region.textContent = "";
  // The same words twice in a row are said twice only if the region was empty in between.
  requestAnimationFrame(() => {
    region.textContent = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  });
}
