"""Draws the validation errors of one stage against its epochs as an SVG.

Usage: curve.py LOG.csv OUT.svg TITLE
"""
import csv
import sys

W, H, LEFT, RIGHT, TOP, BOTTOM = 720, 340, 50, 190, 40, 45
COLOURS = ["#1f6fb2", "#c2571a", "#3a8a4d", "#7a4fa3", "#8a6d1b"]


def draw(rows, title):
    """The picture's text. Columns that end in MAE are drawn, in years."""
    series = [(k, [(int(r["epoch"]), float(r[k])) for r in rows if r[k]]) for k in rows[0] if k.endswith("MAE")]
    right = max(int(r["epoch"]) for r in rows)
    high = 2 * (int(max(v for _, s in series for _, v in s) / 2) + 1)

    def x(epoch):
        return LEFT + (W - LEFT - RIGHT) * epoch / right

    def y(value):
        return H - BOTTOM - (H - TOP - BOTTOM) * value / high

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="sans-serif" font-size="12" role="img"><title>{title}</title>',
           f'<rect width="{W}" height="{H}" fill="#fff"/><text x="{LEFT}" y="22" font-size="14">{title}</text>']
    for v in range(0, high + 1, 2):
        out.append(f'<path d="M{LEFT} {y(v):.1f}H{W - RIGHT}" stroke="#ddd"/><text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v}</text>')
    for e in range(0, right + 1, 5 if right > 10 else 1):
        out.append(f'<text x="{x(e):.1f}" y="{H - BOTTOM + 18}" text-anchor="middle">{e}</text>')
    out.append(f'<text x="{(LEFT + W - RIGHT) / 2}" y="{H - 8}" text-anchor="middle">epochs; errors in years</text>')
    for (name, points), colour in zip(series, COLOURS):
        path = "L".join(f"{x(e):.1f} {y(v):.1f}" for e, v in points)
        out.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{x(points[-1][0]) + 6:.1f}" y="{y(points[-1][1]) + 4:.1f}" fill="{colour}">{name[:-4]} {points[-1][1]:.2f}</text>')
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    with open(sys.argv[1], newline="") as file:
        table = list(csv.DictReader(file))
    with open(sys.argv[2], "w") as file:
        file.write(draw(table, sys.argv[3]))
