// Changes elements into others with as little as possible, so that selections, scrolled code and focus survive.

/** Make the children of `parent`, from the `first` on, look like `wanted`. */
export function patchChildren(parent, wanted, first = 0) {
  const there = [...parent.childNodes].slice(first);
  wanted.forEach((node, i) => {
    if (i >= there.length) parent.append(node);
    else patchNode(there[i], node);
  });
  for (const node of there.slice(wanted.length)) node.remove();
}

function patchNode(node, wanted) {
  if (node.nodeType !== wanted.nodeType || node.nodeName !== wanted.nodeName) return node.replaceWith(wanted);
  if (node.nodeType === Node.TEXT_NODE) {
    if (wanted.data.startsWith(node.data)) node.appendData(wanted.data.slice(node.length));
    else node.data = wanted.data;
    return;
  }
  for (const { name } of [...node.attributes]) if (!wanted.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of wanted.attributes)
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  patchChildren(node, [...wanted.childNodes]);
}
