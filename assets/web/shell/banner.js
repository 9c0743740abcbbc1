// How the connection is, when it isn't as it should be. What was written meanwhile is kept; the conversation goes on where it was.

import { connection } from "../core/connection.js";
import { h, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { visible } from "../core/text.js";
import { icon } from "../ui/icons.js";

/** An interruption shorter than this is nobody's concern. */
const patience = 700;

export function banner() {
  const element = h("div", { class: "banner", role: "status", hidden: true });
  const isLate = signal(false);
  const now = signal(Date.now());
  let timer = null;
  let ticking = null;

  const stop = effect(() => {
    const { phase } = connection.state.value;
    clearTimeout(timer);
    if (phase === "open" || phase === "refused") isLate.value = false;
    else timer = setTimeout(() => { isLate.value = true; }, patience);
    clearInterval(ticking);
    if (phase !== "open" && phase !== "refused") ticking = setInterval(() => { now.value = Date.now(); }, 1000);
  });

  const stopDrawing = effect(() => {
    const { phase, retryAt, restart } = connection.state.value;
    if (phase === "open" && restart) return show("info", "retry", t("shell.banner.restartAnnounced", { version: visible(restart.version ?? "", 40) }));
    if (phase === "open" || phase === "refused" || !isLate.value) {
      element.hidden = true;
      return;
    }
    if (phase === "restarting") return show("info", "retry", t("shell.banner.restarting"));
    if (phase === "connecting") return show("info", "plug", t("shell.banner.connecting"));
    const seconds = retryAt ? Math.max(0, Math.ceil((retryAt - now.value) / 1000)) : 0;
    // The count would be read out each second: only eyes get it.
    const count = seconds > 0 ? h("span", { "aria-hidden": "true", class: "muted" }, t("shell.banner.again", { count: seconds })) : null;
    show(phase === "offline" ? "danger" : "warn", "offline", t(phase === "offline" ? "shell.banner.offline" : "shell.banner.reconnecting"), count);
  });

  function show(kind, iconName, text, extra = null) {
    element.hidden = false;
    element.className = `banner ${kind}`;
    if (element.dataset.text !== text) {
      element.dataset.text = text;
      replace(element, icon(iconName), h("span", { class: "banner-text" }, text), h("span", { class: "banner-extra" }),
        kind === "info" ? null : h("button", { type: "button", class: "button", on: { click: () => connection.retry() } }, t("shell.banner.retry")));
    }
    replace(element.querySelector(".banner-extra"), extra);
  }

  return {
    element,
    dispose() {
      stop();
      stopDrawing();
      clearTimeout(timer);
      clearInterval(ticking);
    },
  };
}
