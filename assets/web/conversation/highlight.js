// Colours for code: a small tokenizer, line by line, with the state that one line hands to the next. It knows words,
// strings, comments and numbers of the usual languages, not their grammars; what it doesn't know stays plain. Linear: each
// character is looked at by one of a few sticky expressions, and lines beyond `longestLine` stay plain.
//
// A token is [class, text]; classes: k keyword, t type or constant, s string, n number, c comment, f function, p property
// or attribute, m meta (decorator, directive), v variable, i inserted, d deleted, h hunk header, "" plain.

const longestLine = 2000;

const words = (text) => new Set(text.split(/\s+/));

const cComment = { line: ["//"], block: ["/*", "*/"] };
const hash = { line: ["#"] };
const quotes = [{ open: '"' }, { open: "'" }];

const js = {
  ...cComment,
  strings: [...quotes, { open: "`", multiline: true }],
  keywords: words(
    "abstract as asserts async await break case catch class const continue debugger declare default delete do else enum export extends finally for from function get if implements import in infer instanceof interface is keyof let namespace new of override package private protected public readonly return satisfies set static super switch this throw try type typeof var void while with yield",
  ),
  constants: words("true false null undefined NaN Infinity any boolean never number object string symbol unknown bigint"),
  decorator: true,
  regex: true,
};

const cFamily = {
  ...cComment,
  strings: quotes,
  preprocessor: true,
  keywords: words(
    "alignas alignof asm auto break case catch class concept const consteval constexpr constinit const_cast continue co_await co_return co_yield decltype default delete do dynamic_cast else enum explicit export extern final for friend goto if inline mutable namespace new noexcept operator override private protected public register reinterpret_cast requires restrict return sizeof static static_assert static_cast struct switch template this thread_local throw try typedef typeid typename union using virtual volatile while",
  ),
  constants: words(
    "true false nullptr NULL bool char char8_t char16_t char32_t double float int long short signed unsigned void size_t ssize_t int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t wchar_t",
  ),
};

const java = {
  ...cComment,
  strings: [{ open: '"""', multiline: true }, ...quotes],
  decorator: true,
  keywords: words(
    "abstract as assert base break by case catch checked class companion const constructor continue data default delegate do dynamic else enum event explicit export extends extension external factory final finally fixed for foreach fun get goto if implements implicit import in infix init inner instanceof interface internal is lateinit late lock mixin module namespace native new object of on open operator out override package params partial permits private protected public readonly record ref required requires return sealed set static strictfp super suspend switch synchronized this throw throws trait transient try typealias typedef using val var vararg virtual volatile when where while with yield def match given then lazy implicit",
  ),
  constants: words("true false null void boolean byte char double float int long short string bool decimal sbyte uint ulong ushort"),
};

