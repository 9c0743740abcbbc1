// A bar chart by day, drawn as SVG. It is for the eyes; the table beside it has the same figures. By keyboard the arrows go from
// one bar to the next, and what it says is written below the chart and read out.

import { h, replace, s } from "../core/dom.js";

const height = 180;
const bottom = 22;
const top = 10;
const left = 52;

/** `{element, draw(data)}`; `data` is `{label, bars: [{name, short, parts: [{value, series}], text}], series: [name], format(value)}`. */
export function barChart() {
  // Until it is drawn there is nothing to see in it, nor to go to.
  const picture = s("svg", { class: "chart" });
  const reading = h("p", { class: "chart-reading", role: "status" });
  const legend = h("ul", { class: "chart-legend" });
  const element = h("figure", { class: "chart-figure" }, legend, picture, reading);
  let data = null;
  let marked = null;
  let columns = [];

  function mark(index) {
    columns[marked]?.classList.remove("is-marked");
    marked = index;
    columns[marked]?.classList.add("is-marked");
    reading.textContent = data?.bars[marked]?.text ?? data?.hint ?? "";
  }

  picture.addEventListener("keydown", (event) => {
    const count = data?.bars.length ?? 0;
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -count, End: count };
    if (!(event.key in steps) || count === 0) return;
    event.preventDefault();
    mark(Math.max(0, Math.min(count - 1, (marked ?? (steps[event.key] > 0 ? -1 : count)) + steps[event.key])));
  });
  picture.addEventListener("pointerleave", () => mark(null));
  picture.addEventListener("blur", () => mark(null));

  function draw(next) {
    data = next;
    marked = null;
    const width = Math.max(280, picture.clientWidth || element.clientWidth || 600);
    const values = data.bars.map((bar) => bar.parts.reduce((sum, part) => sum + part.value, 0));
    const { most, steps } = scale(Math.max(0, ...values));
    const inner = height - top - bottom;
    const y = (value) => top + inner * (1 - value / most);
    const slot = (width - left) / Math.max(1, data.bars.length);
    const thickness = Math.max(2, Math.min(44, slot * 0.68));
    picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    picture.setAttribute("height", height);
    picture.setAttribute("role", "img");
    picture.setAttribute("tabindex", "0");
    picture.setAttribute("aria-label", data.label);
    replace(picture);
    for (const value of steps) {
      picture.append(
        s("line", { class: "chart-line", x1: left, x2: width, y1: y(value), y2: y(value) }),
        s("text", { class: "chart-text", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, data.format(value)));
    }
    // As many days are named as have room.
    const every = Math.ceil(54 / slot);
    columns = data.bars.map((bar, index) => {
      const x = left + slot * index + (slot - thickness) / 2;
      const group = s("g", { class: "chart-column" });
      // All of the column's height takes the pointer: a small bar is hard to hit.
      const area = s("rect", { class: "chart-area", x: left + slot * index, y: top, width: slot, height: inner });
      area.addEventListener("pointerenter", () => mark(index));
      group.append(area);
      let from = 0;
      for (const part of bar.parts) {
        if (part.value <= 0) continue;
        const size = Math.max(1, y(from) - y(from + part.value));
        group.append(s("rect", { class: `chart-bar series-${part.series}`, x, y: y(from) - size, width: thickness, height: size, rx: Math.min(2, size / 2) }));
        from += part.value;
      }
      if (index % every === 0 && (data.bars.length - index > every / 2 || index === data.bars.length - 1)) {
        group.append(s("text", { class: "chart-text", x: left + slot * (index + 0.5), y: height - 6, "text-anchor": "middle" }, bar.short));
      }
      picture.append(group);
      return group;
    });
    replace(legend, data.series.length > 1 && data.series.map((name, index) =>
      h("li", null, h("span", { class: `chart-key series-${index}`, "aria-hidden": "true" }), name)));
    mark(null);
  }

  const watcher = new ResizeObserver(() => {
    if (data && Math.abs((picture.viewBox.baseVal?.width ?? 0) - picture.clientWidth) > 8) draw(data);
  });
  watcher.observe(element);
  return { element, draw, dispose: () => watcher.disconnect() };
}

/** A round number above the largest value, and the lines up to it. */
function scale(largest) {
  if (largest <= 0) return { most: 1, steps: [0] };
  const power = 10 ** Math.floor(Math.log10(largest));
  const step = [0.2, 0.25, 0.5, 1, 2, 2.5].map((each) => each * power).find((each) => largest / each <= 4) ?? power * 2.5;
  const count = Math.ceil(largest / step);
  return { most: step * count, steps: Array.from({ length: count + 1 }, (_, index) => step * index) };
}
