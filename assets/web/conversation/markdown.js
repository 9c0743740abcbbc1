// Markdown as it arrives: CommonMark's common part with GitHub's tables, task lists and strikethrough.
//
// Two phases. The segmenter reads whole lines and cuts the text into top-level segments (a paragraph, a list item, a part
// of a code block ...); a segment that is closed never changes again. The second phase, `parseSegment`, makes a tree of one
// segment, when it is about to be shown. So a chunk costs the segment that is open, a message of megabytes costs
// what is looked at, and every segment is bounded: what grows beyond that goes on in a continuation. Where the text is cut
// into chunks makes no difference.
//
// HTML is text here, except <br>. Reference links are text, too: their targets may come long after.

import { parseInline } from "./inline.js";
import { safeCut } from "./text.js";

const longestLine = 2048; // characters; a longer one goes on as another line of the same block
const largestSegment = 4096; // characters
const mostLines = 100; // of a code block or table in one segment
const deepest = 10; // lists and quotes in each other; deeper is shown as text

const closedFence = /^ {0,3}(`{3,}|~{3,})[ \t]*$/;
const fenceStart = /^( {0,3})(`{3,}|~{3,})([^\n]*)$/;
const headingStart = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const itemStart = /^( {0,3})([-+*]|\d{1,9}[.)])( {1,4}(?! )| (?= {4})|$)/;
const quoteStart = /^ {0,3}> ?/;
const setext = /^ {0,3}(=+|-+)[ \t]*$/;
const delimiterRow = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;

export class MarkdownStream {
  /** Segments that will not change, in order. */
  closed = [];
  #current = null;
  #partial = ""; // of the last line, whose end hasn't come
  #partialContinues = false; // it is the rest of a line that was cut
  #list = null; // the list that the last segment belongs to
  #count = 0;
  #blank = false; // whether a blank line came before
  #plain;

  /** `plain`: what a person typed; only fenced code is told apart, all else stays as it was typed. */
  constructor({ plain = false } = {}) {
    this.#plain = plain;
  }

  /** More text. Cheap for text of any size that comes at once, linear in all. */
  append(text) {
    const buffer = this.#partial + text;
    let start = 0;
    let continues = this.#partialContinues;
    for (;;) {
      const end = buffer.indexOf("\n", start);
      const limit = end < 0 ? buffer.length : end;
      while (limit - start > longestLine) {
        const cut = cutLine(buffer, start);
        this.line(buffer.slice(start, cut), continues);
        start = cut;
        continues = true;
      }
      if (end < 0) break;
      this.line(withoutReturn(buffer.slice(start, end)), continues);
      continues = false;
      start = end + 1;
    }
    this.#partial = buffer.slice(start);
    this.#partialContinues = continues;
  }

