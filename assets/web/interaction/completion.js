// The list that completes a command or a name while one writes: a combobox in the words of ARIA, the focus stays in the field.

import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { commands, shortName } from "./commands.js";

const most = 12;
let counter = 0;

/** What can be completed in `text` with the caret at `caret`: `{start, items: [{insert, label, detail, isFinal}]}` or null. */
export function completions(sessionId, text, caret) {
  const before = text.slice(0, caret);
  if (before.includes("\n")) return null;
  const command = /^\/([a-z]*)$/.exec(before);
  if (command) {
    const items = commands.filter((each) => each.name.startsWith(command[1])).map((each) => ({
      insert: each.argument ? `/${each.name} ` : `/${each.name}`, label: `/${each.name}`, isFinal: !each.argument,
      argument: each.argument && t(`interaction.argument.${each.argument}`), detail: t(`interaction.command.${each.name}`),
    }));
    return items.length ? { start: 0, items } : null;
  }
  const argument = /^\/([a-z]+)\s+(\S*)$/.exec(before);
  if (argument) {
    const values = commands.find((each) => each.name === argument[1])?.values?.(sessionId) ?? [];
    const wanted = argument[2].toLowerCase();
    const items = values.filter(({ value, label }) => value.toLowerCase().startsWith(wanted) || label.toLowerCase().includes(wanted))
      .map(({ value, label }) => ({ insert: value, label: value, detail: label === value ? "" : label, isFinal: true }));
    const start = caret - argument[2].length;
    return items.length && !(items.length === 1 && items[0].insert === argument[2]) ? { start, items } : null;
  }
  const address = /^@([\w.-]*)$/.exec(before);
  if (address) {
    const record = store.session(sessionId).peek();
    const wanted = address[1].toLowerCase();
    const items = [...store.providers.peek().values()]
      .filter((each) => each.enabled && (shortName(each.id).toLowerCase().startsWith(wanted) || each.name.toLowerCase().startsWith(wanted)))
      .map((each) => ({
        insert: `@${shortName(each.id)} `, label: `@${shortName(each.id)}`, isFinal: false,
        detail: record?.providerIds.includes(each.id) ? each.name : t("interaction.completion.joins", { name: each.name }),
      }));
    return items.length ? { start: 0, items } : null;
  }
  return null;
}

/** The list for a field. `accept(insert, start, isFinal)` is called with what was chosen. */
export function completionList(field, accept) {
  counter += 1;
  const id = `completion-${counter}`;
  const element = h("ul", { class: "completion", id, role: "listbox", "aria-label": t("interaction.completion.label"), hidden: true });
  let shown = null;
  let active = 0;
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-controls", id);

  function mark() {
    [...element.children].forEach((option, index) => option.setAttribute("aria-selected", String(index === active)));
    const option = element.children[active];
    option?.scrollIntoView({ block: "nearest" });
    if (shown && option) field.setAttribute("aria-activedescendant", option.id);
    else field.removeAttribute("aria-activedescendant");
  }

  function choose(index) {
    const item = shown?.items[index];
    const start = shown?.start;
    hide();
    if (item) accept(item.insert, start, item.isFinal);
  }

  function show(next) {
    shown = next && { start: next.start, items: next.items.slice(0, most + 8) };
    element.hidden = !shown;
    if (!shown) return mark();
    active = 0;
    replace(element, shown.items.map((item, index) => h("li", {
      id: `${id}-${index}`, role: "option", class: "completion-option",
      // The field must keep the focus.
      on: { pointerdown: (event) => { event.preventDefault(); choose(index); } },
    },
    h("span", { class: "completion-label" }, item.label, item.argument && h("span", { class: "completion-argument" }, ` ${item.argument}`)),
    h("span", { class: "completion-detail" }, item.detail))));
    mark();
  }

  function hide() {
    show(null);
  }

  /** Whether the key was the list's. */
  function key(event) {
    if (!shown) return false;
    switch (event.key) {
      case "ArrowDown": active = (active + 1) % shown.items.length; break;
      case "ArrowUp": active = (active - 1 + shown.items.length) % shown.items.length; break;
      case "Enter":
      case "Tab":
        if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return false;
        choose(active);
        return true;
      case "Escape": hide(); return true;
      default: return false;
    }
    mark();
    return true;
  }

  return { element, show, hide, key };
}
