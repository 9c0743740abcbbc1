// What changed in a file: from two texts (Myers' algorithm, bounded) or from a unified diff, as the same hunks.
//
// A hunk is {oldStart, newStart, lines}; a line is {op: " " | "-" | "+", text, old?, new?, marks?, noEnd?}: `old` and `new` are
// line numbers from 1, `marks` the parts [from, to) of a changed line that differ from its counterpart.

const mostEdits = 1200; // of Myers' algorithm; beyond that the middle counts as replaced
const longestMarked = 1000; // characters of a line that is looked at within
const contextLines = 3;

/** Hunks of what leads from one text to the other, with `context` lines around. */
export function diffTexts(oldText, newText, context = contextLines) {
  const before = linesOf(oldText);
  const after = linesOf(newText);
  const lines = number(editScript(before, after), 1, 1);
  markEnds(lines, oldText, newText);
  return hunksOf(lines, context);
}

/** All files of a unified diff: [{oldPath?, newPath?, hunks}]. Tolerant: headers may be missing. */
export function parseUnified(text) {
  const files = [];
  let file = null;
  let hunk = null;
  let left = { old: Infinity, new: Infinity };
  const begin = () => {
    file = { hunks: [] };
    files.push(file);
    hunk = null;
  };
  const raw = String(text).split("\n");
  if (raw.at(-1) === "") raw.pop();
  for (let i = 0; i < raw.length; i++) {
    const line = raw[i].endsWith("\r") ? raw[i].slice(0, -1) : raw[i];
    const inside = hunk && (left.old > 0 || left.new > 0);
    const header = /^@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@+ ?(.*)$/.exec(line);
    if (header) {
      if (!file) begin();
      hunk = { oldStart: +header[1], newStart: +header[3], section: header[5], lines: [] };
      left = { old: header[2] === undefined ? 1 : +header[2], new: header[4] === undefined ? 1 : +header[4] };
      file.hunks.push(hunk);
    } else if (!inside && line.startsWith("diff ")) {
      begin();
    } else if (!inside && line.startsWith("--- ") && raw[i + 1]?.startsWith("+++ ")) {
      if (!file || file.hunks.length > 0) begin();
      file.oldPath = pathOf(line);
      file.newPath = pathOf(raw[++i]);
    } else if (line.startsWith("\\")) {
      const last = hunk?.lines.at(-1);
      if (last) last.noEnd = true;
    } else if (/^[ +-]/.test(line) || (line === "" && hunk)) {
      if (!hunk && !/^(?:index |new |old |deleted |similarity |rename |copy |Binary )/.test(line)) {
        if (!file) begin();
        hunk = { oldStart: 1, newStart: 1, lines: [] };
        left = { old: Infinity, new: Infinity };
        file.hunks.push(hunk);
      }
      if (!hunk) continue;
      const op = line === "" ? " " : line[0];
      hunk.lines.push({ op, text: line.slice(1) });
      if (op !== "+") left.old--;
      if (op !== "-") left.new--;
    }
  }
  for (const one of files) {
    for (const part of one.hunks) part.lines = number(part.lines, part.oldStart || 1, part.newStart || 1);
  }
  return files;
}

/** How many lines hunks add and take away. */
export function countChanges(hunks) {
  let added = 0;
  let removed = 0;
  for (const hunk of hunks) {
    for (const line of hunk.lines) {
      if (line.op === "+") added++;
      else if (line.op === "-") removed++;
    }
  }
  return { added, removed };
}

/** Rows of two columns: [left line or null, right line or null]; what replaces each other stands side by side. */
export function sideBySide(lines) {
  const rows = [];
  for (let i = 0; i < lines.length;) {
    if (lines[i].op === " ") {
      rows.push([lines[i], lines[i]]);
      i++;
      continue;
    }
    const [removed, added, end] = changeAt(lines, i);
    for (let k = 0; k < Math.max(removed.length, added.length); k++) rows.push([removed[k] ?? null, added[k] ?? null]);
    i = end;
  }
  return rows;
}

/** Puts `marks` on lines that are changed rather than replaced. To be called for what is shown. */
export function markWithin(lines) {
  for (let i = 0; i < lines.length;) {
    if (lines[i].op === " ") {
      i++;
      continue;
    }
    const [removed, added, end] = changeAt(lines, i);
    for (let k = 0; k < Math.min(removed.length, added.length); k++) {
      if (removed[k].marks) continue;
      const found = marksOf(removed[k].text, added[k].text);
      if (found) [removed[k].marks, added[k].marks] = found;
    }
    i = end;
  }
}

function changeAt(lines, i) {
  const removed = [];
  const added = [];
  while (i < lines.length && lines[i].op !== " ") {
    (lines[i].op === "-" ? removed : added).push(lines[i]);
    i++;
    // A removal after additions begins another change.
    if (added.length > 0 && lines[i]?.op === "-") break;
  }
  return [removed, added, i];
}

