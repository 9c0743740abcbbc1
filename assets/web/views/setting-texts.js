// What settings are called. The daemon says in English what each does; the words of other languages are here, and for a
// setting of a newer daemon that has none yet the daemon's own are shown.

import { locale, t, has } from "../core/i18n.js";
import ru from "./settings-ru.js";

const translations = { ru };

/** `providers.codexCli.model` is described as `providers.<id>.model`. */
function general(key) {
  return key.replace(/^providers\.[^.]+\./, "providers.<id>.");
}

function translation(key) {
  return translations[locale.value]?.[general(key)];
}

/** A name for people, made of the key's own words in English. */
export function labelOf(key) {
  const provider = /^providers\.([^.]+)\./.exec(key)?.[1];
  const words = translation(key)?.[0] ?? inWords(key.split(".").at(-1));
  return provider ? `${provider}: ${words.charAt(0).toLowerCase()}${words.slice(1)}` : words;
}

function inWords(name) {
  const words = name.replace(/Ms$/, "Milliseconds").replace(/Usd$/, "Dollars").replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What it does. */
export function summaryOf(entry) {
  return translation(entry.key)?.[1] ?? entry.summary;
}

/** `{title, summary}` of a section. */
export function sectionOf(name) {
  const key = `views.section.${name}`;
  return { title: has(key) ? t(key) : inWords(name), summary: has(`${key}.summary`) ? t(`${key}.summary`) : "" };
}
