// Which keys there are.

import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { shortcuts } from "../core/keys.js";
import { keyHint } from "../ui/button.js";
import { openDialog } from "../ui/dialog.js";

shortcuts.unshift(
  { keys: "Mod+K", label: "shell.key.palette", group: "shell.keys.everywhere" },
  { keys: "?", label: "shell.help.title", group: "shell.keys.everywhere" },
  { keys: "Alt+N", label: "shell.new.title", group: "shell.keys.everywhere" },
  { keys: "/", label: "shell.search.label", group: "shell.keys.everywhere" },
  { keys: "Alt+W", label: "shell.key.nextWaiting", group: "shell.keys.everywhere" },
  { keys: "Alt+J", label: "shell.key.next", group: "shell.keys.everywhere" },
  { keys: "Alt+K", label: "shell.key.previous", group: "shell.keys.everywhere" },
  { keys: "Mod+B", label: "shell.key.sidebar", group: "shell.keys.everywhere" },
  { keys: "Mod+,", label: "shell.view.settings", group: "shell.keys.everywhere" },
  { keys: "F6", label: "shell.key.region", group: "shell.keys.everywhere" },
  { keys: "Enter", label: "shell.key.open", group: "shell.keys.list" },
  { keys: "F2", label: "shell.rename", group: "shell.keys.list" },
  { keys: "T", label: "shell.tagsEdit", group: "shell.keys.list" },
  { keys: "E", label: "shell.key.archive", group: "shell.keys.list" },
  { keys: "Delete", label: "shell.delete", group: "shell.keys.list" },
  { keys: "Shift+F10", label: "shell.key.menu", group: "shell.keys.list" },
);

export function helpDialog() {
  const groups = Map.groupBy ? Map.groupBy(shortcuts, (each) => each.group) : grouped();
  openDialog({
    title: t("shell.help.title"),
    class: "dialog-wide",
    body: h("div", { class: "help-columns" }, [...groups].map(([group, entries]) => h("section", null,
      h("h3", { class: "label" }, t(group)),
      h("dl", { class: "help-keys" }, entries.map((each) => h("div", null, h("dt", null, keyHint(each.keys)), h("dd", null, t(each.label)))))))),
  });
}

function grouped() {
  const groups = new Map();
  for (const each of shortcuts) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return groups;
}
