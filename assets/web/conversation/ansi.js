// What a terminal would show of a program's output, as lines of coloured spans. Colours and the weight of letters are kept
// (SGR); a carriage return begins the line anew, as progress bars do; everything else a terminal could be told (moving
// the cursor, titles, links, queries) is dropped. Linear, and bounded by what it is given.

// CSI, OSC and other strings with their end, single escapes; an unfinished one at the end counts as well.
const sequence =
  /\u001b(?:\[([0-?]*)[ -/]*([@-~])|\][^\u0007\u001b]{0,4096}(?:\u0007|\u001b\\)?|[PX^_][^\u001b]{0,4096}(?:\u001b\\)?|\[[0-?]*[ -/]*$|[ -/]*[0-~]|$)/g;

/** @typedef {{text: string, fg?: string, bg?: string, bold?: boolean, dim?: boolean, italic?: boolean, underline?: boolean}} Span */

/** Lines of spans. `fg` and `bg` are `0` to `15` for the palette, or `#rrggbb`. */
export function parseAnsi(text) {
  const lines = [];
  let style = {};
  for (const raw of text.split("\n")) {
    const spans = [];
    let line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    const anew = line.lastIndexOf("\r");
    if (anew >= 0) {
      // Only what was written last is seen; the colours set before go on.
      style = stylesOf(line.slice(0, anew), style);
      line = line.slice(anew + 1);
    }
    if (!line.includes("\u001b")) {
      lines.push(line === "" ? [] : [{ text: backspaces(line), ...style }]);
      continue;
    }
    let at = 0;
    for (const found of line.matchAll(sequence)) {
      if (found.index > at) spans.push({ text: backspaces(line.slice(at, found.index)), ...style });
      at = found.index + found[0].length;
      if (found[2] === "m") style = sgr(found[1], style);
    }
    if (at < line.length) spans.push({ text: backspaces(line.slice(at)), ...style });
    lines.push(spans);
  }
  return lines;
}

/** The text alone. */
export function withoutAnsi(text) {
  return text.replace(sequence, "");
}

function stylesOf(text, style) {
  for (const found of text.matchAll(sequence)) if (found[2] === "m") style = sgr(found[1], style);
  return style;
}

function backspaces(text) {
  if (!text.includes("\b")) return text;
  const out = [];
  for (const character of text) {
    if (character === "\b") out.pop();
    else out.push(character);
  }
  return out.join("");
}

function sgr(parameters, before) {
  if (!/^[\d;:]*$/.test(parameters)) return before;
  const codes = parameters.split(/[;:]/).slice(0, 32).map((code) => (code === "" ? 0 : parseInt(code, 10)));
  let style = { ...before };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i];
    if (code === 0) style = {};
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 22) { delete style.bold; delete style.dim; }
    else if (code === 23) delete style.italic;
    else if (code === 24) delete style.underline;
    else if (code === 27) delete style.inverse;
    else if (code >= 30 && code <= 37) style.fg = String(code - 30);
    else if (code >= 90 && code <= 97) style.fg = String(code - 90 + 8);
    else if (code === 39) delete style.fg;
    else if (code >= 40 && code <= 47) style.bg = String(code - 40);
    else if (code >= 100 && code <= 107) style.bg = String(code - 100 + 8);
    else if (code === 49) delete style.bg;
    else if (code === 38 || code === 48) {
      const key = code === 38 ? "fg" : "bg";
      if (codes[i + 1] === 5) {
        const colour = indexed(codes[i + 2]);
        if (colour !== null) style[key] = colour;
        i += 2;
      } else if (codes[i + 1] === 2) {
        const [red, green, blue] = codes.slice(i + 2, i + 5);
        if ([red, green, blue].every((part) => part >= 0 && part <= 255)) style[key] = hex(red, green, blue);
        i += 4;
      } else break;
    }
  }
  return style;
}

function indexed(index) {
  if (!(index >= 0 && index <= 255)) return null;
  if (index < 16) return String(index);
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex(grey, grey, grey);
  }
  const level = (step) => (step === 0 ? 0 : 55 + step * 40);
  const cube = index - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function hex(red, green, blue) {
  return "#" + [red, green, blue].map((part) => part.toString(16).padStart(2, "0")).join("");
}
