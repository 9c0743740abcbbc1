// Who we are: the ticket that `codeai-hub open` puts into the address, and the page that is shown where nobody is let in without.

import { connection } from "../core/connection.js";
import { h } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { visible } from "../core/text.js";
import { button } from "../ui/button.js";
import { icon } from "../ui/icons.js";

/** Why the last ticket was not taken. */
let refused = null;

/** Exchanges a ticket in the address for a session of this browser, and takes it out of the address and the history first. */
export async function redeemTicket() {
  const found = /^#ticket=([^&]+)(?:&to=([^&]*))?/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", found[2] ? `#${decodeURIComponent(found[2])}` : "#/");
  // The address was changed without an event of its own.
  dispatchEvent(new HashChangeEvent("hashchange"));
  try {
    await connection.api("POST", "/auth/session", { ticket: decodeURIComponent(found[1]) });
    refused = null;
  } catch (error) {
    refused = error;
  }
}

/** The page for those whom the daemon doesn't let in. */
export function refusedPage(error) {
  const isToken = error?.status === 401 || error?.status === 429;
  return h("div", { class: "notice-page view", tabIndex: -1 },
    h("h1", { class: "notice-title" }, icon("shield", { size: 24 }), t(isToken ? "shell.refused.title" : "shell.refused.otherTitle")),
    isToken ? h("p", null, t("shell.refused.why")) : h("p", null, visible(error?.message, 600)),
    refused && isToken ? h("p", { class: "notice-error", role: "alert" }, t("shell.refused.ticket")) : null,
    isToken ? h("div", { class: "command" }, h("code", null, "codeai-hub open")) : null,
    isToken ? h("p", { class: "hint" }, t("shell.refused.how")) : null,
    h("div", null, button(t("shell.banner.retry"), () => connection.retry(), { kind: "primary", iconName: "retry" })));
}
