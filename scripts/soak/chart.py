"""Time series as a picture: one panel below the other over the same minutes, readable in light and in dark."""

from html import escape

WIDTH, LEFT, RIGHT, PANEL, GAP, TOP = 880, 64, 16, 118, 46, 58

STYLE = """
svg { color-scheme: light dark; font: 12px system-ui, sans-serif; }
.back { fill: #ffffff; } text { fill: #1f2328; } .dim { fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-width: 1; } .line { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
.a { stroke: #0969da; } .b { stroke: #bc4c00; } .c { stroke: #1a7f37; }
.ka { fill: #0969da; } .kb { fill: #bc4c00; } .kc { fill: #1a7f37; }
.fit { stroke: #8250df; stroke-width: 1.5; stroke-dasharray: 6 4; }
@media (prefers-color-scheme: dark) {
  .back { fill: #0d1117; } text { fill: #e6edf3; } .dim { fill: #9198a1; } .grid { stroke: #30363d; }
  .a { stroke: #58a6ff; } .b { stroke: #f0883e; } .c { stroke: #3fb950; }
  .ka { fill: #58a6ff; } .kb { fill: #f0883e; } .kc { fill: #3fb950; } .fit { stroke: #bc8cff; }
}
"""


def step(span):
    """A round distance between grid lines: about four of them in the span."""
    size = 1.0
    while size * 4 < span:
        size *= 10
    while size * 4 > span * 2.5:
        size /= 10
    for factor in (1, 2, 5, 10):
        if span / (size * factor) <= 4.5:
            return size * factor
    return size * 10


def number(value):
    return f"{value:.6f}".rstrip("0").rstrip(".") if value else "0"


def draw(title, subtitle, minutes, panels):
    """panels: (name, [(label, values)], fit or None), where fit is (first minute, value at 0, change a minute)."""
    height = TOP + len(panels) * (PANEL + GAP)
    last = max(minutes[-1], 1e-9)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f"<style>{STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text x="16" y="24" font-size="15" font-weight="600">{escape(title)}</text>',
        f'<text class="dim" x="16" y="42">{escape(subtitle)}</text>',
    ]
    inner = WIDTH - LEFT - RIGHT

    def x(minute):
        return LEFT + inner * minute / last

    for index, (name, series, fit) in enumerate(panels):
        top = TOP + index * (PANEL + GAP) + 18
        values = [value for _, row in series for value in row if value is not None]
        low, high = min([0.0, *values]), max([1e-9, *values])
        distance = step((high - low) * 1.02)
        high = distance * (int(high / distance) + 1)

        def y(value):
            return top + PANEL - PANEL * (value - low) / (high - low)

        out.append(f'<text x="16" y="{top - 7}" font-weight="600">{escape(name)}</text>')
        place = 16 + 7.2 * len(name) + 20
        for key, (label, _) in zip("abc", series):
            out.append(f'<rect class="k{key}" x="{place:.0f}" y="{top - 15}" width="9" height="9" rx="2"/>')
            out.append(f'<text class="dim" x="{place + 14:.0f}" y="{top - 7}">{escape(label)}</text>')
            place += 14 + 6.6 * len(label) + 18
        line = low
        while line <= high + distance / 2:
            out.append(f'<path class="grid" d="M{LEFT} {y(line):.1f}H{WIDTH - RIGHT}"/>')
            out.append(f'<text class="dim" x="{LEFT - 8}" y="{y(line) + 4:.1f}" text-anchor="end">{number(line)}</text>')
            line += distance
        for key, (_, row) in zip("abc", series):
            points = [f"{x(m):.1f} {y(v):.1f}" for m, v in zip(minutes, row) if v is not None]
            if points:
                out.append(f'<path class="line {key}" d="M{"L".join(points)}"/>')
        if fit:
            first, level, change = fit
            start, end = level + change * first, level + change * last
            out.append(f'<path class="fit" d="M{x(first):.1f} {y(start):.1f}L{x(last):.1f} {y(end):.1f}"/>')
    bottom = TOP + len(panels) * (PANEL + GAP) - GAP + 18 + 18
    distance = step(last)
    minute = 0.0
    while minute <= last * 1.001:
        out.append(f'<text class="dim" x="{x(minute):.1f}" y="{bottom}" text-anchor="middle">{number(minute)} min</text>')
        minute += distance
    out.append("</svg>")
    return "\n".join(out) + "\n"
