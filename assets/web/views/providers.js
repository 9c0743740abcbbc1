// The agents there are: whether each can be used, what is missing for that, and how much of its quota is left.

import { h, reconcile, replace } from "../core/dom.js";
import { t } from "../core/i18n.js";
import { effect } from "../core/signal.js";
import { store } from "../core/store.js";
import { icon } from "../ui/icons.js";
import { visible as clipped } from "../core/text.js";
import { watchClock } from "../interaction/clock.js";
import { providerCard } from "./provider-card.js";

/** `{element, dispose}`. */
export function providersView() {
  const heading = h("h1", { class: "view-title visually-hidden", tabIndex: -1 });
  const intro = h("p", { class: "view-intro" });
  const problems = h("div", { class: "settings-notices" });
  const list = h("div", { class: "agents" });
  const element = h("div", { class: "view-page providers-view" }, heading, intro, problems, list);
  const cards = new Map();

  const effects = [
    effect(() => {
      heading.textContent = t("views.providers.title");
      intro.textContent = t("views.providers.intro");
    }),
    effect(() => {
      replace(problems, store.providerProblems.value.map((problem) =>
        h("div", { class: "notice danger" }, icon("warning"), h("span", { class: "notice-text" },
          t("views.providers.manifest"), " ", h("code", null, clipped(problem.path, 300)), problem.key && [" ", h("code", null, clipped(problem.key, 100))], ": ", clipped(problem.reason, 500)))));
    }),
    effect(() => {
      const ids = [...store.providers.value.keys()];
      for (const [id, card] of cards) {
        if (ids.includes(id)) continue;
        card.dispose();
        cards.delete(id);
      }
      reconcile(list, ids, (id) => id, (id) => {
        const card = providerCard(id);
        cards.set(id, card);
        return card.element;
      });
    }),
    effect(() => watchClock()),
  ];

  return {
    element,
    focus: () => heading.focus(),
    dispose() {
      for (const card of cards.values()) card.dispose();
      for (const end of effects) end();
    },
  };
}
