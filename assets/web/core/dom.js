// Elements without a framework and without markup in strings: what others say becomes text nodes or attributes, never
// HTML.

/** Keys of `props` that are properties of the element; all others are attributes. */
const properties = new Set([
  "value", "checked", "disabled", "hidden", "textContent", "open", "tabIndex", "htmlFor", "type", "selected", "indeterminate",
  "readOnly", "multiple", "returnValue", "scrollTop", "inert", "draggable", "placeholder", "spellcheck", "maxLength",
  "required", "autocomplete", "name", "min", "max", "step", "rows", "id", "title",
]);

/** An element. `props`: `class`, `dataset`, `on` (listeners by event), `style` (by property), properties and attributes;
 * null, undefined and false leave one out (for `aria-*`, false is written). Children: strings and numbers become text; arrays are flattened; null and
 * false are passed over. */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function build(element, props, children) {
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined) continue;
    if (key === "class") {
      if (value) element.setAttribute("class", value);
    } else if (key === "dataset") {
      for (const [name, each] of Object.entries(value)) if (each !== null && each !== undefined) element.dataset[name] = each;
    } else if (key === "style") {
      for (const [name, each] of Object.entries(value)) {
        if (each !== null && each !== undefined) element.style.setProperty(name, each);
      }
    } else if (key === "on") {
      for (const [name, listener] of Object.entries(value)) if (listener) element.addEventListener(name, listener);
    } else if (properties.has(key) && key in element && !(element instanceof SVGElement)) {
      element[key] = value;
    } else if (key.startsWith("aria-")) {
      // In ARIA, false is a value and says something else than nothing.
      element.setAttribute(key, String(value));
    } else if (value !== false) {
      element.setAttribute(key, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

function append(parent, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false || child === true) continue;
    if (Array.isArray(child)) append(parent, child);
    else parent.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Puts `children` in the place of all that `parent` has. */
export function replace(parent, ...children) {
  parent.replaceChildren();
  append(parent, children);
  return parent;
}

const keys = new WeakMap();

/** Makes the children of `parent` those of `items`, in their order. An element stays for as long as its key does and is
 * moved only when it must be, so that focus, scroll position and transitions in it stay too. */
export function reconcile(parent, items, keyOf, create, update) {
  const old = new Map();
  for (const element of parent.children) if (keys.has(element)) old.set(keys.get(element), element);
  const wanted = [];
  for (const item of items) {
    const key = keyOf(item);
    let element = old.get(key);
    if (element) {
      old.delete(key);
      update?.(element, item);
    } else {
      element = create(item);
      keys.set(element, key);
    }
    wanted.push(element);
  }
  for (const element of old.values()) element.remove();
  // What is in a longest ascending run of present places stays; only the others are moved: moving takes the focus away.
  const places = new Map([...parent.children].map((element, place) => [element, place]));
  const staying = longestAscending(wanted.map((element) => places.get(element) ?? -1));
  let next = null;
  for (let index = wanted.length - 1; index >= 0; index -= 1) {
    const element = wanted[index];
    if (!staying.has(index)) parent.insertBefore(element, next);
    next = element;
  }
}

/** Indexes of a longest ascending run of the numbers that are not negative. */
function longestAscending(numbers) {
  const tails = [];
  const before = new Array(numbers.length).fill(-1);
  numbers.forEach((number, index) => {
    if (number < 0) return;
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[tails[middle]] < number) low = middle + 1;
      else high = middle;
    }
    before[index] = low > 0 ? tails[low - 1] : -1;
    tails[low] = index;
  });
  const result = new Set();
  for (let index = tails.at(-1) ?? -1; index >= 0; index = before[index]) result.add(index);
  return result;
}