  /** There is no more. */
  end() {
    if (this.#partial !== "") this.line(withoutReturn(this.#partial), this.#partialContinues);
    this.#partial = "";
    this.#close();
  }

  /** The segments that are still open, as if the text ended here; new objects each time. */
  open() {
    if (!this.#current && this.#partial === "") return [];
    const rest = new MarkdownStream({ plain: this.#plain });
    rest.#current = this.#current && { ...this.#current, lines: [...this.#current.lines] };
    rest.#list = this.#list;
    rest.#count = this.#count;
    rest.#blank = this.#blank;
    if (this.#partial !== "") rest.line(this.#partial, this.#partialContinues);
    rest.#close(true);
    return rest.closed;
  }

  #start(type, fields) {
    if (type !== "item") this.#list = null;
    this.#current = { type, at: this.#count++, lines: [], size: 0, open: true, ...fields };
    return this.#current;
  }

  #close(stillOpen = false) {
    const segment = this.#current;
    if (!segment) return;
    segment.open = stillOpen;
    this.#current = null;
    this.closed.push(segment);
  }

  #single(type, fields) {
    this.#start(type, fields);
    this.#close();
  }

  #add(segment, line) {
    segment.lines.push(line);
    segment.size += line.length + 1;
  }

  /** One line, without its end. `continues`: it is the rest of the line before. */
  line(raw, continues = false) {
    const line = continues ? raw : expandTabs(raw);
    const segment = this.#current;
    if (!segment) {
      this.#begin(line, continues);
      return;
    }
    const blank = !continues && line.trim() === "";
    switch (segment.type) {
      case "code":
        if (!continues && closesFence(line, segment.fence)) this.#close();
        else this.#addCode(segment, continues ? line : dropIndent(line, segment.indent));
        return;
      case "indented":
        if (blank) segment.blanks++;
        else if (continues || line.startsWith("    ")) {
          for (; segment.blanks > 0; segment.blanks--) this.#add(this.#current, "");
          this.#addCode(this.#current, continues ? line : line.slice(4));
        } else this.#anew(line);
        return;
      case "paragraph":
        if (blank) this.#closeAtBlank();
        else if (continues) this.#addText(segment, line);
        else this.#paragraphLine(segment, line);
        return;
      case "table":
        if (blank) this.#closeAtBlank();
        else if (!continues && startsBlock(line)) this.#anew(line);
        else this.#addRow(segment, line, continues);
        return;
      case "item":
        if (blank) {
          segment.blanks++;
        } else if (continues || indentOf(line) >= segment.indent) {
          const content = continues ? line : line.slice(segment.indent);
          this.#addNested(segment, content, continues);
        } else if (segment.blanks === 0 && isLazy(segment, line)) this.#addNested(segment, line.trimStart(), true);
        else {
          this.#blank = segment.blanks > 0;
          this.#anew(line);
        }
        return;
      case "quote": {
        if (blank) {
          this.#closeAtBlank();
          return;
        }
        const mark = continues ? null : quoteStart.exec(line);
        if (mark) this.#addNested(segment, line.slice(mark[0].length), false);
        else if (continues || isLazy(segment, line)) this.#addNested(segment, line.trimStart(), true);
        else this.#anew(line);
      }
    }
  }

  #anew(line) {
    this.#close();
    this.#begin(line, false);
  }

