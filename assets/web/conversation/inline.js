// Markdown within a line: emphasis, code, links, breaks. In linear time whatever the input, by CommonMark's delimiter
// algorithm. The result is a tree of plain objects, at most `maximumDepth` deep; nobody here knows a DOM.
//
// A node is a string or {t: em/strong/del, c}, {t: code, s}, {t: link, href, title, c}, {t: image, src, alt}, {t: br}.

const maximumDepth = 24;
const longestAddress = 2048;
const longestTitle = 512;

const punctuation = /[\p{P}\p{S}]/u;
const space = /\s/;
const escapable = /[!-/:-@[-`{-~]/;
const special = /[\\`*_~[\]!<&\nhw]/g;
const specialInPlain = /[`hw]/g;

const entities = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", hellip: "\u2026", mdash: "\u2014", ndash: "\u2013",
  copy: "\u00a9", reg: "\u00ae", trade: "\u2122", times: "\u00d7", rarr: "\u2192", larr: "\u2190", laquo: "\u00ab",
  raquo: "\u00bb", bull: "\u2022", middot: "\u00b7", deg: "\u00b0", check: "\u2713", euro: "\u20ac",
};

/** The tree of a piece of text. `plain`: of what a person typed, where only code and addresses mean something. */
export function parseInline(text, { plain = false } = {}) {
  return new InlineParser(text, plain).parse();
}

class InlineParser {
  constructor(text, plain) {
    this.text = text;
    this.special = plain ? specialInPlain : special;
    this.tokens = []; // strings, nodes, delimiter runs, link openers and closers
    this.lastDelimiter = null; // a list linked by `previous` and `next`
    this.brackets = [];
    this.runs = null; // where backtick runs of each length are, made when the first is met
  }

  parse() {
    const { text } = this;
    let i = 0;
    while (i < text.length) {
      this.special.lastIndex = i;
      const found = this.special.exec(text);
      if (!found) {
        this.push(text.slice(i));
        break;
      }
      if (found.index > i) this.push(text.slice(i, found.index));
      i = this.begin(found.index);
    }
    this.matchDelimiters(null);
    return this.tree();
  }

  push(token) {
    this.tokens.push(token);
  }

  /** What begins at `i`; returns where to go on. */
  begin(i) {
    const { text } = this;
    switch (text[i]) {
      case "\\": {
        const next = text[i + 1];
        if (next === "\n") {
          this.push({ t: "br" });
          return i + 2;
        }
        if (next !== undefined && escapable.test(next)) {
          this.push(next);
          return i + 2;
        }
        break;
      }
      case "\n": {
        const last = this.tokens.at(-1);
        if (typeof last === "string") {
          const trimmed = last.replace(/ +$/, "");
          this.tokens[this.tokens.length - 1] = trimmed;
          this.push(last.length - trimmed.length >= 2 ? { t: "br" } : "\n");
        } else this.push("\n");
        i++;
        while (text[i] === " " || text[i] === "\t") i++;
        return i;
      }
      case "`":
        return this.code(i);
      case "*":
      case "_":
      case "~":
        return this.delimiter(i);
      case "!":
        if (text[i + 1] === "[") {
          this.open(i, true);
          return i + 2;
        }
        break;
      case "[":
        this.open(i, false);
        return i + 1;
      case "]":
        return this.close(i);
      case "<":
        return this.angle(i);
      case "&":
        return this.entity(i);
      case "h":
      case "w":
        return this.bareAddress(i);
    }
    this.push(text[i]);
    return i + 1;
  }

  code(start) {
    const { text } = this;
    let end = start;
    while (text[end] === "`") end++;
    const length = end - start;
    if (!this.runs) this.findRuns();
    const ends = this.runs.get(length);
    while (ends.next < ends.at.length && ends.at[ends.next] < end) ends.next++;
    if (ends.next >= ends.at.length) {
      this.push(text.slice(start, end));
      return end;
    }
    const close = ends.at[ends.next];
    let content = text.slice(end, close).replace(/\n/g, " ");
    if (content.startsWith(" ") && content.endsWith(" ") && content.trim() !== "") content = content.slice(1, -1);
    this.push({ t: "code", s: content });
    return close + length;
  }

  findRuns() {
    this.runs = new Map();
    for (const run of this.text.matchAll(/`+/g)) {
      const length = run[0].length;
      if (!this.runs.has(length)) this.runs.set(length, { at: [], next: 0 });
      this.runs.get(length).at.push(run.index);
    }
  }

  delimiter(start) {
    const { text } = this;
    const character = text[start];
    let end = start;
    while (text[end] === character) end++;
    const count = end - start;
    if (character === "~" && count !== 2) {
      this.push(text.slice(start, end));
      return end;
    }
    const before = start === 0 ? " " : previousCharacter(text, start);
    const after = end >= text.length ? " " : String.fromCodePoint(text.codePointAt(end));
    const spaceBefore = space.test(before), spaceAfter = space.test(after);
    const markBefore = punctuation.test(before), markAfter = punctuation.test(after);
    const left = !spaceAfter && (!markAfter || spaceBefore || markBefore);
    const right = !spaceBefore && (!markBefore || spaceAfter || markAfter);
    const token = {
      t: "run", character, count, left: count, closes: [], opens: [],
      canOpen: character === "_" ? left && (!right || markBefore) : left,
      canClose: character === "_" ? right && (!left || markAfter) : right,
      order: this.tokens.length, previous: this.lastDelimiter, next: null,
    };
    if (this.lastDelimiter) this.lastDelimiter.next = token;
    this.lastDelimiter = token;
    this.push(token);
    return end;
  }

  open(i, image) {
    this.brackets.push({ token: this.tokens.length, delimiter: this.lastDelimiter, image, active: true, at: i });
    this.push(image ? "![" : "[");
  }

  close(i) {
    const bracket = this.brackets.pop();
    if (bracket?.active) {
      const target = this.target(i + 1);
      if (target) {
        this.matchDelimiters(bracket.delimiter);
        if (bracket.image) {
          const alt = plainText(this.tokens.splice(bracket.token).slice(1));
          this.push({ t: "image", src: target.address, alt });
        } else {
          this.tokens[bracket.token] = { t: "open", href: target.address, title: target.title };
          this.push({ t: "close" });
          for (const outer of this.brackets) if (!outer.image) outer.active = false;
          // All below are inactive as well from now on; they can't become links and needn't be looked at again.
          if (this.brackets.every((outer) => !outer.active)) this.brackets.length = 0;
        }
        return target.end;
      }
    }
    this.push("]");
    return i + 1;
  }

  /** `(address "title")` at `i`, or null. Bounded: whatever follows, a fixed length is looked at. */
  target(i) {
    const { text } = this;
    if (text[i] !== "(") return null;
    i = this.skipSpace(i + 1);
    let address = "";
    if (text[i] === "<") {
      const end = text.indexOf(">", i);
      if (end < 0 || end - i > longestAddress) return null;
      address = text.slice(i + 1, end);
      if (/[\n<]/.test(address)) return null;
      i = end + 1;
    } else {
      const start = i;
      let depth = 0;
      for (; i < text.length && i - start <= longestAddress; i++) {
        const code = text.charCodeAt(i);
        if (code <= 0x20) break;
        if (code === 0x5c && escapable.test(text[i + 1] ?? "")) i++;
        else if (code === 0x28 && ++depth > 16) return null;
        else if (code === 0x29 && --depth < 0) break;
      }
      if (depth > 0 || i - start > longestAddress) return null;
      address = text.slice(start, i);
    }
    let title = "";
    const afterAddress = i;
    i = this.skipSpace(i);
    const quote = { '"': '"', "'": "'", "(": ")" }[text[i]];
    if (quote && i > afterAddress) {
      const end = text.slice(i + 1, i + 1 + longestTitle).indexOf(quote);
      if (end < 0) return null;
      title = unescape(text.slice(i + 1, i + 1 + end));
      i = this.skipSpace(i + end + 2);
    }
    if (text[i] !== ")") return null;
    return { address: unescape(address), title, end: i + 1 };
  }

  skipSpace(i) {
    const limit = i + 64;
    while (i < limit && (this.text[i] === " " || this.text[i] === "\n" || this.text[i] === "\t")) i++;
    return i;
  }

  angle(i) {
    const rest = this.text.slice(i, i + longestAddress);
    const address = /^<((?:https?:\/\/|mailto:)[^\s<>]*)>/i.exec(rest);
    if (address) {
      this.push({ t: "link", href: address[1], title: "", c: [address[1]] });
      return i + address[0].length;
    }
    const lineBreak = /^<br ?\/?>/i.exec(rest);
    if (lineBreak) {
      this.push({ t: "br" });
      return i + lineBreak[0].length;
    }
    this.push("<");
    return i + 1;
  }

  entity(i) {
    const found = /^&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]{2,8}));/.exec(this.text.slice(i, i + 12));
    const decoded = found && decodeEntity(found);
    this.push(decoded || "&");
    return decoded ? i + found[0].length : i + 1;
  }

  bareAddress(i) {
    const { text } = this;
    const start = text.slice(i, i + 8);
    const scheme = /^(?:https?:\/\/|www\.)/.exec(start);
    if (!scheme || (i > 0 && /[\p{L}\p{N}_/]/u.test(previousCharacter(text, i)))) {
      this.push(text[i]);
      return i + 1;
    }
    let end = i + scheme[0].length;
    const limit = Math.min(text.length, i + longestAddress);
    while (end < limit && !/[\s<>`"\u2026]/.test(text[end])) end++;
    // Punctuation at the end belongs to the sentence; so does a bracket that wasn't opened within.
    for (;;) {
      const last = text[end - 1];
      if (/[?!.,:*_~';\]]/.test(last)) end--;
      else if (last === ")") {
        const address = text.slice(i, end);
        if (address.split(")").length > address.split("(").length) end--;
        else break;
      } else break;
    }
    if (end <= i + scheme[0].length) {
      this.push(scheme[0]);
      return i + scheme[0].length;
    }
    const address = text.slice(i, end);
    this.push({ t: "link", href: scheme[0] === "www." ? "https://" + address : address, title: "", c: [address] });
    return end;
  }

  /** Pairs the delimiter runs after `bottom`, innermost first, and forgets them. */
  matchDelimiters(bottom) {
    const floors = new Map(); // below these no opener is to be found for such a closer: what keeps this linear
    let closer = this.lastDelimiter;
    if (closer === bottom) return;
    while (closer && closer.previous !== bottom) closer = closer.previous;
    while (closer) {
      if (!closer.canClose || closer.left === 0) {
        closer = closer.next;
        continue;
      }
      const kind = closer.character + (closer.canOpen ? "b" : "c") + (closer.count % 3);
      const floor = floors.get(kind) ?? bottom?.order ?? -1;
      let opener = closer.previous;
      while (opener && opener.order > floor && !pairs(opener, closer)) opener = opener.previous;
      if (opener && opener.order > floor) {
        const width = opener.left >= 2 && closer.left >= 2 ? 2 : 1;
        const t = closer.character === "~" ? "del" : width === 2 ? "strong" : "em";
        opener.opens.push({ t, width });
        closer.closes.push({ t, width });
        opener.left -= width;
        closer.left -= width;
        opener.next = closer; // what lies between can't be paired any more
        closer.previous = opener;
        if (opener.left === 0) this.forget(opener);
        if (closer.left === 0) {
          const next = closer.next;
          this.forget(closer);
          closer = next;
        }
      } else {
        floors.set(kind, closer.previous?.order ?? -1);
        const next = closer.next;
        if (!closer.canOpen) this.forget(closer);
        closer = next;
      }
    }
    this.lastDelimiter = bottom;
    if (bottom) bottom.next = null;
  }

  forget(run) {
    if (run.previous) run.previous.next = run.next;
    if (run.next) run.next.previous = run.previous;
    else this.lastDelimiter = run.previous;
  }

  tree() {
    const root = [];
    const stack = [{ c: root, flat: false }];
    const top = () => stack.at(-1).c;
    const enter = (node) => {
      // Deeper than anybody means: what is inside stays, without the element around it.
      const flat = stack.length > maximumDepth;
      if (!flat) top().push(node);
      stack.push({ c: flat ? top() : node.c, node });
    };
    for (const token of this.tokens) {
      if (typeof token === "string") append(top(), token);
      else if (token.t === "run") {
        for (let i = 0; i < token.closes.length; i++) stack.pop();
        if (token.left > 0) append(top(), token.character.repeat(token.left));
        for (let i = token.opens.length - 1; i >= 0; i--) enter({ t: token.opens[i].t, c: [] });
      } else if (token.t === "open") enter({ t: "link", href: token.href, title: token.title, c: [] });
      else if (token.t === "close") stack.pop();
      else top().push(token);
    }
    return root;
  }
}

function pairs(opener, closer) {
  if (opener.character !== closer.character || !opener.canOpen) return false;
  if ((opener.canClose || closer.canOpen) && (opener.count + closer.count) % 3 === 0) {
    return opener.count % 3 === 0 && closer.count % 3 === 0;
  }
  return true;
}

function append(children, text) {
  if (text === "") return;
  if (typeof children.at(-1) === "string") children[children.length - 1] += text;
  else children.push(text);
}

function previousCharacter(text, i) {
  const code = text.charCodeAt(i - 1);
  return code >= 0xdc00 && code <= 0xdfff && i > 1 ? text.slice(i - 2, i) : text[i - 1];
}

function decodeEntity([, decimal, hexadecimal, name]) {
  if (name) return Object.hasOwn(entities, name) ? entities[name] : null;
  const code = decimal ? parseInt(decimal, 10) : parseInt(hexadecimal, 16);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return "\ufffd";
  return String.fromCodePoint(code);
}

function unescape(text) {
  return text.replace(/\\([!-/:-@[-`{-~])/g, "$1").replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([A-Za-z]{2,8}));/g, (...found) =>
    decodeEntity(found) ?? found[0]);
}

/** The words of a tree or of tokens, without their form. */
export function plainText(nodes) {
  let text = "";
  for (const node of nodes) {
    if (typeof node === "string") text += node;
    else if (node.t === "code") text += node.s;
    else if (node.t === "image") text += node.alt;
    else if (node.t === "br") text += "\n";
    else if (node.t === "run") text += node.character.repeat(node.left);
    else if (node.c) text += plainText(node.c);
  }
  return text;
}
