// Blocks of code: the language, a button that copies, and colours once the language's grammar is there.

import hljs from "../vendor/highlight/core.js";
import { LANGUAGES, languageNamed } from "./languages.js";
import { decoded } from "./entities.js";
import { el, icon } from "./dom.js";

const LONGEST = 200_000;
const TAG = /<span class="([\w\- ]+)">|<\/span>/;
const loading = new Map();

/** A block of code; `info` is what stood behind the fence. */
export function codeBlock(text, info) {
  const asked = info.trim().split(/[\s{,]/, 1)[0];
  const language = languageNamed(asked);
  const code = el("code", { "data-language": language }, text);
  if (language) colour(code, language);
  const copy = el(
    "button",
    { type: "button", class: "copy", "data-action": "copy-code", "aria-label": "Copy code" },
    icon("copy"),
    el("span", {}, "Copy"),
  );
  const name = (language && LANGUAGES[language].label) || asked.slice(0, 30) || "text";
  const bar = el("div", { class: "code-bar" }, el("span", { class: "code-language" }, name), copy);
  return el(
    "div",
    { class: "code" },
    bar,
    el("pre", { tabindex: "0", role: "group", "aria-label": `Code, ${name}` }, code),
  );
}

/** Colour the code of an element, now or when its language has been loaded. */
function colour(code, language) {
  if (code.textContent.length > LONGEST) return;
  if (hljs.getLanguage(language)) {
    const { value } = hljs.highlight(code.textContent, { language, ignoreIllegals: true });
    code.replaceChildren(...coloured(value));
    return;
  }
  if (!loading.has(language)) loading.set(language, load(language));
  code.setAttribute("data-waits", "");
}

async function load(language) {
  const { default: grammar } = await import(`../vendor/highlight/languages/${language}.js`);
  hljs.registerLanguage(language, grammar);
  for (const code of document.querySelectorAll(`code[data-waits][data-language="${language}"]`)) {
    code.removeAttribute("data-waits");
    colour(code, language);
  }
}

// highlight.js gives HTML of spans and escaped text; the elements are made here.
function coloured(html) {
  const root = document.createDocumentFragment();
  const open = [root];
  const parts = html.split(TAG);
  for (let i = 0; i < parts.length; i += 2) {
    if (parts[i]) open.at(-1).append(decoded(parts[i]));
    if (i + 1 === parts.length) break;
    if (parts[i + 1] === undefined) open.pop();
    else {
      const span = el("span", { class: parts[i + 1] });
      open.at(-1).append(span);
      open.push(span);
    }
  }
  return root.childNodes;
}
