// Numbers, sizes, money and times in the person's language.

import { locale } from "./i18n.js";

const cache = new Map();

function made(name, make) {
  const key = `${name} ${locale.value}`;
  if (!cache.has(key)) cache.set(key, make(locale.value));
  return cache.get(key);
}

export function formatNumber(value) {
  return made("number", (tag) => new Intl.NumberFormat(tag)).format(value ?? 0);
}

export function formatPercent(share) {
  return made("percent", (tag) => new Intl.NumberFormat(tag, { style: "percent", maximumFractionDigits: 0 })).format(share ?? 0);
}

/** Dollars; below a cent with as many digits as say something. `≈` marks an estimate. */
export function formatCost(usd, estimated = false) {
  const digits = usd > 0 && usd < 0.01 ? 4 : usd > 0 && usd < 1 ? 3 : 2;
  const money = made(`cost${digits}`, (tag) => new Intl.NumberFormat(tag, {
    style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", minimumFractionDigits: 2, maximumFractionDigits: digits,
  }));
  return `${estimated ? "≈ " : ""}${money.format(usd ?? 0)}`;
}

/** Tokens, short: 1.2K, 3.4M. */
export function formatTokens(count) {
  return made("tokens", (tag) => new Intl.NumberFormat(tag, { notation: "compact", maximumFractionDigits: 1 })).format(count ?? 0);
}

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

export function formatBytes(bytes) {
  let value = Math.max(0, bytes ?? 0);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return made(`bytes${unit}`, (tag) => new Intl.NumberFormat(tag, {
    style: "unit", unit: units[unit], unitDisplay: unit === 0 ? "narrow" : "short", maximumFractionDigits: unit === 0 ? 0 : 1,
  })).format(value);
}

function asDate(time) {
  const date = time instanceof Date ? time : new Date(time);
  return Number.isNaN(date.getTime()) ? null : date;
}

function isSameDay(a, b) {
  return a.getFullYear() === b.getFullYear() && a.getMonth() === b.getMonth() && a.getDate() === b.getDate();
}

/** The time of day today, with the date else. `time` is a Date, milliseconds or RFC 3339. */
export function formatTime(time) {
  const date = asDate(time);
  if (!date) return "";
  if (isSameDay(date, new Date())) {
    return made("time", (tag) => new Intl.DateTimeFormat(tag, { hour: "2-digit", minute: "2-digit" })).format(date);
  }
  return made("datetime", (tag) => new Intl.DateTimeFormat(tag, {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  })).format(date);
}

/** Date and time in full, for a tooltip. */
export function formatFullTime(time) {
  const date = asDate(time);
  return date ? made("full", (tag) => new Intl.DateTimeFormat(tag, { dateStyle: "long", timeStyle: "medium" })).format(date) : "";
}

/** How long ago, or until when: `5 min. ago`, `in 2 hr.`; beyond a week the date. */
export function formatRelative(time, now = Date.now()) {
  const date = asDate(time);
  if (!date) return "";
  const seconds = (date.getTime() - now) / 1000;
  const size = Math.abs(seconds);
  if (size >= 7 * 86400) {
    const isThisYear = date.getFullYear() === new Date(now).getFullYear();
    return made(isThisYear ? "day" : "dayyear", (tag) => new Intl.DateTimeFormat(tag, {
      day: "numeric", month: "short", year: isThisYear ? undefined : "numeric",
    })).format(date);
  }
  const relative = made("relative", (tag) => new Intl.RelativeTimeFormat(tag, { numeric: "auto", style: "narrow" }));
  if (size < 45) return relative.format(0, "second");
  if (size < 2700) return relative.format(Math.round(seconds / 60), "minute");
  if (size < 79200) return relative.format(Math.round(seconds / 3600), "hour");
  // By the calendar, as people count: yesterday morning is not two days ago this evening.
  const midnight = (each) => Date.UTC(each.getFullYear(), each.getMonth(), each.getDate());
  return relative.format(Math.round((midnight(date) - midnight(new Date(now))) / 86_400_000) || Math.sign(seconds), "day");
}

/** A duration in milliseconds: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(milliseconds) {
  const unit = (value, name, digits = 0) => made(`unit${name}${digits}`, (tag) => new Intl.NumberFormat(tag, {
    style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits,
  })).format(value);
  const ms = Math.max(0, milliseconds ?? 0);
  if (ms < 1000) return unit(Math.round(ms), "millisecond");
  const seconds = ms / 1000;
  if (seconds < 10) return unit(Math.round(seconds * 10) / 10, "second", 1);
  const whole = Math.round(seconds);
  if (whole < 60) return unit(whole, "second");
  if (whole < 3600) {
    const rest = whole % 60;
    return rest ? `${unit(Math.floor(whole / 60), "minute")} ${unit(rest, "second")}` : unit(whole / 60, "minute");
  }
  const minutes = Math.floor((whole % 3600) / 60);
  return minutes ? `${unit(Math.floor(whole / 3600), "hour")} ${unit(minutes, "minute")}` : unit(Math.floor(whole / 3600), "hour");
}
