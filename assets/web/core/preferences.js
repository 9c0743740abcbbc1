// What this browser is told about how to show things. Kept in its local storage where there is one.

import { locale, languages, preferred } from "./i18n.js";
import { effect, signal } from "./signal.js";

const place = "codeai-hub.preferences";

/** `theme`: system, light, dark, contrast. `locale`: a language, or null for the browser's. `diffMode`: unified or split.
 * `notifications`: whether they were asked for. `sidebarWidth` in pixels. Views add their own. */
const defaults = {
  theme: "system",
  locale: null,
  diffMode: "unified",
  notifications: false,
  sidebarWidth: 300,
  lastProvider: null,
  lastWorkspace: null,
};

/** All of them, as one signal of an object; `store.setPreference(name, value)` changes one. */
export const preferences = signal({ ...defaults, ...read() });

function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(place) ?? "{}");
    return typeof kept === "object" && kept !== null ? kept : {};
  } catch {
    return {};
  }
}

/** Keeps them, and brings theme and language into force. */
export function applyPreferences() {
  effect(() => {
    const now = preferences.value;
    try {
      // In one order: pages that wrote the same differently would answer each other for ever.
      const sorted = Object.fromEntries(Object.entries(now).sort(([a], [b]) => (a < b ? -1 : 1)));
      localStorage.setItem(place, JSON.stringify(sorted));
    } catch {
      // A browser without storage forgets them; nothing else depends on it.
    }
    const root = document.documentElement;
    if (["light", "dark", "contrast"].includes(now.theme)) root.dataset.theme = now.theme;
    else delete root.dataset.theme;
    locale.value = now.locale in languages ? now.locale : preferred();
  });
  effect(() => {
    document.documentElement.lang = locale.value;
  });
  // Another window of the same browser.
  addEventListener("storage", (event) => {
    if (event.key === place) preferences.value = { ...defaults, ...read() };
  });
}
