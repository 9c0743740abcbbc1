#!/usr/bin/env python3
"""Draws terminals as an SVG: the picture in the README is real output, not a drawing.

    tmux capture-pane -p -e -t NAME > left.txt
    scripts/terminal-picture.py OUTPUT.svg "title=left.txt" "other title=right.txt"
"""

import html
import re
import sys

CELL, LINE, FONT, PADDING, BAR, GAP = 8.0, 18, 13.3, 14, 30, 18
BACKGROUND, FOREGROUND, FRAME = "#16181d", "#d6d9e0", "#2a2e37"
BASE = ["#3b4048", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4"]
BRIGHT = ["#6b7280", "#ff7b86", "#b5e890", "#ffd68a", "#82c4ff", "#dc9bff", "#7fdbe6", "#ffffff"]


def palette(number):
    if number < 16:
        return (BASE + BRIGHT)[number]
    if number < 232:
        number -= 16
        steps = [0, 95, 135, 175, 215, 255]
        return "#%02x%02x%02x" % (steps[number // 36], steps[number // 6 % 6], steps[number % 6])
    return "#%02x%02x%02x" % ((8 + (number - 232) * 10,) * 3)


class Style:
    def __init__(self):
        self.foreground = self.background = None
        self.bold = self.dim = self.italic = self.underline = self.reverse = False

    def key(self):
        return tuple(vars(self).values())

    def apply(self, codes):
        codes = [int(code or 0) for code in codes.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 2, 3, 4, 7):
                setattr(self, {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse"}[code], True)
            elif code == 22:
                self.bold = self.dim = False
            elif code in (23, 24, 27):
                setattr(self, {23: "italic", 24: "underline", 27: "reverse"}[code], False)
            elif code in (38, 48) and codes:
                kind = codes.pop(0)
                if kind == 5 and codes:
                    color = palette(codes.pop(0))
                elif kind == 2 and len(codes) >= 3:
                    color = "#%02x%02x%02x" % tuple(codes.pop(0) for _ in range(3))
                else:
                    continue
                setattr(self, "foreground" if code == 38 else "background", color)
            elif code == 39:
                self.foreground = None
            elif code == 49:
                self.background = None
            else:
                for low, colors, name in (
                    (30, BASE, "foreground"), (40, BASE, "background"),
                    (90, BRIGHT, "foreground"), (100, BRIGHT, "background"),
                ):
                    if low <= code < low + 8:
                        setattr(self, name, colors[code - low])


def runs(line, style):
    """Yields (column, text, colours and weights) of a line."""
    column = 0
    for part in re.split(r"(\x1b\[[0-9;]*m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|[\x0e\x0f])", line):
        match = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if match:
            style.apply(match[1])
        elif part and part[0] not in "\x1b\x0e\x0f":
            yield column, part, style.key()
            column += len(part)


def panel(title, lines, x, columns, rows):
    width, height = columns * CELL + 2 * PADDING, rows * LINE + 2 * PADDING + BAR
    out = [
        f'<g transform="translate({x},0)">',
        f'<rect width="{width}" height="{height}" rx="9" fill="{BACKGROUND}" stroke="{FRAME}"/>',
        f'<path d="M0 {BAR}h{width}" stroke="{FRAME}"/>',
    ]
    for index, color in enumerate(["#ff5f57", "#febc2e", "#28c840"]):
        out.append(f'<circle cx="{18 + index * 18}" cy="{BAR / 2}" r="5.5" fill="{color}"/>')
    out.append(
        f'<text x="{width / 2}" y="{BAR / 2 + 4.5}" text-anchor="middle" fill="#8b93a1">{html.escape(title)}</text>'
    )
    style = Style()
    for row, line in enumerate(lines):
        y = BAR + PADDING + row * LINE + 13
        for column, text, key in runs(line, style):
            foreground, background, bold, dim, italic, underline, reverse = key
            foreground, background = foreground or FOREGROUND, background
            if reverse:
                foreground, background = background or BACKGROUND, foreground
            at = PADDING + column * CELL
            if background:
                out.append(
                    f'<rect x="{at}" y="{y - 13}" width="{len(text) * CELL}" height="{LINE}" fill="{background}"/>'
                )
            if not text.strip():
                continue
            extra = (' font-weight="700"' if bold else "") + (' font-style="italic"' if italic else "")
            extra += (' opacity="0.6"' if dim else "") + (' text-decoration="underline"' if underline else "")
            out.append(
                f'<text x="{at:g}" y="{y}" fill="{foreground}" textLength="{len(text) * CELL:g}"'
                f' xml:space="preserve"{extra}>{html.escape(text)}</text>'
            )
    out.append("</g>")
    return out, width, height


def main():
    if len(sys.argv) < 3 or any("=" not in argument for argument in sys.argv[2:]):
        sys.exit(__doc__)
    terminals = []
    for argument in sys.argv[2:]:
        title, path = argument.split("=", 1)
        with open(path, encoding="utf-8") as file:
            lines = file.read().rstrip("\n").split("\n")
        while lines and not re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]).strip():
            lines.pop()
        terminals.append((title, lines))
    rows = max(len(lines) for _, lines in terminals)
    body, x, height = [], 0, 0
    for title, lines in terminals:
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in lines]
        part, width, height = panel(title, lines, x, max(40, max(map(len, plain))), rows)
        body += part
        x += width + GAP
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{x - GAP:g}" height="{height:g}"'
            f' viewBox="-1 -1 {x - GAP + 2:g} {height + 2:g}" font-size="{FONT}"'
            f' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace">\n'
        )
        file.write("\n".join(body) + "\n</svg>\n")


main()
