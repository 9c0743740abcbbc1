// What was used and what it cost: today against its budget, the days as bars, and tables by provider, model, session and day.

import { h, replace } from "../core/dom.js";
import { formatCost, formatNumber, formatPercent, formatTokens } from "../core/format.js";
import { locale, t } from "../core/i18n.js";
import { effect, signal } from "../core/signal.js";
import { connection } from "../core/connection.js";
import { sessionHref } from "../core/route.js";
import { button } from "../ui/button.js";
import { icon } from "../ui/icons.js";
import { errorText, providerName } from "../interaction/operations.js";
import { visible as clipped } from "../core/text.js";
import { barChart } from "./chart.js";

const kinds = ["provider", "model", "session", "day"];
const ranges = { today: 1, week: 7, month: 30, quarter: 90 };

/** `{element, dispose}`. */
export function usageView() {
  const range = signal("month");
  const own = signal(null);
  const kind = signal("provider");
  const measure = signal("cost");
  const report = signal(null);
  const failure = signal(null);
  const isLoading = signal(false);
  let asked = 0;
  let timer = null;

  const heading = h("h1", { class: "view-title visually-hidden", tabIndex: -1 });
  const from = h("input", { class: "input", type: "date", on: { change: dated } });
  const to = h("input", { class: "input", type: "date", on: { change: dated } });
  const fromLabel = h("label", { class: "date-field" }, h("span"), from);
  const toLabel = h("label", { class: "date-field" }, h("span"), to);
  const rangeButtons = h("div", { class: "segments", role: "group" });
  const tiles = h("dl", { class: "tiles" });
  const today = h("section", { class: "card today" });
  const chart = barChart();
  const measureButtons = h("div", { class: "segments", role: "group" });
  const chartTitle = h("h2");
  const tabs = h("div", { class: "tabs", role: "tablist" });
  const panel = h("div", { class: "usage-panel", id: "usage-panel", role: "tabpanel" });
  const notes = h("div", { class: "usage-notes" });
  const notices = h("div", { class: "settings-notices" });
  const element = h("div", { class: "view-page usage-view" },
    h("header", { class: "view-head" }, heading, rangeButtons, h("div", { class: "dates" }, fromLabel, toLabel)),
    notices, h("div", { class: "usage-top" }, tiles, today),
    h("section", { class: "card" }, h("header", { class: "card-head" }, chartTitle, measureButtons), chart.element),
    h("section", { class: "card" }, tabs, panel), notes);

  /** The days of the report, both included: the daemon's days are those of UTC. */
  function days() {
    if (own.value) return own.value;
    const end = new Date();
    const start = new Date(end.getTime() - (ranges[range.value] - 1) * 86_400_000);
    return { from: start.toISOString().slice(0, 10), to: end.toISOString().slice(0, 10) };
  }

  function dated() {
    if (!from.value || !to.value || from.value > to.value) {
      to.setCustomValidity(from.value && to.value ? t("views.usage.datesWrong") : "");
      to.reportValidity();
      return;
    }
    to.setCustomValidity("");
    own.value = { from: from.value, to: to.value };
  }

  async function load(span, by) {
    const number = (asked += 1);
    isLoading.value = true;
    try {
      const query = `from=${span.from}&to=${span.to}`;
      const [main, daily] = await Promise.all([
        connection.api("GET", `/usage?${query}&by=${by}`),
        by === "day" ? null : connection.api("GET", `/usage?${query}&by=day`),
      ]);
      // A later question was asked meanwhile.
      if (number !== asked) return;
      report.value = { ...main, days: (daily ?? main).rows };
      failure.value = null;
    } catch (error) {
      if (number === asked) failure.value = error;
    } finally {
      if (number === asked) isLoading.value = false;
    }
  }

  function reload() {
    load(days(), kind.peek());
  }

  /** After a turn has ended somewhere there is more to show. */
  function later() {
    timer ??= setTimeout(() => {
      timer = null;
      reload();
    }, 1500);
  }

  const effects = [
    effect(() => {
      const span = days();
      const by = kind.value;
      if (connection.state.value.phase === "open") load(span, by);
    }),
    connection.on("session:event", (frame) => {
      if (frame.payload.kind === "turn_completed") later();
    }),
    connection.on("settings:update", later),
    effect(() => {
      heading.textContent = t("views.usage.title");
      const span = days();
      from.value = span.from;
      to.value = span.to;
      fromLabel.firstChild.textContent = t("views.usage.from");
      toLabel.firstChild.textContent = t("views.usage.to");
      segments(rangeButtons, t("views.usage.range"), Object.keys(ranges), own.value ? null : range.value, (name) => t(`views.usage.range.${name}`), (name) => {
        own.value = null;
        range.value = name;
      });
      segments(measureButtons, t("views.usage.measure"), ["cost", "tokens"], measure.value, (name) => t(`views.usage.measure.${name}`), (name) => { measure.value = name; });
      chartTitle.textContent = t("views.usage.byDay");
    }),
    effect(() => {
      replace(notices, failure.value && h("div", { class: "notice danger" }, icon("warning"), h("span", { class: "notice-text" }, errorText(failure.value)), button(t("views.again"), reload)));
    }),
    effect(() => {
      element.setAttribute("aria-busy", String(isLoading.value));
    }),
    effect(() => drawTiles(report.value?.total)),
    effect(() => drawToday(report.value?.today)),
    effect(() => report.value && drawChart(report.value, measure.value)),
    effect(() => {
      replace(tabs, kinds.map((name) => h("button", {
        type: "button", role: "tab", class: "tab", id: `usage-tab-${name}`, "aria-controls": "usage-panel", "aria-selected": String(kind.value === name), tabIndex: kind.value === name ? 0 : -1,
        dataset: { kind: name }, on: { click: () => { kind.value = name; }, keydown: tabKey },
      }, t(`views.usage.by.${name}`))));
      tabs.setAttribute("aria-label", t("views.usage.breakdown"));
      panel.setAttribute("aria-labelledby", `usage-tab-${kind.value}`);
    }),
    effect(() => report.value && drawTable(report.value)),
    effect(() => drawNotes(report.value)),
  ];

  function tabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    kind.value = kinds[(kinds.indexOf(kind.peek()) + step + kinds.length) % kinds.length];
    requestAnimationFrame(() => tabs.querySelector("[aria-selected=true]")?.focus());
  }

  function drawTiles(total) {
    const tile = (name, value, detail) => h("div", { class: "tile" }, h("dt", null, t(`views.usage.${name}`)), h("dd", null, value, detail && h("span", { class: "tile-detail" }, detail)));
    replace(tiles, total && [
      tile("cost", formatCost(total.costUsd), total.estimatedUsd > 0 ? t("views.usage.estimatedPart", { cost: formatCost(total.estimatedUsd) }) : ""),
      tile("turns", formatNumber(total.turns)),
      tile("input", formatTokens(total.input), total.input > 0 ? t("views.usage.cachedShare", { share: formatPercent(total.cached / total.input) }) : ""),
      tile("output", formatTokens(total.output)),
    ]);
  }

  function drawToday(now) {
    if (!now) return void replace(today);
    const limit = now.perDayUsd > 0 ? now.perDayUsd : null;
    const share = limit ? now.spentUsd / limit : null;
    const level = share >= 1 ? "is-over" : share >= 0.8 ? "is-high" : "";
    replace(today,
      h("h2", null, t("views.usage.today")),
      h("p", { class: `today-cost ${level}` }, formatCost(now.spentUsd), limit && h("span", { class: "today-limit" }, t("views.usage.ofBudget", { limit: formatCost(limit) }))),
      limit && h("div", { class: `meter ${level}`, role: "meter", "aria-label": t("views.usage.today"), "aria-valuemin": "0", "aria-valuemax": String(limit), "aria-valuenow": String(now.spentUsd), "aria-valuetext": formatPercent(share) },
        h("span", { class: "meter-fill", style: { width: `${Math.min(100, share * 100)}%` } })),
      h("p", { class: "today-note" }, limit ? "" : t("views.usage.noBudget"), now.perSessionUsd > 0 ? t("views.usage.perSession", { limit: formatCost(now.perSessionUsd) }) : ""),
      h("a", { class: "button small", href: "#/settings" }, t("views.usage.setBudget")));
  }

  function drawChart({ days: rows, from: first, to: last }, by) {
    const byDay = new Map(rows.map((row) => [row.day, row]));
    const short = new Intl.DateTimeFormat(locale.value, { day: "numeric", month: "short", timeZone: "UTC" });
    const long = new Intl.DateTimeFormat(locale.value, { dateStyle: "full", timeZone: "UTC" });
    const bars = [];
    for (let day = new Date(`${first}T00:00:00Z`); day <= new Date(`${last}T00:00:00Z`) && bars.length < 400; day = new Date(day.getTime() + 86_400_000)) {
      const row = byDay.get(day.toISOString().slice(0, 10)) ?? { costUsd: 0, estimatedUsd: 0, input: 0, output: 0, cached: 0, turns: 0 };
      const parts = by === "cost"
        ? [{ value: row.costUsd - row.estimatedUsd, series: 0 }, { value: row.estimatedUsd, series: 1 }]
        : [{ value: row.cached, series: 0 }, { value: row.input - row.cached, series: 1 }, { value: row.output, series: 2 }];
      bars.push({
        short: short.format(day), parts,
        text: t("views.usage.reading", { day: long.format(day), cost: formatCost(row.costUsd, row.estimatedUsd > 0), count: row.turns, input: formatTokens(row.input), output: formatTokens(row.output) }),
      });
    }
    const hasEstimates = rows.some((row) => row.estimatedUsd > 0);
    chart.draw({
      bars, hint: t("views.usage.chartHint"),
      label: t("views.usage.chartLabel", { measure: t(`views.usage.measure.${by}`), from: short.format(new Date(`${first}T00:00:00Z`)), to: short.format(new Date(`${last}T00:00:00Z`)) }),
      series: by === "cost" ? (hasEstimates ? [t("views.usage.reported"), t("views.usage.estimated")] : [t("views.usage.reported")]) : [t("views.usage.cached"), t("views.usage.fresh"), t("views.usage.output")],
      format: by === "cost" ? (value) => formatCost(value) : formatTokens,
    });
  }

  function drawTable({ by, rows, total, leftOut }) {
    const most = Math.max(...rows.map((row) => row.costUsd), 0);
    const sorted = by === "day" ? [...rows].reverse() : [...rows].sort((a, b) => b.costUsd - a.costUsd || b.input + b.output - a.input - a.output);
    const number = (value) => h("td", { class: "number" }, value);
    const columns = ["turns", "input", "cached", "output", "cost"];
    const table = h("table", { class: "data-table" },
      h("caption", { class: "visually-hidden" }, t(`views.usage.by.${by}`)),
      h("thead", null, h("tr", null, h("th", { scope: "col" }, t(`views.usage.by.${by}`)), columns.map((name) => h("th", { scope: "col", class: "number" }, t(`views.usage.${name}`))))),
      h("tbody", null, sorted.map((row) => h("tr", null,
        h("th", { scope: "row" }, rowName(by, row)),
        number(formatNumber(row.turns)), number(formatTokens(row.input)), number(formatTokens(row.cached)), number(formatTokens(row.output)),
        h("td", { class: "number cost" }, h("span", { class: "share", "aria-hidden": "true", style: { width: `${most > 0 ? (row.costUsd / most) * 100 : 0}%` } }),
          h("span", { class: "cost-text" }, formatCost(row.costUsd, row.estimatedUsd > 0), row.unpricedTurns > 0 && h("span", { class: "unpriced", title: t("views.usage.unpriced", { count: row.unpricedTurns }) }, " +?")))))),
      h("tfoot", null, h("tr", null, h("th", { scope: "row" }, t("views.usage.total")), number(formatNumber(total.turns)), number(formatTokens(total.input)), number(formatTokens(total.cached)), number(formatTokens(total.output)), number(formatCost(total.costUsd, total.estimatedUsd > 0)))));
    replace(panel, rows.length === 0 ? h("p", { class: "empty" }, t("views.usage.nothing")) : [
      h("div", { class: "table-scroll", tabIndex: 0, role: "region", "aria-label": t(`views.usage.by.${by}`) }, table),
      h("div", { class: "panel-foot" },
        leftOut > 0 && h("span", { class: "settings-summary" }, t("views.usage.leftOut", { count: leftOut })),
        button(t("views.usage.csv"), () => saveCsv(by, sorted), { kind: "small", iconName: "download" })),
    ]);
  }

  function drawNotes(now) {
    if (!now) return void replace(notes);
    const lines = [t("views.usage.utc")];
    if (now.total.estimatedUsd > 0) lines.push(t("views.usage.estimates"));
    if (now.total.unpricedTurns > 0) lines.push(t("views.usage.unpriced", { count: now.total.unpricedTurns }));
    for (const table of now.prices ?? []) lines.push(t("views.usage.prices", { source: clipped(table.source, 200), day: table.asOf }));
    replace(notes, now.pricesProblem && h("div", { class: "notice warn" }, icon("warning"), h("span", { class: "notice-text" }, clipped(now.pricesProblem, 500))), lines.map((line) => h("p", null, line)));
  }

  return {
    element,
    focus: () => heading.focus(),
    dispose() {
      clearTimeout(timer);
      chart.dispose();
      for (const end of effects) end();
    },
  };
}