  #closeAtBlank() {
    this.#close();
    this.#blank = true;
  }

  #begin(line, continues) {
    if (!continues) {
      if (line.trim() === "") {
        this.#blank = true;
        return;
      }
      const afterBlank = this.#blank;
      this.#blank = false;
      const fence = fenceOf(line);
      if (fence) {
        this.#start("code", { ...fence, continued: false, continues: false });
        return;
      }
      if (this.#plain) {
        this.#addText(this.#start("paragraph", { continued: false }), line);
        return;
      }
      const heading = headingStart.exec(line);
      if (heading) {
        const text = line.slice(heading[0].length).replace(/(?:^|[ \t]+)#+[ \t]*$/, "");
        this.#single("heading", { level: heading[1].length, lines: [text], size: line.length });
        return;
      }
      if (isRule(line)) {
        this.#single("rule", {});
        return;
      }
      const item = itemStart.exec(line);
      if (item) {
        this.#beginItem(line, item, afterBlank);
        return;
      }
      const quote = quoteStart.exec(line);
      if (quote) {
        this.#addNested(this.#start("quote", { blanks: 0, innerFence: null }), line.slice(quote[0].length), false);
        return;
      }
      if (line.startsWith("    ")) {
        this.#add(this.#start("indented", { blanks: 0, continued: false, continues: false }), line.slice(4));
        return;
      }
    }
    this.#addText(this.#start("paragraph", { continued: continues }), line.trimStart());
  }

  #beginItem(line, [all, indent, marker, space], afterBlank) {
    const ordered = marker.length > 1;
    const kind = ordered ? marker.at(-1) : marker;
    const same = this.#list?.kind === kind;
    if (!same) this.#list = { kind, id: this.#count };
    const width = indent.length + marker.length + (space === "" ? 1 : space.length);
    const segment = this.#start("item", {
      list: this.#list.id, ordered, number: ordered ? parseInt(marker, 10) : 0, indent: width,
      spaced: same && afterBlank, continued: false, blanks: 0, innerFence: null,
    });
    this.#addNested(segment, line.slice(all.length), false);
  }

  #paragraphLine(segment, line) {
    if (this.#plain) {
      if (fenceOf(line)) this.#anew(line);
      else this.#addText(segment, line);
      return;
    }
    const underline = setext.exec(line);
    if (underline && !segment.continued) {
      segment.type = "heading";
      segment.level = underline[1][0] === "=" ? 1 : 2;
      this.#close();
      return;
    }
    if (segment.lines.length === 1 && delimiterRow.test(line) && (line.includes("|") || segment.lines[0].includes("|"))) {
      const head = cellsOf(segment.lines[0]);
      const delimiters = cellsOf(line);
      if (head.length === delimiters.length && head.length <= 64) {
        segment.type = "table";
        segment.head = head;
        segment.align = delimiters.map(alignmentOf);
        segment.lines = [];
        return;
      }
    }
    if (interrupts(line)) this.#anew(line);
    else this.#addText(segment, line.trimStart());
  }

  #addText(segment, line) {
    if (segment.size > largestSegment) {
      this.#close();
      segment = this.#start("paragraph", { continued: true });
    }
    this.#add(segment, line);
  }

  #addCode(segment, line) {
    if (segment.size > largestSegment || segment.lines.length >= mostLines) {
      segment.continues = true;
      this.#close();
      const { type, fence, indent, info } = segment;
      segment = this.#start(type, { fence, indent, info, blanks: 0, continued: true, continues: false });
    }
    this.#add(segment, line);
  }

  #addRow(segment, line, continues) {
    if (segment.size > largestSegment || segment.lines.length >= mostLines) {
      this.#close();
      segment = this.#start("table", { head: segment.head, align: segment.align, continued: true });
    }
    if (continues && segment.lines.length > 0) {
      segment.lines[segment.lines.length - 1] += line;
      segment.size += line.length;
    } else this.#add(segment, line);
  }

  /** A line of a list item or a quote, its indentation or mark taken off. */
  #addNested(segment, line, continues) {
    if (segment.size > largestSegment) {
      this.#close();
      const { type, list, ordered, number, indent, blanks, innerFence } = segment;
      segment = this.#start(type, { list, ordered, number, indent, blanks, innerFence, spaced: false, continued: true });
      if (innerFence) this.#add(segment, innerFence.line); // a code block within goes on as one
    }
    for (; segment.blanks > 0; segment.blanks--) this.#add(segment, "");
    this.#add(segment, line);
    segment.afterFence = false;
    if (continues) return;
    if (segment.innerFence) {
      if (closesFence(line, segment.innerFence.fence)) {
        segment.innerFence = null;
        segment.afterFence = true;
      }
    } else {
      const fence = fenceOf(line.trimStart());
      if (fence) segment.innerFence = { fence: fence.fence, line };
    }
  }
}

/** What a paragraph goes on into without a mark of its own. */
function isLazy(segment, line) {
  if (segment.innerFence || segment.afterFence) return false;
  const last = segment.lines.at(-1);
  return last !== undefined && last !== "" && !headingStart.test(last) && !isRule(last) && !startsBlock(line);
}

function startsBlock(line) {
  return fenceOf(line) !== null || headingStart.test(line) || isRule(line) || itemStart.test(line) || quoteStart.test(line);
}

/** As `startsBlock`, for a line within a paragraph: only a list item with words, and one that begins at 1, ends that. */
function interrupts(line) {
  if (fenceOf(line) !== null || headingStart.test(line) || isRule(line) || quoteStart.test(line)) return true;
  const item = itemStart.exec(line);
  return item !== null && line.length > item[0].length && (item[2].length === 1 || parseInt(item[2], 10) === 1);
}

function isRule(line) {
  let mark = "";
  let count = 0;
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    if (character === " " || character === "\t") {
      if (count === 0 && i >= 3) return false;
    } else if (count === 0 && (character === "-" || character === "*" || character === "_")) {
      mark = character;
      count = 1;
    } else if (character === mark) count++;
    else return false;
  }
  return count >= 3;
}

function fenceOf(line) {
  const start = fenceStart.exec(line);
  if (!start || (start[2][0] === "`" && start[3].includes("`"))) return null;
  return { fence: start[2], indent: start[1].length, info: start[3].trim().slice(0, 200) };
}

