// The client's own icons: strokes on a field of 16 pixels, in the colour of the text around them.

import { s } from "../core/dom.js";

const paths = {
  plus: "M8 3v10M3 8h10",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.6 10.6 14 14",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3 8.5 6.5 12 13 4.5",
  chevron: "M6 4l4 4-4 4",
  down: "M4 6l4 4 4-4",
  up: "M4 10l4-4 4 4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  sidebar: "M2.5 3h11v10h-11zM6.5 3v10",
  settings: "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4ZM8 1.8v1.7M8 12.5v1.7M1.8 8h1.7M12.5 8h1.7M3.6 3.6l1.2 1.2M11.2 11.2l1.2 1.2M3.6 12.4l1.2-1.2M11.2 4.8l1.2-1.2",
  chart: "M2.5 13.5h11M4.5 11V8M8 11V3M11.5 11V6",
  plug: "M6 2v3M10 2v3M4 5h8v2.5a4 4 0 0 1-8 0ZM8 11.5V14",
  edit: "M10.5 3 13 5.5 5.5 13H3v-2.5Z",
  tag: "M2.5 2.5h5l6 6-5 5-6-6ZM5.5 5.5h.01",
  archive: "M2.5 3h11v3h-11zM3.5 6v7h9V6M6.5 8.5h3",
  unarchive: "M2.5 3h11v3h-11zM3.5 6v7h9V6M8 11.5V8M6.4 9.4 8 7.8l1.6 1.6",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5 5 13h6l.5-8.5M7 7v3.5M9 7v3.5",
  fork: "M4.5 3.5v9M4.5 10c0-3.5 7-1 7-4.5M4.5 5A1.5 1.5 0 1 0 4.5 2a1.5 1.5 0 0 0 0 3ZM4.5 14a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3ZM11.5 5.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3Z",
  export: "M8 9.5V2.5M5 5.2 8 2.3l3 2.9M3 9.5v4h10v-4",
  import: "M8 2.5v7M5 6.8l3 2.9 3-2.9M3 9.5v4h10v-4",
  stop: "M4 4h8v8H4z",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3l8 5-8 5Z",
  send: "M8 13V3M4 7l4-4 4 4",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  folder: "M2 4.5V12.5h12V5.5H8L6.5 3.5H2Z",
  file: "M4 2h5l3 3v9H4ZM9 2v3h3",
  terminal: "M2.5 3h11v10h-11zM5 6.5 7 8 5 9.5M8.5 10h2.5",
  globe: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM2 8h12M8 2c2 1.8 2.6 3.8 2.6 6S10 12.2 8 14c-2-1.8-2.6-3.8-2.6-6S6 3.8 8 2Z",
  bell: "M4 11V7a4 4 0 0 1 8 0v4l1 1.5H3ZM6.8 14.2h2.4",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.5v3.5M8 5h.01",
  warning: "M8 2.5 14.5 13.5h-13ZM8 6.5v3.5M8 11.8h.01",
  error: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 5v3.5M8 11h.01",
  help: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM6.3 6.4c.2-2.2 3.6-2 3.4.1-.1 1.2-1.6 1.3-1.7 2.6M8 11.3h.01",
  question: "M2.5 3h11v8h-5L5.5 13.5V11h-3Z",
  shield: "M8 2 13 4v4c0 3-2 5-5 6-3-1-5-3-5-6V4Z",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.5",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6ZM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z",
  contrast: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 2v12M8 5h3.5M8 8h6M8 11h3.5",
  command: "M6 6h4v4H6zM6 6H4.5A1.5 1.5 0 1 1 6 4.5ZM10 6V4.5A1.5 1.5 0 1 1 11.5 6ZM6 10v1.5A1.5 1.5 0 1 1 4.5 10ZM10 10h1.5a1.5 1.5 0 1 1-1.5 1.5Z",
  link: "M6.5 9.5l3-3M7 4.5l1.5-1.5a2.8 2.8 0 0 1 4 4L11 8.5M9 11.5 7.5 13a2.8 2.8 0 0 1-4-4L5 7.5",
  image: "M2.5 3h11v10h-11zM2.5 11l3.5-3.5 3 3 2-2 2.5 2.5M10.5 6h.01",
  attach: "M12.5 7.5 8 12a2.8 2.8 0 0 1-4-4l5-5a1.9 1.9 0 0 1 2.7 2.7L7 10.4a.9.9 0 0 1-1.3-1.3L9.5 5.3",
  retry: "M13 8a5 5 0 1 1-1.5-3.5M13 2.5v3h-3",
  download: "M8 2.5v7M5 6.8l3 2.9 3-2.9M3 13.5h10",
  bolt: "M9 1.5 3.5 9H8l-1 5.5L12.5 7H8Z",
  think: "M5.5 12.5h5M6.5 14.5h3M5.5 12.5c0-1.5-2-2.5-2-5a4.5 4.5 0 0 1 9 0c0 2.5-2 3.5-2 5",
  diff: "M8 3v6M5 6h6M5 12.5h6",
  list: "M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01",
  user: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c.5-3 2.5-4.5 5.5-4.5s5 1.5 5.5 4.5",
  robot: "M3.5 6h9v7h-9zM8 6V3M8 3h.01M6.2 9h.01M9.8 9h.01M6.5 11.2h3M1.8 8.5v2M14.2 8.5v2",
  split: "M2.5 3h11v10h-11zM8 3v10",
  rows: "M2.5 3h11v10h-11zM2.5 8h11",
  external: "M9.5 2.5h4v4M13.5 2.5 8 8M11.5 9v4.5h-9v-9H7",
  expand: "M9.5 2.5h4v4M6.5 13.5h-4v-4M13.5 2.5l-4.5 4.5M2.5 13.5 7 9",
  filter: "M2.5 3.5h11L9.5 8.5v4L6.5 14V8.5Z",
  grip: "M6 4h.01M6 8h.01M6 12h.01M10 4h.01M10 8h.01M10 12h.01",
  moneybag: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM10 6c-.5-1-3.8-1.3-3.8.4 0 1.8 3.8.8 3.8 2.7 0 1.8-3.5 1.5-4 .3M8 4v8",
  offline: "M2 2l12 12M5.5 9.5a4 4 0 0 1 2-1M3 7a7.5 7.5 0 0 1 2.3-1.5M13 7a7.5 7.5 0 0 0-5-2M8 12.5h.01",
};

/** An icon by its name, 16 pixels or as large as the style says. It is decoration: what it stands for is said in words beside it
 * or in the label of its button. */
export function icon(name, { size = 16 } = {}) {
  return s("svg", {
    class: `icon icon-${name}`, viewBox: "0 0 16 16", width: size, height: size, fill: "none", stroke: "currentColor",
    "stroke-width": ["more", "grip"].includes(name) ? 2.2 : 1.4, "stroke-linecap": "round", "stroke-linejoin": "round",
    "aria-hidden": "true", focusable: "false",
  }, s("path", { d: paths[name] ?? paths.info }));
}

/** The names there are. */
export const iconNames = Object.keys(paths);
