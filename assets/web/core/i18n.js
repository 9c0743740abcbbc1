// The words of the client, in the person's language.

import { computed, signal } from "./signal.js";

/** The languages there are, by their tag: what each calls itself. */
export const languages = { en: "English", ru: "Русский" };

/** The strings of the modules that were registered, `{en: {key: text}, ru: {...}}`. */
const strings = Object.fromEntries(Object.keys(languages).map((tag) => [tag, {}]));
const registered = signal(0);

/** The language in force: `en` or `ru`. What calls `t` in an effect is drawn anew when it changes. */
export const locale = signal(preferred());

/** The first of the browser's languages that there is. */
export function preferred() {
  for (const tag of navigator.languages ?? [navigator.language ?? "en"]) {
    const base = tag.toLowerCase().split("-")[0];
    if (base in languages) return base;
  }
  return "en";
}

const plurals = computed(() => new Intl.PluralRules(locale.value));

/** Takes in a module of strings. */
export function register(module) {
  for (const tag of Object.keys(languages)) Object.assign(strings[tag], module[tag]);
  registered.value += 1;
}

/** The text of a key. `{name}` in it is replaced by `params.name`; a text with forms (`{one, few, many, other}`) is chosen by
 * `params.count`, which is written in the language's way. A key that is missing is shown as it is. */
export function t(key, params) {
  const tag = locale.value;
  void registered.value;
  let text = strings[tag][key] ?? strings.en[key];
  if (text === undefined) return key;
  if (typeof text === "object") text = text[plurals.value.select(Number(params?.count ?? 0))] ?? text.other ?? key;
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = params[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? numbers.value.format(value) : String(value);
  });
}

const numbers = computed(() => new Intl.NumberFormat(locale.value));

/** Whether there is a text for the key. */
export function has(key) {
  void registered.value;
  return key in strings.en;
}
