// What was sent before in a session, by ArrowUp in an empty field, as in a shell.

import { store } from "../core/store.js";

/** Messages of before the page was loaded, and commands, are remembered this far. */
const most = 200;
const sent = new Map();

/** `add(text)` remembers; `move(step, present)` gives the text before or after, null when there is none or the person is
 * writing something else; `leave()` ends it. */
export function history(sessionId) {
  let place = null;
  let entries = [];

  function known() {
    const own = sent.get(sessionId) ?? [];
    const said = store.transcript(sessionId).rows.filter((row) => row.kind === "message" && row.role === "user").map((row) => row.text?.text ?? "");
    const all = [];
    for (const text of [...said, ...own]) {
      const at = all.indexOf(text);
      if (at >= 0) all.splice(at, 1);
      if (text.trim()) all.push(text);
    }
    return all.slice(-most);
  }

  return {
    add(text) {
      place = null;
      sent.set(sessionId, [...(sent.get(sessionId) ?? []), text].slice(-most));
    },
    move(step, present) {
      if (place === null) {
        if (step > 0 || present !== "") return null;
        entries = known();
        place = entries.length;
      }
      const next = place + step;
      if (next < 0 || next > entries.length) return null;
      place = next;
      if (next === entries.length) {
        place = null;
        return "";
      }
      return entries[next];
    },
    leave() {
      place = null;
    },
  };
}
