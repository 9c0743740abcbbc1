// A long text in pieces that are shown one by one: the list has a place for each, so that only what is near the viewport is
// parsed and in the page. Text is taken in slices, whatever comes at once.

import { MarkdownStream } from "./markdown.js";

const largestPiece = 3500; // characters of its segments, about
const mostSegments = 16;
const slice = 24_000; // characters that are read between looks at the clock

export class TextDocument {
  /** [{segments, size}]: closed segments; what is still open belongs to the last. */
  pieces = [{ segments: [], size: 0 }];
  /** Rises with every change. */
  version = 0;
  #options;
  #stream;
  #source = null; // the GrowingText that was read last
  #read = 0; // how many of its pieces
  #waiting = ""; // text of it that hasn't been read
  #at = 0;
  #grouped = 0; // closed segments that are in pieces
  #isEnded = false;
  #open = null;

  constructor(options) {
    this.#options = options;
    this.#stream = new MarkdownStream(options);
  }

  /** Follows a text; `isDone`: nothing will be added to it. */
  follow(source, isDone) {
    if (this.#source !== source) {
      if (this.#source) this.#change(source);
      this.#source = source;
    }
    this.#take(source);
    this.isDone = isDone;
  }

  #take(source) {
    if (this.#read >= source.pieces.length) return;
    this.#wait(source.pieces.slice(this.#read).join(""));
    this.#read = source.pieces.length;
  }

  #wait(text) {
    this.#waiting = this.#waiting.slice(this.#at) + text;
    this.#at = 0;
  }

  // The whole text has come in the place of what was streamed: nearly always the same. Pieces that came just before it, too
  // late to be followed, are taken in first.
  #change(source) {
    this.#take(this.#source);
    const before = this.#source.text;
    const now = source.text;
    const isTaken = now.length === before.length && this.#at >= this.#waiting.length;
    if (now.startsWith(before) && (isTaken || !this.#isEnded)) {
      this.#wait(now.slice(before.length));
      this.#read = source.pieces.length;
    } else {
      this.pieces = [{ segments: [], size: 0 }];
      this.#stream = new MarkdownStream(this.#options);
      this.#waiting = "";
      this.#at = this.#read = this.#grouped = 0;
      this.#isEnded = false;
      this.version++;
    }
  }

  /** Whether there is text that hasn't been taken in. */
  get isBehind() {
    return this.#at < this.#waiting.length || (this.isDone && !this.#isEnded);
  }

  /** Takes text in until `deadline` (of performance.now()); at least one slice. */
  pump(deadline) {
    if (!this.isBehind) return;
    do {
      const text = this.#waiting.slice(this.#at, this.#at + slice);
      this.#at += text.length;
      if (text !== "") this.#stream.append(text);
      if (this.isDone && this.#at >= this.#waiting.length) {
        this.#stream.end();
        this.#isEnded = true;
      }
    } while (this.isBehind && performance.now() < deadline);
    if (this.#at >= this.#waiting.length) {
      this.#waiting = "";
      this.#at = 0;
    }
    this.#group();
    this.#open = null;
    this.version++;
  }

  #group() {
    const { closed } = this.#stream;
    let piece = this.pieces.at(-1);
    for (; this.#grouped < closed.length; this.#grouped++) {
      const segment = closed[this.#grouped];
      if (piece.size > largestPiece || piece.segments.length >= mostSegments) {
        piece = { segments: [], size: 0 };
        this.pieces.push(piece);
      }
      piece.segments.push(segment);
      piece.size += segment.size + 40;
    }
  }

  /** What a piece shows: closed segments, and the open ones at the end of the last. */
  segmentsOf(index) {
    const { segments } = this.pieces[index];
    if (index < this.pieces.length - 1 || this.#isEnded) return segments;
    this.#open ??= this.#stream.open();
    return this.#open.length > 0 ? segments.concat(this.#open) : segments;
  }

  /** How the segments are to be parsed. */
  get options() {
    return this.#options;
  }

  /** All of the code block that begins with segment number `at`. */
  codeFrom(at) {
    const all = this.#isEnded ? this.#stream.closed : this.#stream.closed.concat(this.#stream.open());
    const lines = [];
    for (let i = at; i < all.length; i++) {
      if (i > at && !all[i].continued) break;
      for (const line of all[i].lines) lines.push(line);
      if (!all[i].continues) break;
    }
    return lines.join("\n");
  }
}
