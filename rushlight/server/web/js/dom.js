// Elements, made without a line of HTML text: what a model writes can only ever become text.

const SVG = "http://www.w3.org/2000/svg";

/** An element. `props` are attributes; false, null and undefined leave one out, functions listen to the event named. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** An icon of the page's sprite; decoration, so nothing reads it out. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** A button that shows an icon and says `label`. */
export function iconButton(name, label, click, props = {}) {
  return el(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, click, ...props },
    icon(name),
  );
}

/** The element with an id, which the page is known to have. */
export const byId = (id) => document.getElementById(id);
