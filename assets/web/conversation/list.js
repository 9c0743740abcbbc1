// A list of which only what is near the viewport is in the page. Heights vary and are measured; what isn't measured yet is
// estimated. Whatever changes, what one looks at stays where it is; at the end, the end is followed.

const overscan = 700; // pixels beyond the viewport
const budget = 10; // milliseconds of making elements in one frame
const atEnd = 40; // pixels: as near to the end counts as being there
const mostSelected = 400; // items that are kept because something in them is selected

export class VirtualList {
  items = [];
  isFollowing = true;
  #views = new Map(); // rendered views by key
  #heights = new Map(); // measured, by key
  #offsets = new Float64Array(1);
  #areOffsetsStale = true;
  #from = 0;
  #to = 0;
  #anchor = null;
  #frame = 0;
  #lastTop = 0;
  #observer;
  #options;
  #width = 0;

  /**
   * @param options `scroller`, `feed`, `before` and `after` (spacers), `create(item)` → {element, dispose?()},
   *   `update(view, item, index)`, `estimate(item)` in pixels, `changed()` after a render or a scroll.
   */
  constructor(options) {
    this.#options = options;
    const { scroller } = options;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    scroller.addEventListener("wheel", (event) => {
      if (event.deltaY < 0) this.#leaveEnd();
    }, { passive: true });
    scroller.addEventListener("touchmove", () => this.#leaveEnd(), { passive: true });
    this.#observer = new ResizeObserver((entries) => this.#resized(entries));
    this.#observer.observe(scroller);
  }

  dispose() {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    for (const view of this.#views.values()) view.dispose?.();
    this.#views.clear();
  }

  /** Other items; those of the same key stay as they are but for `refresh`. */
  setItems(items) {
    this.items = items;
    this.#areOffsetsStale = true;
  }

  /** Rendered views, to be brought up to date. */
  get views() {
    return this.#views;
  }

  get range() {
    return [this.#from, this.#to];
  }

  get isAtEnd() {
    const { scroller } = this.#options;
    return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < atEnd;
  }

  /** The index of the first item in view. */
  get firstVisible() {
    return this.#indexAt(this.#options.scroller.scrollTop - this.#listTop());
  }

  schedule() {
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.render();
      });
    }
  }

  toEnd() {
    this.isFollowing = true;
    this.render();
    this.#stick();
    this.render();
  }

  /** Shows the item with its top `margin` pixels below the viewport's. What is above is only estimated: it is made right in
   * some rounds. */
  toIndex(index, margin = 80) {
    this.isFollowing = false;
    const { scroller } = this.#options;
    for (let round = 0; round < 4; round++) {
      this.#measureOffsets();
      this.#anchor = null;
      scroller.scrollTop = this.#listTop() + this.#offsets[index] - margin;
      this.render(true);
      const element = this.#views.get(this.items[index]?.key)?.element;
      if (!element) continue;
      const off = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - margin;
      if (Math.abs(off) < 2) break;
      scroller.scrollTop += off;
    }
    this.#remember();
  }

  /** The person is about to change the height of something in view: it stays where it is, whatever grows below it. */
  hold() {
    if (!this.isFollowing) return;
    this.#remember();
    this.isFollowing = false;
    this.#holding = true;
    // Where nothing comes of it, the end is followed again.
    requestAnimationFrame(() => requestAnimationFrame(() => this.#release()));
  }

  #release() {
    if (!this.#holding) return;
    this.#holding = false;
    this.isFollowing = this.isAtEnd;
    this.#options.changed?.();
  }

  #holding = false;

  #leaveEnd() {
    const { scroller } = this.#options;
    if (scroller.scrollHeight > scroller.clientHeight + 1) this.isFollowing = false;
  }

  #scrolled() {
    const { scroller } = this.#options;
    const top = scroller.scrollTop;
    const isUp = top < this.#lastTop - 1;
    this.#lastTop = top;
    if (this.isAtEnd) {
      if (!isUp || scroller.scrollHeight - top - scroller.clientHeight < 2) this.isFollowing = true;
    } else if (isUp) this.isFollowing = false;
    this.#remember();
    this.render();
  }

  #resized(entries) {
    const { scroller } = this.#options;
    let isChanged = false;
    for (const entry of entries) {
      if (entry.target === scroller) {
        if (scroller.clientWidth !== this.#width) {
          this.#width = scroller.clientWidth;
          // Other line breaks: what was measured holds no more for what isn't shown.
          for (const key of [...this.#heights.keys()]) if (!this.#views.has(key)) this.#heights.delete(key);
        }
        isChanged = true;
        continue;
      }
      const key = entry.target.dataset.key;
      const height = entry.borderBoxSize[0].blockSize;
      if (this.#views.has(key) && Math.abs((this.#heights.get(key) ?? -1) - height) > 0.5) {
        this.#heights.set(key, height);
        this.#areOffsetsStale = true;
        isChanged = true;
      }
    }
    if (!isChanged) return;
    this.#keep();
    this.schedule();
  }

  #measureOffsets() {
    if (!this.#areOffsetsStale) return;
    const { items } = this;
    if (this.#offsets.length < items.length + 1) this.#offsets = new Float64Array(Math.ceil(items.length * 1.5) + 64);
    let sum = 0;
    for (let i = 0; i < items.length; i++) {
      this.#offsets[i] = sum;
      sum += this.#heights.get(items[i].key) ?? this.#options.estimate(items[i]);
    }
    this.#offsets[items.length] = sum;
    this.#areOffsetsStale = false;
  }

  #indexAt(position) {
    this.#measureOffsets();
    let low = 0;
    let high = this.items.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#offsets[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  #listTop() {
    return this.#options.before.offsetTop;
  }

  /** Remembers which item is at the top of the viewport, and where. */
  #remember() {
    const top = this.#options.scroller.getBoundingClientRect().top;
    this.#anchor = null;
    for (let i = this.#from; i < this.#to; i++) {
      const { key } = this.items[i] ?? {};
      const rect = this.#views.get(key)?.element.getBoundingClientRect();
      if (rect && rect.bottom > top + 1) {
        this.#anchor = { key, top: rect.top - top };
        return;
      }
    }
  }