const languages = {
  javascript: js,
  swift: {
    ...cComment,
    nested: true,
    strings: [{ open: '"""', multiline: true }, { open: '#"', close: '"#', escape: "" }, { open: '"' }],
    decorator: true,
    preprocessor: true,
    keywords: words(
      "actor any as associatedtype async await borrowing break case catch class consume consuming continue convenience copy default defer deinit didSet do dynamic each else enum extension fallthrough fileprivate final for func get guard if import in indirect infix init inout internal is isolated lazy let macro mutating nonisolated nonmutating open operator optional override package postfix precedencegroup prefix private protocol public repeat required rethrows return sending set some static struct subscript super switch throw throws try typealias unowned unsafe var weak where while willSet",
    ),
    constants: words("true false nil self Self"),
  },
  python: {
    ...hash,
    strings: [{ open: '"""', multiline: true }, { open: "'''", multiline: true }, ...quotes],
    prefixes: /(?:[rR][bBfF]?|[bBfFtTuU][rR]?)(?=["'])/y,
    decorator: true,
    keywords: words(
      "and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try type while with yield",
    ),
    constants: words("True False None self cls int str float bool bytes list dict set tuple object"),
  },
  go: {
    ...cComment,
    strings: [...quotes, { open: "`", multiline: true, escape: "" }],
    keywords: words(
      "break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var",
    ),
    constants: words(
      "true false nil iota any bool byte complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string uint uint8 uint16 uint32 uint64 uintptr append cap clear close copy delete len make max min new panic print println recover",
    ),
  },
  rust: {
    ...cComment,
    nested: true,
    strings: [{ open: 'r#"', close: '"#', escape: "", multiline: true }, { open: 'b"', close: '"' }, { open: '"', multiline: true }],
    character: /b?'(?:\\(?:u\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}|.)|[^\\'])'/y,
    lifetime: true,
    attribute: /#!?\[[^\]]*\]/y,
    keywords: words(
      "as async await become box break const continue crate dyn else enum extern final fn for if impl in let loop macro match mod move mut override priv pub ref return static struct super trait try type union unsafe use virtual where while yield",
    ),
    constants: words(
      "true false self Self bool char f32 f64 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 usize Some None Ok Err Option Result Vec String Box",
    ),
  },
  c: cFamily,
  java,
  csharp: { ...java, preprocessor: true, strings: [{ open: '"""', multiline: true }, { open: '@"', close: '"', escape: "", multiline: true }, { open: '$"', close: '"' }, ...quotes] },
  php: {
    line: ["//", "#"],
    block: ["/*", "*/"],
    strings: quotes,
    sigil: /\$[A-Za-z_]\w*/y,
    keywords: words(
      "abstract and array as break callable case catch class clone const continue declare default do echo else elseif enum extends final finally fn for foreach function global if implements include include_once instanceof insteadof interface match namespace new or print private protected public readonly require require_once return static switch throw trait try use var while xor yield",
    ),
    constants: words("true false null self parent int float string bool void mixed object never TRUE FALSE NULL"),
  },
  ruby: {
    ...hash,
    strings: [...quotes, { open: "`" }],
    sigil: /(?:@@?|\$)[A-Za-z_]\w*|:[A-Za-z_]\w*[?!]?/y,
    keywords: words(
      "alias and begin break case class def defined? do else elsif end ensure extend for if in include module next not or private protected public raise redo require require_relative rescue retry return self super then undef unless until when while yield attr_accessor attr_reader attr_writer",
    ),
    constants: words("true false nil"),
  },
  shell: {
    ...hash,
    hashAfterSpace: true,
    strings: [{ open: '"', multiline: true }, { open: "'", escape: "", multiline: true }, { open: "`" }],
    sigil: /\$(?:\w+|\{[^}\n]*\}|[?!#@*$-])/y,
    option: /--?[A-Za-z][\w-]*/y,
    keywords: words(
      "if then else elif fi for while until do done case esac in function select time return exit break continue local export readonly declare unset shift set source trap eval exec",
    ),
    constants: words(
      "alias apt awk cat cd chmod chown cp curl cut date diff docker echo env false find git go grep gzip head kill ln ls make mkdir mv node npm npx pip printf ps pwd python python3 read rm sed sleep sort ssh sudo swift tail tar tee test touch tr true uniq wc wget which xargs cargo yarn pnpm",
    ),
  },
  sql: {
    line: ["--"],
    block: ["/*", "*/"],
    strings: [{ open: "'", escape: "", multiline: true }, { open: '"', escape: "" }],
    ignoreCase: true,
    keywords: words(
      "add all alter analyze and as asc begin between by cascade case check column commit constraint create cross database default delete desc distinct drop else end except exists explain foreign from full function group having if in index inner insert intersect into is join key left like limit natural not offset on or order outer over partition pragma primary procedure references rename replace returning revoke right rollback row rows select set table then to transaction trigger truncate union unique update using vacuum values view when where window with",
    ),
    constants: words(
      "null true false int integer bigint smallint text varchar char boolean date time timestamp numeric decimal real blob json jsonb uuid serial count sum avg min max coalesce",
    ),
  },
  lua: {
    line: ["--"],
    block: ["--[[", "]]"],
    strings: [...quotes, { open: "[[", close: "]]", escape: "", multiline: true }],
    keywords: words("and break do else elseif end for function goto if in local not or repeat return then until while"),
    constants: words("true false nil self"),
  },
  json: { line: ["//"], block: ["/*", "*/"], strings: [{ open: '"' }], keys: "json", keywords: new Set(), constants: words("true false null") },
  yaml: {
    ...hash,
    hashAfterSpace: true,
    strings: [{ open: '"' }, { open: "'", escape: "" }],
    keys: "yaml",
    sigil: /[&*][\w-]+|!!?[\w/-]+/y,
    keywords: new Set(),
    constants: words("true false null yes no on off True False Null ~"),
  },
  toml: {
    line: ["#", ";"],
    strings: [{ open: '"""', multiline: true }, { open: "'''", escape: "", multiline: true }, { open: '"' }, { open: "'", escape: "" }],
    keys: "toml",
    keywords: new Set(),
    constants: words("true false inf nan"),
  },
  css: {
    line: [],
    block: ["/*", "*/"],
    strings: quotes,
    css: true,
    keywords: words("important from to and not only or"),
    constants: words("auto none inherit initial unset revert block flex grid inline absolute relative fixed sticky solid transparent currentColor"),
  },
  docker: {
    ...hash,
    strings: quotes,
    sigil: /\$(?:\w+|\{[^}\n]*\})/y,
    option: /--?[A-Za-z][\w-]*/y,
    keywords: words(
      "FROM AS RUN CMD LABEL MAINTAINER EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD STOPSIGNAL HEALTHCHECK SHELL",
    ),
    constants: new Set(),
  },
  make: {
    ...hash,
    strings: quotes,
    sigil: /\$(?:\([^)\n]*\)|\{[^}\n]*\}|[@<^?*%])/y,
    keywords: words("include ifeq ifneq ifdef ifndef else endif define endef export override PHONY"),
    constants: new Set(),
  },
};