function linesOf(text) {
  if (text == null || text === "") return [];
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function markEnds(lines, oldText, newText) {
  const oldEnds = !oldText || oldText.endsWith("\n");
  const newEnds = !newText || newText.endsWith("\n");
  if (oldEnds === newEnds) return;
  const last = lines.findLast((line) => (oldEnds ? line.op !== "-" : line.op !== "+"));
  if (last) last.noEnd = true;
}

function number(lines, old, next) {
  for (const line of lines) {
    if (line.op !== "+") line.old = old++;
    if (line.op !== "-") line.new = next++;
  }
  return lines;
}

function hunksOf(lines, context) {
  const hunks = [];
  let hunk = null;
  let quiet = 0; // unchanged lines since the last change
  for (let i = 0; i < lines.length; i++) {
    if (lines[i].op === " ") {
      quiet++;
      if (hunk) hunk.lines.push(lines[i]);
      continue;
    }
    if (!hunk || quiet > context * 2) {
      if (hunk) hunk.lines.length -= quiet - context;
      const from = Math.max(i - context, i - quiet, 0);
      hunk = { lines: lines.slice(from, i) };
      hunks.push(hunk);
    }
    hunk.lines.push(lines[i]);
    quiet = 0;
  }
  if (hunk && quiet > context) hunk.lines.length -= quiet - context;
  for (const one of hunks) {
    one.oldStart = one.lines.find((line) => line.old)?.old ?? 0;
    one.newStart = one.lines.find((line) => line.new)?.new ?? 0;
  }
  return hunks;
}

/** Lines with their operations that make `after` of `before`; arrays of anything compared by ===. */
export function editScript(before, after, limit = mostEdits) {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let endOld = before.length;
  let endNew = after.length;
  while (endOld > start && endNew > start && before[endOld - 1] === after[endNew - 1]) {
    endOld--;
    endNew--;
  }
  const lines = [];
  for (let i = 0; i < start; i++) lines.push({ op: " ", text: before[i] });
  middle(before.slice(start, endOld), after.slice(start, endNew), limit, lines);
  for (let i = endOld; i < before.length; i++) lines.push({ op: " ", text: before[i] });
  return lines;
}

function middle(before, after, limit, lines) {
  const path = before.length && after.length ? shortestEdit(before, after, limit) : null;
  if (!path) {
    for (const text of before) lines.push({ op: "-", text });
    for (const text of after) lines.push({ op: "+", text });
    return;
  }
  for (const line of path) lines.push(line);
}

/** Myers, O((n+m) + d²), keeping what each step reached; null beyond `limit` edits. */
function shortestEdit(before, after, limit) {
  const n = before.length;
  const m = after.length;
  const most = Math.min(n + m, limit);
  const reached = new Int32Array(2 * most + 3);
  const middle = most + 1;
  const history = [];
  for (let d = 0; d <= most; d++) {
    history.push(reached.slice(middle - d - 1, middle + d + 2));
    for (let k = -d; k <= d; k += 2) {
      let x = k === -d || (k !== d && reached[middle + k - 1] < reached[middle + k + 1])
        ? reached[middle + k + 1] : reached[middle + k - 1] + 1;
      let y = x - k;
      while (x < n && y < m && before[x] === after[y]) {
        x++;
        y++;
      }
      reached[middle + k] = x;
      if (x >= n && y >= m) return walkBack(before, after, history, d);
    }
  }
  return null;
}

function walkBack(before, after, history, edits) {
  const path = [];
  let x = before.length;
  let y = after.length;
  for (let d = edits; d >= 0; d--) {
    const reached = history[d];
    const at = (k) => reached[k + d + 1];
    const k = x - y;
    const down = k === -d || (k !== d && at(k - 1) < at(k + 1));
    const previousK = down ? k + 1 : k - 1;
    const previousX = d === 0 ? 0 : at(previousK);
    const previousY = d === 0 ? 0 : previousX - previousK;
    while (x > previousX && y > previousY && x > 0 && y > 0) path.push({ op: " ", text: before[--x], other: --y });
    if (d === 0) break;
    if (down) path.push({ op: "+", text: after[--y] });
    else path.push({ op: "-", text: before[--x] });
  }
  return removalsFirst(path.reverse());
}

/** Within a change, what goes before what comes. */
function removalsFirst(lines) {
  const sorted = [];
  let added = [];
  for (const line of lines) {
    delete line.other;
    if (line.op === "+") added.push(line);
    else if (line.op === "-") sorted.push(line);
    else {
      for (const one of added) sorted.push(one);
      added = [];
      sorted.push(line);
    }
  }
  for (const one of added) sorted.push(one);
  return sorted;
}

/** The differing parts of two lines, by words; null when they have little in common. */
function marksOf(before, after) {
  if (before.length > longestMarked || after.length > longestMarked) return null;
  const left = before.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  const right = after.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
  let same = 0;
  const marks = [[], []];
  const at = [0, 0];
  const extend = (side, length) => {
    const last = marks[side].at(-1);
    if (last && last[1] === at[side]) last[1] += length;
    else marks[side].push([at[side], at[side] + length]);
    at[side] += length;
  };
  for (const { op, text } of editScript(left, right, 120)) {
    if (op === " ") {
      if (text.trim() !== "") same += text.length;
      at[0] += text.length;
      at[1] += text.length;
    } else extend(op === "-" ? 0 : 1, text.length);
  }
  const longest = Math.max(before.trim().length, after.trim().length);
  return longest > 0 && same / longest >= 0.35 ? marks : null;
}

function pathOf(line) {
  const path = line.slice(4).split("\t")[0];
  if (path === "/dev/null") return null;
  return path.replace(/^[ab]\//, "");
}
