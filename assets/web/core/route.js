// Where the person is, in the address: `#/` home, `#/s/ID` a session, `#/s/ID/SEQ` at an event of it, `#/settings`, `#/usage`,
// `#/providers`.

import { computed, signal } from "./signal.js";

const views = new Set(["settings", "usage", "providers"]);

function parse(hash) {
  const [, first, second, third] = hash.replace(/^#/, "").split("/");
  if (first === "s" && second) {
    const seq = Number.parseInt(third ?? "", 10);
    return { view: "session", id: decode(second), seq: seq > 0 ? seq : null };
  }
  if (views.has(first)) return { view: first, id: null, seq: null };
  return { view: "home", id: null, seq: null };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `{view: home|session|settings|usage|providers, id, seq}`. */
export const route = signal(parse(location.hash));

/** The session that is shown, or null. */
export const selected = computed(() => route.value.id);

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** The address of a session, of an event in it, or of a view. */
export const sessionHref = (id, seq) => `#/s/${encodeURIComponent(id)}${seq ? `/${seq}` : ""}`;
export const viewHref = (view) => (view === "home" ? "#/" : `#/${view}`);

/** Goes there; with `replace` without a new step in the browser's history. */
export function navigate(href, { replace = false } = {}) {
  if (location.hash === href || (href === "#/" && location.hash === "")) {
    // The same event again: the list must go there again.
    route.value = parse(href);
    return;
  }
  if (replace) {
    history.replaceState(null, "", href);
    route.value = parse(href);
  } else location.hash = href;
}
