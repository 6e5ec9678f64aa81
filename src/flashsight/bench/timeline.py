"""One request as a picture: a lane for each kind of work, a bar for each piece of it, as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from flashsight.engine.trace import Event, Lane

WIDTH, LANE_HEIGHT, LEFT, TOP, RIGHT = 960, 34, 84, 48, 16
COLOURS: dict[Lane, str] = {
    "request": "#64748b",
    "decode": "#d97706",
    "encode": "#7c3aed",
    "prefill": "#2563eb",
    "step": "#059669",
}
NAMES: dict[Lane, str] = {
    "request": "request",
    "decode": "decode",
    "encode": "encode",
    "prefill": "prefill",
    "step": "steps",
}
"""What the lanes are called: decoding the file, encoding the picture, reading the prompt, one token after another."""


def timeline(events: Sequence[Event], *, title: str) -> str:
    """Return an SVG document; time 0 is the start of the first event. Every bar has a tooltip."""
    origin = min((event.started_at for event in events), default=0.0)
    seconds = max((event.ended_at for event in events), default=0.0) - origin
    scale = (WIDTH - LEFT - RIGHT) / (seconds or 1.0)
    height = TOP + LANE_HEIGHT * len(NAMES) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="24" font-size="15" fill="#0f172a">{escape(title)}</text>',
        *_axis(seconds, scale, height),
    ]
    for number, lane in enumerate(NAMES):
        top = TOP + number * LANE_HEIGHT
        parts.append(f'<text x="8" y="{top + 20}" fill="#0f172a">{NAMES[lane]}</text>')
        parts += [_bar(event, origin, scale, top) for event in events if event.lane == lane]
    return "\n".join([*parts, "</svg>", ""])


def _bar(event: Event, origin: float, scale: float, top: int) -> str:
    left, width = LEFT + (event.started_at - origin) * scale, (event.ended_at - event.started_at) * scale
    said = f"{event.note}: {(event.ended_at - event.started_at) * 1e3:.2f} ms"
    bar = (
        f'<rect x="{left:.2f}" y="{top + 4}" width="{max(width, 0.5):.2f}" height="{LANE_HEIGHT - 10}" rx="2" '
        f'fill="{COLOURS[event.lane]}"><title>{escape(said)}</title></rect>'
    )
    if width < 7 * len(said):
        return bar
    return bar + f'<text x="{left + 6:.2f}" y="{top + 21}" fill="#ffffff">{escape(said)}</text>'


def _axis(seconds: float, scale: float, height: int) -> list[str]:
    """A line every 1, 2 or 5 times a power of ten milliseconds, about ten of them."""
    milliseconds = seconds * 1e3
    step = next(
        (unit * 10.0**power for power in range(-3, 7) for unit in (1, 2, 5) if unit * 10.0**power * 12 >= milliseconds),
        1e7,
    )
    lines = []
    for number in range(int(milliseconds / step) + 1):
        x = LEFT + number * step / 1e3 * scale
        lines.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - 26}" stroke="#e2e8f0"/>')
        lines.append(
            f'<text x="{x:.1f}" y="{height - 10}" fill="#475569" text-anchor="middle">{number * step:g}</text>'
        )
    return [*lines, f'<text x="{WIDTH - 26}" y="{TOP - 8}" fill="#475569">ms</text>']
