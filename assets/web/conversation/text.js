// Text that somebody else wrote, made safe to look at. What an agent, a file name or another client says may contain
// characters that aren't seen, or that turn the order of what is seen around; they are shown as what they are.

// Controls other than tab and line feed, bidirectional marks, zero-width spaces, interlinear and tag characters.
// Zero-width joiners stay: emoji and several scripts are written with them.
const hidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
const anyHidden =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/u;

function mark(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code); // control pictures: ␀ ␛ ...
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}

/** The text with every hidden character made visible; what a text node shows of foreign text. */
export function visible(text) {
  return anyHidden.test(text) ? text.replace(hidden, mark) : text;
}

/** One line of it, at most `limit` characters: for titles, names, labels. */
export function oneLine(text, limit = 300) {
  let line = String(text ?? "").slice(0, limit * 4);
  line = visible(line.replace(/\s*[\r\n]+\s*/g, " ").trim());
  return line.length > limit ? line.slice(0, safeCut(line, limit - 1)) + "\u2026" : line;
}

/** A position at or before `at` that doesn't part a surrogate pair. */
export function safeCut(text, at) {
  if (at <= 0 || at >= text.length) return Math.max(0, Math.min(at, text.length));
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at;
}

/** How many bytes the text has in UTF-8; a lone surrogate counts as the replacement character does. */
export function utf8Length(text) {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) continue;
    if (code < 0x800) bytes += 1;
    else if (code >= 0xd800 && code <= 0xdbff && isLow(text.charCodeAt(i + 1))) {
      bytes += 2; // four bytes for two units
      i++;
    } else bytes += 2;
  }
  return bytes;
}

/** What is left of the text after its first `bytes` bytes of UTF-8. */
export function dropBytes(text, bytes) {
  let i = 0;
  while (i < text.length && bytes > 0) {
    const code = text.charCodeAt(i);
    if (code < 0x80) bytes -= 1;
    else if (code < 0x800) bytes -= 2;
    else if (code >= 0xd800 && code <= 0xdbff && isLow(text.charCodeAt(i + 1))) {
      bytes -= 4;
      i++;
    } else bytes -= 3;
    i++;
  }
  return text.slice(i);
}

function isLow(code) {
  return code >= 0xdc00 && code <= 0xdfff;
}

/**
 * The address of a link that may be opened: http, https and mailto, in the form the browser will really go to (so that
 * look-alike letters of another alphabet show as punycode), or null.
 */
export function safeAddress(text) {
  if (text.length > 4096 || !/^(?:https?:\/\/|mailto:)/i.test(text)) return null;
  try {
    const url = new URL(text);
    if (url.protocol !== "http:" && url.protocol !== "https:" && url.protocol !== "mailto:") return null;
    return { href: url.href, host: url.protocol === "mailto:" ? url.pathname : url.host };
  } catch {
    return null;
  }
}

const imageTypes = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);

/** A `data:` address of an attached image, or null when it isn't one that is shown. */
export function imageAddress(mediaType, base64) {
  if (!imageTypes.has(mediaType) || typeof base64 !== "string" || base64.length > 24_000_000) return null;
  return /^[A-Za-z0-9+/]*={0,2}$/.test(base64) ? `data:${mediaType};base64,${base64}` : null;
}