const names = {
  js: "javascript", jsx: "javascript", mjs: "javascript", cjs: "javascript", ts: "javascript", tsx: "javascript", mts: "javascript",
  typescript: "javascript", node: "javascript", py: "python", python3: "python", pyi: "python", starlark: "python", golang: "go",
  rs: "rust", cpp: "c", "c++": "c", cc: "c", cxx: "c", h: "c", hpp: "c", hh: "c", objc: "c", m: "c", mm: "c", "objective-c": "c", cuda: "c", glsl: "c",
  kt: "java", kotlin: "java", kts: "java", scala: "java", dart: "java", groovy: "java", gradle: "java", cs: "csharp", "c#": "csharp",
  rb: "ruby", sh: "shell", bash: "shell", zsh: "shell", fish: "shell", console: "shell", "shell-session": "shell", shellscript: "shell",
  powershell: "shell", ps1: "shell", jsonc: "json", json5: "json", jsonl: "json", ndjson: "json", yml: "yaml", ini: "toml",
  conf: "toml", properties: "toml", env: "toml", cfg: "toml", service: "toml", scss: "css", less: "css", sass: "css",
  html: "markup", htm: "markup", xml: "markup", svg: "markup", vue: "markup", svelte: "markup", plist: "markup", xhtml: "markup",
  patch: "diff", dockerfile: "docker", containerfile: "docker", makefile: "make", mk: "make", postgresql: "sql", mysql: "sql", sqlite: "sql",
  md: "markdown",
};

