// Formulas: found in the text, and drawn as MathML once the library that reads TeX is there. What it cannot read, and
// what has not ended yet, is shown as it was written.

import { Marked } from "../vendor/marked/marked.js";
import { el } from "./dom.js";

const MATHML = "http://www.w3.org/1998/Math/MathML";
const ACTIVE = /^(?:on|href|src|xlink)/i;
const LIMITS = { throwOnError: true, trust: false, maxExpand: 200, maxSize: [20, 100] };

const rule = (level, start, pattern) => ({
  name: "math",
  level,
  start: (text) => {
    const at = text.search(start);
    return at < 0 ? undefined : at;
  },
  tokenizer(text) {
    const found = pattern.exec(text);
    return found ? { type: "math", raw: found[0], text: found[0].trim() } : undefined;
  },
});

const BLOCK = rule(
  "block",
  /\\\[|\$\$|\\begin\{/,
  /^(?:\\\[[^]{1,2000}?\\\]|\$\$[^$]+?\$\$|\\begin\{([a-z]+\*?)\}[^]{1,2000}?\\end\{\1\})[ \t]*(?:\n+|$)/,
);
// Between single dollars, as pandoc has it: no space inside of them, and no digit after them, which would be a price.
const INLINE = rule(
  "inline",
  /\\[([]|\$/,
  /^(?:\\\([^\n]+?\\\)|\\\[[^]{1,2000}?\\\]|\$\$[^$]+?\$\$|\$(?![\s$])(?:\\.|[^\\$`\n])*?(?:\\.|[^\\$`\s])\$(?!\d))/,
);

/** Options of marked's lexer. */
export const OPTIONS = new Marked({ gfm: true, extensions: [BLOCK, INLINE] }).defaults;

let temml = null;
let loading = null;

/** The element of a formula; `text` has its delimiters. */
export function formula(text, tag) {
  const node = el(tag, { class: "math" }, text);
  draw(node);
  return node;
}

function draw(node) {
  if (!temml) {
    loading ??= load();
    node.setAttribute("data-waits", "");
    return;
  }
  const isDisplay = node.localName === "div" || /^(?:\\\[|\$\$)/.test(node.textContent);
  const drawn = document.createElement(node.localName);
  try {
    temml.render(withoutDelimiters(node.textContent), drawn, { ...LIMITS, displayMode: isDisplay });
  } catch {
    return;
  }
  // Places for the numbers of equations, which nothing here refers to.
  for (const number of drawn.querySelectorAll("span.tml-eqn")) number.remove();
  if (isOnlyMath(drawn)) node.replaceChildren(...drawn.childNodes);
}

async function load() {
  ({ default: temml } = await import("../vendor/temml/temml.js"));
  for (const node of document.querySelectorAll(".math[data-waits]")) {
    node.removeAttribute("data-waits");
    draw(node);
  }
}

function withoutDelimiters(text) {
  if (text.startsWith("\\begin")) return text;
  const length = /^\$[^$]/.test(text) ? 1 : 2;
  return text.slice(length, -length);
}

// The formula comes from a stranger: whatever is not a plain element of MathML is not taken.
function isOnlyMath(root) {
  return [...root.querySelectorAll("*")].every(
    (node) =>
      node.namespaceURI === MATHML &&
      node.localName !== "annotation-xml" &&
      [...node.attributes].every(({ name }) => !ACTIVE.test(name)),
  );
}
