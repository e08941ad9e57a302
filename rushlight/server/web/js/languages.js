// The languages whose code is coloured: file name in the vendor folder, what it is called, and other names for it.

export const LANGUAGES = {
  bash: { label: "Bash", also: ["sh", "zsh"] },
  c: { label: "C", also: ["h"] },
  cmake: { label: "CMake", also: [] },
  cpp: { label: "C++", also: ["c++", "cc", "cxx", "hpp", "hxx"] },
  csharp: { label: "C#", also: ["c#", "cs"] },
  css: { label: "CSS", also: [] },
  diff: { label: "Diff", also: ["patch"] },
  dockerfile: { label: "Dockerfile", also: ["docker"] },
  elixir: { label: "Elixir", also: ["ex", "exs"] },
  go: { label: "Go", also: ["golang"] },
  haskell: { label: "Haskell", also: ["hs"] },
  ini: { label: "INI", also: ["toml", "cfg", "conf"] },
  java: { label: "Java", also: [] },
  javascript: { label: "JavaScript", also: ["js", "jsx", "mjs", "cjs"] },
  json: { label: "JSON", also: ["jsonc", "json5", "jsonl"] },
  julia: { label: "Julia", also: ["jl"] },
  kotlin: { label: "Kotlin", also: ["kt", "kts"] },
  latex: { label: "LaTeX", also: ["tex"] },
  lua: { label: "Lua", also: [] },
  makefile: { label: "Makefile", also: ["make", "mk"] },
  markdown: { label: "Markdown", also: ["md"] },
  nginx: { label: "nginx", also: [] },
  perl: { label: "Perl", also: ["pl"] },
  php: { label: "PHP", also: [] },
  powershell: { label: "PowerShell", also: ["ps1", "pwsh", "ps"] },
  python: { label: "Python", also: ["py", "python3", "py3"] },
  r: { label: "R", also: [] },
  ruby: { label: "Ruby", also: ["rb"] },
  rust: { label: "Rust", also: ["rs"] },
  scala: { label: "Scala", also: [] },
  shell: { label: "Shell session", also: ["console", "shellsession"] },
  sql: { label: "SQL", also: ["sqlite", "mysql", "postgresql", "postgres"] },
  swift: { label: "Swift", also: [] },
  typescript: { label: "TypeScript", also: ["ts", "tsx"] },
  xml: { label: "HTML, XML", also: ["html", "xhtml", "svg", "vue"] },
  yaml: { label: "YAML", also: ["yml"] },
};

const BY_NAME = new Map(
  Object.entries(LANGUAGES).flatMap(([name, { also }]) => [name, ...also].map((each) => [each, name])),
);

/** The language that a fence names, or null. */
export const languageNamed = (name) => BY_NAME.get(name.toLowerCase()) ?? null;