/** The name of a language that is known here, by what stands behind a fence or after a file's last dot; or null. */
export function languageOf(name) {
  const key = String(name ?? "").toLowerCase().replace(/^[{.]+|[}].*$/g, "").split(/[\s,:{]/, 1)[0];
  if (Object.hasOwn(languages, key) || key === "markup" || key === "diff" || key === "markdown") return key;
  return Object.hasOwn(names, key) ? names[key] : null;
}

/** The same for a path. */
export function languageOfPath(path) {
  const name = String(path ?? "").split("/").at(-1).toLowerCase();
  if (name === "dockerfile" || name === "makefile" || name === "containerfile") return languageOf(name);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? null : languageOf(name.slice(dot + 1));
}

/** Tokens of one line and the state for the next, which is null at the beginning of a text. */
export function tokenizeLine(language, line, state = null) {
  if (line.length > longestLine) return { tokens: [["", line]], state };
  if (language === "diff") return { tokens: [[diffClass(line), line]], state: null };
  if (language === "markup") return markupLine(line, state);
  if (language === "markdown") return markdownLine(line, state);
  const spec = Object.hasOwn(languages, language) ? languages[language] : null;
  return spec ? codeLine(spec, line, state) : { tokens: [["", line]], state: null };
}

function diffClass(line) {
  if (line.startsWith("@@")) return "h";
  if (/^(?:diff |index |\+\+\+|---|rename |new file|deleted file|similarity )/.test(line)) return "m";
  if (line.startsWith("+")) return "i";
  return line.startsWith("-") ? "d" : "";
}

const identifier = /[A-Za-z_\u00a1-\uffff][\w\u00a1-\uffff]*/y;
const number = /(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d+)?)[A-Za-z%]*/y;
const plain = /[^A-Za-z_\u00a1-\uffff\d"'`/#@$&*!<>:.\-;[{(=,~]+/y;
const pattern = /\/(?![*/])(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[dgimsuvy]*/y;
const directive = /#[A-Za-z]+/y;

function codeLine(spec, line, state) {
  const tokens = [];
  let i = 0;
  let last = ""; // the last character that isn't space: tells a division from a pattern
  const push = (kind, text) => {
    if (text === "") return;
    const previous = tokens.at(-1);
    if (previous && previous[0] === kind) previous[1] += text;
    else tokens.push([kind, text]);
    const trimmed = text.trimEnd();
    if (trimmed !== "") last = trimmed.at(-1);
  };
  const match = (expression) => {
    expression.lastIndex = i;
    return expression.exec(line)?.[0] ?? null;
  };

  if (state) {
    const end = state.kind === "c" ? commentEnd(spec, line, 0, state) : stringEnd(line, 0, state);
    push(state.kind, line.slice(0, end.at));
    if (end.state) return { tokens, state: end.state };
    i = end.at;
  }
  if (spec.keys && i === 0) {
    const key = keyAt(spec.keys, line);
    if (key) {
      push("", key[1]);
      push("p", key[2]);
      i = key[1].length + key[2].length;
    }
  }
  while (i < line.length) {
    const character = line[i];
    if (spec.block && line.startsWith(spec.block[0], i)) {
      const end = commentEnd(spec, line, i + spec.block[0].length, { kind: "c", depth: 1 });
      push("c", line.slice(i, end.at));
      i = end.at;
      if (end.state) return { tokens, state: end.state };
      continue;
    }
    if (spec.line.some((mark) => line.startsWith(mark, i)) && (!spec.hashAfterSpace || i === 0 || /\s/.test(line[i - 1]))) {
      push("c", line.slice(i));
      break;
    }
    const character_ = spec.character && match(spec.character);
    if (character_) {
      push("s", character_);
      i += character_.length;
      continue;
    }
    const string = spec.strings.find((one) => line.startsWith(one.open, i));
    if (string && !(spec.lifetime && character === "'")) {
      const opened = { kind: "s", close: string.close ?? string.open, escape: string.escape ?? "\\" };
      const end = stringEnd(line, i + string.open.length, opened);
      const text = line.slice(i, end.at);
      const isKey = spec.keys === "json" && !end.state && /^\s*:/.test(line.slice(end.at));
      push(isKey ? "p" : "s", text);
      i = end.at;
      if (end.state) return { tokens, state: string.multiline ? end.state : null };
      continue;
    }
    const special =
      (spec.attribute && character === "#" && match(spec.attribute) && ["m", match(spec.attribute)]) ||
      (spec.sigil && match(spec.sigil) && ["v", match(spec.sigil)]) ||
      (spec.option && character === "-" && (i === 0 || /[\s[(]/.test(line[i - 1])) && match(spec.option) && ["p", match(spec.option)]) ||
      (spec.preprocessor && character === "#" && match(directive) && ["m", match(directive)]) ||
      (spec.decorator && character === "@" && match(/@[\w.]+/y) && ["m", match(/@[\w.]+/y)]) ||
      (spec.prefixes && match(spec.prefixes) && ["s", match(spec.prefixes)]) ||
      (spec.regex && character === "/" && (last === "" || "(,=:[!&|?{};+-*%<>~^".includes(last)) && match(pattern) && ["s", match(pattern)]) ||
      (spec.lifetime && character === "'" && match(/'[A-Za-z_]\w*/y) && ["v", match(/'[A-Za-z_]\w*/y)]) ||
      (spec.css && cssToken(line, i));
    if (special) {
      push(special[0], special[1]);
      i += special[1].length;
      continue;
    }
    const word = match(identifier);
    if (word) {
      push(wordClass(spec, word, line, i), word);
      i += word.length;
      continue;
    }
    const digits = match(number);
    if (digits) {
      push("n", digits);
      i += digits.length;
      continue;
    }
    const rest = match(plain) ?? character;
    push("", rest);
    i += rest.length;
  }
  return { tokens, state: null };
}

function wordClass(spec, word, line, i) {
  const key = spec.ignoreCase ? word.toLowerCase() : word;
  const member = line[i - 1] === ".";
  if (!member && spec.keywords.has(key)) return "k";
  if (!member && spec.constants.has(key)) return "t";
  if (spec.keys || spec.css) return "";
  if (/^\s?\(/.test(line.slice(i + word.length, i + word.length + 2))) return "f";
  if (/^[A-Z][A-Za-z\d]*[a-z]/.test(word)) return "t";
  return member ? "p" : "";
}

function cssToken(line, i) {
  const at = (expression) => {
    expression.lastIndex = i;
    return expression.exec(line)?.[0];
  };
  const rule = at(/@[\w-]+/y);
  if (rule) return ["k", rule];
  const colour = at(/#[\da-fA-F]{3,8}\b/y);
  if (colour) return ["n", colour];
  const variable = at(/--[\w-]+/y);
  if (variable) return ["v", variable];
  const selector = at(/[.#][A-Za-z_-][\w-]*/y);
  if (selector) return ["f", selector];
  const property = at(/[a-z-]+(?=\s*:(?!:)[^{]*$)/y);
  return property ? ["p", property] : null;
}

function keyAt(style, line) {
  if (style === "yaml") return /^(\s*(?:- +)*)([^\s#:"'[\]{},&*!|>-][^#:"']{0,120}?)(?=:(?:\s|$))/.exec(line);
  if (style === "toml") return /^(\s*)(\[[^\]]*\]+|[\w."-]+(?=\s*=))/.exec(line);
  return null;
}

function commentEnd(spec, line, i, { depth }) {
  const [open, close] = spec.block;
  for (;;) {
    const end = line.indexOf(close, i);
    const again = spec.nested ? line.indexOf(open, i) : -1;
    if (again >= 0 && (end < 0 || again < end)) {
      depth++;
      i = again + open.length;
      continue;
    }
    if (end < 0) return { at: line.length, state: { kind: "c", depth } };
    i = end + close.length;
    if (--depth === 0) return { at: i, state: null };
  }
}

function stringEnd(line, i, { kind, close, escape }) {
  for (; i < line.length; i++) {
    if (escape !== "" && line[i] === escape) i++;
    else if (line.startsWith(close, i)) return { at: i + close.length, state: null };
  }
  return { at: line.length, state: { kind, close, escape } };
}

const tag = /(<\/?)([A-Za-z][\w:.-]*)/y;
const attribute = /[^\s"'<>/=]+/y;

function markupLine(line, state) {
  const tokens = [];
  let i = 0;
  let inTag = state?.kind === "tag";
  if (state?.kind === "c") {
    const end = line.indexOf("-->");
    if (end < 0) return { tokens: [["c", line]], state };
    tokens.push(["c", line.slice(0, end + 3)]);
    i = end + 3;
  }
  while (i < line.length) {
    if (!inTag) {
      const next = line.indexOf("<", i);
      if (next < 0) {
        tokens.push(["", line.slice(i)]);
        break;
      }
      if (next > i) tokens.push(["", line.slice(i, next)]);
      i = next;
      if (line.startsWith("<!--", i)) {
        const end = line.indexOf("-->", i + 4);
        if (end < 0) {
          tokens.push(["c", line.slice(i)]);
          return { tokens, state: { kind: "c" } };
        }
        tokens.push(["c", line.slice(i, end + 3)]);
        i = end + 3;
        continue;
      }
      tag.lastIndex = i;
      const found = tag.exec(line);
      if (!found) {
        tokens.push(["", "<"]);
        i++;
        continue;
      }
      tokens.push(["", found[1]], ["k", found[2]]);
      i += found[0].length;
      inTag = true;
      continue;
    }
    const character = line[i];
    if (character === ">") {
      tokens.push(["", ">"]);
      i++;
      inTag = false;
    } else if (character === '"' || character === "'") {
      const end = line.indexOf(character, i + 1);
      const stop = end < 0 ? line.length : end + 1;
      tokens.push(["s", line.slice(i, stop)]);
      i = stop;
    } else {
      attribute.lastIndex = i;
      const found = attribute.exec(line);
      tokens.push(found ? ["p", found[0]] : ["", character]);
      i += found ? found[0].length : 1;
    }
  }
  return { tokens, state: inTag ? { kind: "tag" } : null };
}

function markdownLine(line, state) {
  if (/^ {0,3}(?:```|~~~)/.test(line)) return { tokens: [["m", line]], state: state ? null : { kind: "fence" } };
  if (state) return { tokens: [["s", line]], state };
  if (/^#{1,6} /.test(line)) return { tokens: [["k", line]], state: null };
  const item = /^(\s*)([-*+]|\d+[.)])( .*)$/.exec(line);
  if (item) return { tokens: [["", item[1]], ["n", item[2]], ["", item[3]]], state: null };
  return { tokens: [[line.startsWith(">") ? "c" : "", line]], state: null };
}
