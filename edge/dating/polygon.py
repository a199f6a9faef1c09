"""Convex polygons in the plane of offset and rate, for `edge.dating.envelope`."""

CORNERS = 14
"""The most corners that are kept: accuracy hardly gains by more, time suffers."""

Pair = tuple[float, float]
"""An offset and a rate; also a lowest and a highest of either."""

Polygon = list[Pair]
"""The corners of a convex polygon, counter-clockwise."""


def rectangle(offsets: Pair, rates: Pair) -> Polygon:
    """Return all pairs of an offset and a rate within the two."""
    (low, high), (slow, fast) = offsets, rates
    return [(low, slow), (high, slow), (high, fast), (low, fast)]


def cut(polygon: Polygon, level: float, sign: int) -> Polygon:
    """Return the part of *polygon* with offsets below (*sign* 1) or above *level*."""
    kept: Polygon = []
    before, rate_before = polygon[-1]
    out_before = sign * (before - level)
    for offset, rate in polygon:
        out = sign * (offset - level)
        if (out_before <= 0) != (out <= 0):
            part = out_before / (out_before - out)
            kept.append((level, rate_before + part * (rate - rate_before)))
        if out <= 0:
            kept.append((offset, rate))
        rate_before, out_before = rate, out
    return kept


def widened(polygon: Polygon, by: float) -> Polygon:
    """Return *polygon* with every rate more and less *by*."""
    left = polygon.index(min(polygon))
    turned = polygon[left:] + polygon[:left]
    right = turned.index(max(turned))
    lower, upper = turned[: right + 1], turned[right:] + turned[:1]
    return [(offset, rate - by) for offset, rate in lower] + [
        (offset, rate + by) for offset, rate in upper
    ]


def thinned(polygon: Polygon) -> Polygon:
    """Return *polygon* with its flattest corners left out beyond CORNERS."""
    while len(polygon) > CORNERS:
        before, after = polygon[-1:] + polygon[:-1], polygon[1:] + polygon[:1]
        areas = [
            abs((x - x0) * (y1 - y0) - (x1 - x0) * (y - y0))
            for (x0, y0), (x, y), (x1, y1) in zip(before, polygon, after, strict=True)
        ]
        del polygon[areas.index(min(areas))]
    return polygon
