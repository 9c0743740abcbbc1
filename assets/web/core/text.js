// What others call things. Titles, folders, tags and names come from agents, files and other clients: characters that would turn
// the text around, hide in it or break its line are shown as what they are.

/** Controls, the marks of direction, invisible operators and tags, line and paragraph separators, private noncharacters. */
const hidden = /[\u0000-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** One line of text, every hidden character said by its number, at most `limit` UTF-16 units. */
export function visible(text, limit = 300) {
  const whole = String(text ?? "");
  const line = whole.slice(0, limit).replace(/[\t\r\n]+/g, " ").replace(hidden, (sign) => `⟨U+${sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  return whole.length > limit ? `${line}…` : line;
}

/** The last part of a path, and for the root itself `/`. */
export function baseName(path) {
  const parts = String(path ?? "").split("/").filter(Boolean);
  return parts.at(-1) ?? "/";
}

/** A path with the person's home as `~`, where that can be told from the path alone. */
export function shortPath(path) {
  return visible(path).replace(/^\/(home|Users)\/[^/]+(?=\/|$)/, "~").replace(/^\/root(?=\/|$)/, "~");
}

/** Whether all words of `query` are somewhere in `text`, which is in lower case. */
export function matchesWords(text, query) {
  return query.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