  /** Puts the remembered item back to where it was, or the end to the end. */
  #keep() {
    if (this.isFollowing) {
      this.#stick();
      return;
    }
    const element = this.#anchor && this.#views.get(this.#anchor.key)?.element;
    if (!element) return;
    const { scroller } = this.#options;
    const off = element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - this.#anchor.top;
    if (Math.abs(off) > 0.5) {
      scroller.scrollTop += off;
      this.#lastTop = scroller.scrollTop;
    }
  }

  #stick() {
    const { scroller } = this.#options;
    scroller.scrollTop = scroller.scrollHeight;
    this.#lastTop = scroller.scrollTop;
  }

  /** Makes what should be in the page be there. `whole`: however long it takes. */
  render(whole = false) {
    const { scroller, feed, before, after } = this.#options;
    if (!scroller.isConnected || scroller.clientHeight === 0) return;
    this.#measureOffsets();
    const count = this.items.length;
    const total = this.#offsets[count];
    const height = scroller.clientHeight;
    // Following, what counts is the end that will be, not where the scroller is.
    let viewTop = scroller.scrollTop - this.#listTop();
    if (this.isFollowing) viewTop = total - height;
    else if (this.#anchor) {
      // Items may have come above: it is around the item one looks at.
      const index = this.#indexOf(this.#anchor.key);
      if (index >= 0) viewTop = this.#offsets[index] - this.#anchor.top;
    }
    let from = count ? this.#indexAt(Math.max(0, viewTop - overscan)) : 0;
    let to = count ? Math.min(count, this.#indexAt(viewTop + height + overscan) + 1) : 0;
    [from, to] = this.#withSelection(from, to);

    // What is in view first, then below, then above; what the time doesn't suffice for comes with the next frame.
    const deadline = performance.now() + (whole ? 1000 : budget);
    const visibleFrom = count ? Math.max(from, this.#indexAt(Math.max(0, viewTop))) : 0;
    const wanted = new Map();
    let isPartial = false;
    let low = visibleFrom;
    let high = visibleFrom;
    const make = (index) => {
      const item = this.items[index];
      let view = this.#views.get(item.key);
      if (!view) {
        if (performance.now() > deadline && wanted.size > 0) return false;
        view = this.#options.create(item);
        this.#views.set(item.key, view);
        view.element.dataset.key = item.key;
        this.#observer.observe(view.element);
      }
      this.#options.update(view, item, index);
      wanted.set(item.key, view);
      return true;
    };
    while (high < to && make(high)) high++;
    if (high < to) isPartial = true;
    while (!isPartial && low > from && make(low - 1)) low--;
    if (low > from) isPartial = true;
    this.#from = low;
    this.#to = high;

    for (const [key, view] of this.#views) {
      if (wanted.has(key)) continue;
      this.#observer.unobserve(view.element);
      view.dispose?.();
      view.element.remove();
      this.#views.delete(key);
    }
    let next = feed.firstChild;
    for (let i = low; i < high; i++) {
      const { element } = wanted.get(this.items[i].key);
      if (element === next) next = next.nextSibling;
      else feed.insertBefore(element, next);
    }
    before.style.height = `${this.#offsets[low] ?? 0}px`;
    after.style.height = `${Math.max(0, total - (this.#offsets[high] ?? 0))}px`;

    // Measured at once, so that the spacers are right in the frame that is about to be seen.
    for (let i = low; i < high; i++) {
      const { key } = this.items[i];
      const measured = wanted.get(key).element.getBoundingClientRect().height;
      if (Math.abs((this.#heights.get(key) ?? -1) - measured) > 0.5) {
        this.#heights.set(key, measured);
        this.#areOffsetsStale = true;
      }
    }
    this.#keep();
    this.#remember();
    if (isPartial || (this.#areOffsetsStale && !this.#isCovered())) this.schedule();
    this.#options.changed?.();
  }

  /** Whether what is in the page reaches beyond both edges of the viewport. */
  #isCovered() {
    const { scroller, feed } = this.#options;
    const view = scroller.getBoundingClientRect();
    const rendered = feed.getBoundingClientRect();
    return (this.#from === 0 || rendered.top <= view.top) && (this.#to === this.items.length || rendered.bottom >= view.bottom);
  }

  #indexOf(key) {
    // Mostly where it was.
    for (let i = this.#from; i < this.#to; i++) if (this.items[i]?.key === key) return i;
    return this.items.findIndex((item) => item.key === key);
  }

  /** The range with what is selected in it, so that it can be copied. */
  #withSelection(from, to) {
    const selection = getSelection();
    if (!selection || selection.isCollapsed) return [from, to];
    const { feed } = this.#options;
    const indexOf = (node) => {
      const element = node instanceof Element ? node : node?.parentElement;
      const key = feed.contains(element) ? element.closest("[data-key]")?.dataset.key : undefined;
      return key === undefined ? -1 : this.#indexOf(key);
    };
    const ends = [indexOf(selection.anchorNode), indexOf(selection.focusNode)].filter((index) => index >= 0);
    if (ends.length === 0) return [from, to];
    const low = Math.min(from, ...ends);
    const high = Math.max(to, ...ends.map((index) => index + 1));
    return high - low > mostSelected ? [from, to] : [low, high];
  }
}