function rowName(by, row) {
  if (by === "provider") return providerName(row.providerId);
  if (by === "model") return row.model ? clipped(row.model, 80) : t("views.usage.noModel");
  if (by === "day") return new Intl.DateTimeFormat(locale.value, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(`${row.day}T00:00:00Z`));
  if (row.sessionId === null) return t("views.usage.oldSessions");
  const title = row.title ? clipped(row.title, 100) : t("interaction.untitled");
  if (row.deleted || !row.sessionId) return `${title} (${t("views.usage.deleted")})`;
  return h("a", { href: sessionHref(row.sessionId) }, title);
}

/** Buttons of which one is pressed. */
function segments(parent, label, names, chosen, text, choose) {
  parent.setAttribute("aria-label", label);
  const had = parent.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  replace(parent, names.map((name) => h("button", { type: "button", class: "segment", dataset: { name }, "aria-pressed": String(name === chosen), on: { click: () => choose(name) } }, text(name))));
  if (had) parent.querySelector(`[data-name=${had}]`)?.focus();
}

/** The table as a file. A field that begins like a formula must not become one in a spreadsheet. */
function saveCsv(by, rows) {
  const columns = ["turns", "unpricedTurns", "input", "cached", "output", "costUsd", "estimatedUsd"];
  const safe = (value) => {
    const text = String(value ?? "");
    return `"${(/^[=+\-@\t\r]/.test(text) && typeof value !== "number" ? `'${text}` : text).replaceAll('"', '""')}"`;
  };
  const name = { provider: "providerId", model: "model", session: "sessionId", day: "day" }[by];
  const head = [name, ...(by === "session" ? ["title"] : []), ...columns];
  const lines = [head.join(","), ...rows.map((row) => head.map((column) => safe(row[column])).join(","))];
  const url = URL.createObjectURL(new Blob([`${lines.join("\r\n")}\r\n`], { type: "text/csv" }));
  const link = h("a", { href: url, download: `usage-by-${by}.csv` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