function closesFence(line, fence) {
  const end = closedFence.exec(line);
  return end !== null && end[1][0] === fence[0] && end[1].length >= fence.length;
}

function indentOf(line) {
  let i = 0;
  while (line[i] === " ") i++;
  return i;
}

function dropIndent(line, count) {
  return line.slice(Math.min(count, indentOf(line)));
}

/** Tabs before the first word, as spaces up to the next multiple of four. */
function expandTabs(line) {
  if (!/^ *\t/.test(line)) return line;
  let column = 0;
  let i = 0;
  for (; i < line.length; i++) {
    if (line[i] === " ") column++;
    else if (line[i] === "\t") column += 4 - (column % 4);
    else break;
  }
  return " ".repeat(Math.min(column, 400)) + line.slice(i);
}

function withoutReturn(line) {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

function cutLine(text, start) {
  const at = text.lastIndexOf(" ", start + longestLine - 1);
  if (at > start + longestLine / 2) return at + 1;
  return safeCut(text, start + longestLine);
}

function cellsOf(row) {
  const cells = [];
  let cell = "";
  let line = row.trim();
  if (line.startsWith("|")) line = line.slice(1);
  let code = false;
  for (let i = 0; i < line.length; i++) {
    const character = line[i];
    if (character === "\\" && line[i + 1] === "|") {
      cell += "|";
      i++;
    } else if (character === "|") {
      cells.push(cell.trim());
      cell = "";
      code = false;
    } else {
      if (character === "`") code = !code;
      cell += character;
    }
  }
  if (cell.trim() !== "" || !line.endsWith("|")) cells.push(cell.trim());
  return cells;
}

function alignmentOf(cell) {
  const left = cell.startsWith(":");
  const right = cell.endsWith(":");
  return left && right ? "center" : right ? "right" : left ? "left" : "";
}

/**
 * The tree of a segment: {type: heading, level, c}, {type: paragraph, c}, {type: code, info, lines, ...}, {type: table,
 * head, align, rows}, {type: item, ordered, number, task, blocks, list, spaced}, {type: quote, blocks} or {type: rule};
 * `c` are nodes of inline.js.
 */
export function parseSegment(segment, options = {}, depth = 0) {
  switch (segment.type) {
    case "heading":
      return { type: "heading", level: segment.level, c: parseInline(segment.lines.join("\n").trim(), options) };
    case "paragraph":
      return { type: "paragraph", continued: segment.continued, c: parseInline(segment.lines.join("\n").trimEnd(), options) };
    case "code":
    case "indented": {
      const { info = "", lines, continued, continues, open } = segment;
      return { type: "code", info, lines, continued, continues, open };
    }
    case "table": {
      const width = segment.head.length;
      const rows = segment.lines.map((line) => {
        const cells = cellsOf(line).slice(0, width);
        while (cells.length < width) cells.push("");
        return cells.map((cell) => parseInline(cell, options));
      });
      return { type: "table", head: segment.head.map((cell) => parseInline(cell, options)), align: segment.align, rows };
    }
    case "item": {
      const { list, ordered, number, spaced, continued } = segment;
      let task = null;
      let { lines } = segment;
      const box = /^\[([ xX])\](?: +|$)/.exec(lines[0] ?? "");
      if (box && !continued) {
        task = box[1] !== " ";
        lines = [lines[0].slice(box[0].length), ...lines.slice(1)];
      }
      return { type: "item", list, ordered, number, spaced, continued, task, blocks: parseLines(lines, options, depth + 1) };
    }
    case "quote":
      return { type: "quote", blocks: parseLines(segment.lines, options, depth + 1) };
    default:
      return { type: "rule" };
  }
}

function parseLines(lines, options, depth) {
  if (depth > deepest) return [{ type: "paragraph", c: [lines.join("\n")] }];
  const stream = new MarkdownStream();
  for (const line of lines) stream.line(line);
  stream.end();
  return stream.closed.map((segment) => parseSegment(segment, options, depth));
}

/** All of a text at once: for short ones, and for tests. */
export function parseMarkdown(text, options = {}) {
  const stream = new MarkdownStream(options);
  stream.append(text);
  stream.end();
  return stream.closed.map((segment) => parseSegment(segment, options));
}
