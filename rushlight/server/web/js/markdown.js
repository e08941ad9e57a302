// Markdown as elements. marked takes the text apart; every element is made here, from a fixed set, so whatever a model
// writes is text, one of these elements, or a link that a person may follow. HTML in the text is shown, not obeyed.

import { Lexer } from "../vendor/marked/marked.js";
import { codeBlock } from "./code.js";
import { el } from "./dom.js";
import { decoded } from "./entities.js";
import { OPTIONS, formula } from "./math.js";

const LINKED = new Set(["http:", "https:", "mailto:"]);
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,[a-z0-9+/=]+$/i;
const PAIRED = /^<(\/?)(sub|sup|kbd|mark|u|s|b|i|em|strong)>$/i;
const DEEPEST = 40;
const MOST_OPEN = 8;

/** The blocks of a Markdown text, as marked's tokens. Line breaks must be "\n". */
export function blocksOf(text) {
  try {
    return new Lexer(OPTIONS).lex(text);
  } catch {
    // Thousands of quotes or lists in each other are more than the stack holds.
    return [{ type: "html", raw: text }];
  }
}

/** The element of a block; null for one that shows nothing. */
export function blockElement(token, depth = 0) {
  const make = depth > DEEPEST ? null : BLOCKS[token.type];
  return make ? make(token, depth + 1) : el("p", {}, token.raw);
}

const BLOCKS = {
  space: () => null,
  def: () => null,
  hr: () => el("hr"),
  code: (token) => codeBlock(token.text, token.lang ?? ""),
  html: (token) => el("p", { class: "raw" }, token.raw.trimEnd()),
  math: (token) => formula(token.text, "div"),
  // The page has headings of its own above those of an answer.
  heading: (token, depth) => el(`h${Math.min(6, token.depth + 2)}`, {}, ...inline(token.tokens, depth)),
  paragraph: (token, depth) => el("p", {}, ...inline(token.tokens, depth)),
  text: (token, depth) => el("p", {}, ...inline(token.tokens ?? [token], depth)),
  blockquote: (token, depth) => el("blockquote", {}, ...blocks(token.tokens, depth)),
  list: (token, depth) => {
    const start = token.ordered && token.start !== 1 ? { start: token.start } : {};
    return el(token.ordered ? "ol" : "ul", start, ...token.items.map((item) => listItem(item, depth)));
  },
  table: (token, depth) => {
    const row = (cells, tag) =>
      el(
        "tr",
        {},
        ...cells.map((cell) => el(tag, { class: cell.align && `align-${cell.align}` }, ...inline(cell.tokens, depth))),
      );
    const body = token.rows.length ? el("tbody", {}, ...token.rows.map((cells) => row(cells, "td"))) : null;
    return el(
      "div",
      { class: "table", tabindex: "0", role: "group", "aria-label": "Table" },
      el("table", {}, el("thead", {}, row(token.header, "th")), body),
    );
  },
};

const blocks = (tokens, depth) => tokens.map((token) => blockElement(token, depth)).filter(Boolean);

function listItem(item, depth) {
  // In a tight list the text stands in the item itself, without a paragraph around it.
  const parts = item.tokens.flatMap((token) => {
    if (token.type === "checkbox") return checkbox(token.checked);
    if (token.type === "text" && !item.loose) return inline(token.tokens ?? [token], depth);
    return blockElement(token, depth) ?? [];
  });
  return el("li", { class: item.task && "task" }, ...parts);
}

const checkbox = (checked) =>
  el("input", { type: "checkbox", disabled: true, checked, "aria-label": checked ? "Done" : "Open" });

function inline(tokens, depth) {
  if (depth > DEEPEST) return tokens.map((token) => token.raw);
  const nodes = [];
  const open = [];
  const add = (...more) => (open.length ? open.at(-1).append(...more) : nodes.push(...more));
  for (const token of tokens) {
    const pair = token.type === "html" && PAIRED.exec(token.raw);
    if (!pair) add(...inlineNodes(token, depth + 1));
    else if (!pair[1] && open.length < MOST_OPEN) open.push(el(pair[2].toLowerCase()));
    else if (open.at(-1)?.localName === pair[2].toLowerCase()) add(open.pop());
    else add(token.raw);
  }
  // What was never closed was no element, only text.
  while (open.length) {
    const unclosed = open.pop();
    add(`<${unclosed.localName}>`, ...unclosed.childNodes);
  }
  return nodes;
}

function inlineNodes(token, depth) {
  const within = () => inline(token.tokens ?? [], depth);
  switch (token.type) {
    case "strong":
    case "em":
    case "del":
      return [el(token.type, {}, ...within())];
    case "codespan":
      return [el("code", {}, token.text)];
    case "br":
      return [el("br")];
    case "math":
      return [formula(token.text, "span")];
    case "link":
      return link(token.href, within(), token.title);
    case "image":
      return image(token);
    case "checkbox":
      return [checkbox(token.checked)];
    case "escape":
      return [token.text];
    case "html":
      return /^<br\s*\/?>$/i.test(token.raw) ? [el("br")] : [token.raw];
    default:
      return token.tokens ? within() : [decoded(token.raw)];
  }
}

function link(href, children, title = null) {
  const url = addressOf(href);
  if (!url) return children;
  return [
    el(
      "a",
      { href: url, target: "_blank", rel: "noopener noreferrer nofollow", title: title && decoded(title) },
      ...children,
    ),
  ];
}

// A picture from elsewhere would tell that server what is read here, so it becomes a link.
function image({ href, text, title }) {
  const name = decoded(text) || "image";
  if (PICTURE.test(href)) return [el("img", { src: href, alt: name, title: title && decoded(title) })];
  const url = addressOf(href);
  return url ? link(href, [`Image: ${name}`], title ?? url) : [name];
}

function addressOf(href) {
  try {
    const url = new URL(decoded(href));
    return LINKED.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
