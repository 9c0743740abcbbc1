// Keyboard shortcuts. A key is said as in "Mod+K", "Shift+Enter", "?", "Escape"; Mod is Command on a Mac, Control elsewhere.

export const isMac = /Mac|iPhone|iPad/.test(navigator.platform ?? "");

/** All shortcuts for the help dialog: `{keys, label: key of a string, group: key of a string}`. Modules add theirs. */
export const shortcuts = [];

/** Whether the event goes to something one types into. */
export function isTyping(event) {
  const element = event.composedPath?.()[0] ?? event.target;
  return element instanceof Element && element.closest("input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select, [contenteditable]") !== null;
}

/** Whether the event is that key. */
export function matches(event, keys) {
  const parts = keys.split("+");
  const key = parts.pop() || "+";
  const wants = (name) => parts.includes(name);
  const mod = isMac ? event.metaKey : event.ctrlKey;
  const otherMod = isMac ? event.ctrlKey : event.metaKey;
  if (mod !== wants("Mod") || event.altKey !== wants("Alt")) return false;
  if (otherMod !== wants("Ctrl")) return false;
  // A sign such as ? or / already says whether Shift was needed to type it.
  const isSign = key.length === 1 && key.toLowerCase() === key.toUpperCase();
  if (!isSign && event.shiftKey !== wants("Shift")) return false;
  if (event.key.toLowerCase() === key.toLowerCase()) return true;
  // On a layout of another script the letter is known by its place.
  return /^[a-z]$/i.test(key) && !/^[a-z]$/i.test(event.key) && event.code === `Key${key.toUpperCase()}`;
}

/** Calls the function of the first key that matches; unless that returns false, the event ends there. Keys without Mod, Ctrl
 * or Alt, Escape and F keys aside, do nothing while one types. Returns a function that takes the keys away again. */
export function bindKeys(scope, bindings) {
  const entries = Object.entries(bindings);
  const listener = (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    for (const [keys, run] of entries) {
      if (!matches(event, keys)) continue;
      const isPlain = !/(Mod|Ctrl|Alt)\+/.test(keys) && !/^(Shift\+)?(Escape|F\d+|Tab)$/.test(keys);
      if (isPlain && isTyping(event) && scope === document) continue;
      if (run(event) === false) continue;
      event.preventDefault();
      event.stopPropagation();
      return;
    }
  };
  scope.addEventListener("keydown", listener);
  return () => scope.removeEventListener("keydown", listener);
}

const macSigns = { Mod: "⌘", Shift: "⇧", Alt: "⌥", Ctrl: "⌃", Enter: "↩" };
const signs = { Mod: "Ctrl", ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", Escape: "Esc", Delete: "Del" };

/** The caps of a key, as the person's keyboard has them: `["Ctrl", "K"]`. */
export function keyCaps(keys) {
  const parts = keys === "+" ? ["+"] : keys.split("+");
  return parts.map((part) => (isMac && macSigns[part]) || signs[part] || part);
}
