// What concerns this browser alone: how things look, and which key sends. It counts at once and is not the daemon's.

import { h } from "../core/dom.js";
import { languages, t } from "../core/i18n.js";
import { store } from "../core/store.js";
import { effect } from "../core/signal.js";
import { toast } from "../ui/toast.js";

let count = 0;

export function browserSection() {
  const fields = [
    choice("theme", ["system", "light", "dark", "contrast"].map((value) => [value, t(`views.browser.theme.${value}`)])),
    choice("locale", [["", t("views.browser.locale.system")], ...Object.entries(languages)], (value) => value || null),
    choice("sendKey", [["enter", t("views.browser.sendKey.enter")], ["mod-enter", t("views.browser.sendKey.mod")]]),
    choice("diffMode", [["unified", t("views.browser.diffMode.unified")], ["split", t("views.browser.diffMode.split")]]),
    toggle("notifications", askForNotifications),
  ];
  return { fields };
}

function row(name, control, stop) {
  const id = control.id;
  const summary = t(`views.browser.${name}.summary`);
  const label = t(`views.browser.${name}`);
  control.setAttribute("aria-describedby", `${id}-summary`);
  return {
    key: `browser.${name}`,
    element: h("div", { class: "setting", dataset: { text: `${label} ${summary}`.toLowerCase() } },
      h("div", { class: "setting-words" }, h("div", { class: "setting-head" }, h("label", { htmlFor: id, class: "setting-label" }, label)), h("p", { class: "setting-summary", id: `${id}-summary` }, summary)),
      h("div", { class: "setting-control" }, control)),
    reset() {},
    refuse() {},
    focus: () => control.focus(),
    dispose: stop,
  };
}

function choice(name, options, parse = (value) => value) {
  count += 1;
  const select = h("select", { class: "select", id: `browser-${count}`, on: { change: () => store.setPreference(name, parse(select.value)) } },
    options.map(([value, label]) => h("option", { value }, label)));
  const stop = effect(() => {
    select.value = store.preferences.value[name] ?? options[0][0];
  });
  return row(name, select, stop);
}

function toggle(name, ask) {
  count += 1;
  const input = h("input", { type: "checkbox", class: "switch", role: "switch", id: `browser-${count}`, on: {
    change: async () => {
      const isOn = input.checked && (await ask());
      input.checked = isOn;
      store.setPreference(name, isOn);
    },
  } });
  const stop = effect(() => {
    input.checked = store.preferences.value[name] === true;
  });
  return row(name, input, stop);
}

async function askForNotifications() {
  if (!("Notification" in globalThis)) {
    toast(t("views.browser.notifications.missing"), { kind: "warn" });
    return false;
  }
  const answer = Notification.permission === "default" ? await Notification.requestPermission() : Notification.permission;
  if (answer !== "granted") toast(t("views.browser.notifications.refused"), { kind: "warn" });
  return answer === "granted";
}
