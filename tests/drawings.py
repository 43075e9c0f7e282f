r"""Thirty digits as a hand would draw them: ten, three ways each.

Strokes are lists of points in a box 100 wide and 140 high, y downward, with
the tremor of a hand. They were written before any network was asked.
"""

import math
import random


def arc(x, y, wide, high, start, end):
    r"""Part of an ellipse; degrees, 0 is right, 90 is down."""
    steps = max(6, int(abs(end - start) / 12))
    angles = [
        math.radians(start + (end - start) * step / steps)
        for step in range(steps + 1)
    ]
    return [(x + wide * math.cos(a), y + high * math.sin(a)) for a in angles]


def line(*corners):
    r"""Straight from corner to corner."""
    points = [corners[0]]
    for (ax, ay), (bx, by) in zip(corners, corners[1:], strict=False):
        for step in range(1, 9):
            t = step / 8
            points.append((ax + t * (bx - ax), ay + t * (by - ay)))
    return points


WAYS = {
    0: [
        [arc(50, 70, 42, 65, -90, -450)],
        [arc(50, 70, 28, 66, -60, -440)],
        [arc(50, 70, 50, 60, -120, 260)],
    ],
    1: [
        [line((50, 5), (50, 135))],
        [line((28, 35), (55, 5), (55, 135))],
        [line((66, 5), (40, 135))],
    ],
    2: [
        [arc(50, 40, 38, 35, -170, 30) + line((83, 57), (12, 132), (92, 132))],
        [
            arc(50, 38, 34, 33, -160, 40)
            + line((76, 59), (22, 122))
            + arc(24, 120, 14, 12, 160, 380)
            + line((37, 124), (92, 130))
        ],
        [line((15, 25), (45, 5), (80, 20), (80, 50), (15, 130), (90, 130))],
    ],
    3: [
        [arc(45, 38, 36, 33, -150, 90) + arc(45, 102, 42, 33, -90, 150)],
        [line((15, 8), (85, 8), (45, 58)) + arc(45, 97, 40, 38, -80, 140)],
        [arc(45, 32, 28, 27, -160, 80) + arc(43, 98, 45, 38, -85, 160)],
    ],
    4: [
        [line((30, 5), (12, 85), (90, 85)), line((68, 45), (68, 135))],
        [line((68, 135), (68, 5), (8, 95), (95, 95))],
        [line((22, 10), (18, 70), (80, 65)), line((85, 5), (72, 135))],
    ],
    5: [
        [
            line((25, 8), (22, 60)) + arc(45, 95, 42, 40, -120, 140),
            line((25, 8), (85, 8)),
        ],
        [line((88, 8), (28, 8), (20, 62)) + arc(44, 92, 42, 40, -115, 150)],
        [line((92, 12), (40, 8), (30, 58)) + arc(46, 94, 36, 38, -110, 130)],
    ],
    6: [
        [arc(85, 75, 70, 72, -110, -190) + arc(50, 98, 36, 36, 180, -180)],
        [line((60, 5), (25, 70), (16, 100)) + arc(48, 102, 32, 32, 180, -200)],
        [arc(90, 90, 76, 86, -120, -190) + arc(48, 105, 34, 29, 190, -170)],
    ],
    7: [
        [line((12, 10), (88, 10), (40, 135))],
        [
            line((15, 22), (18, 8), (85, 10))
            + arc(125, 130, 82, 120, -105, -180)
        ],
        [line((12, 10), (88, 10), (45, 135)), line((35, 72), (85, 70))],
    ],
    8: [
        [
            arc(50, 37, 32, 32, -20, -270)
            + arc(50, 102, 38, 33, -90, 270)
            + arc(50, 37, 32, 32, 90, -20)
        ],
        [arc(50, 38, 30, 33, -90, 270), arc(50, 103, 36, 32, -90, 270)],
        [
            arc(52, 35, 24, 30, -30, -260)
            + arc(48, 102, 28, 34, -80, 260)
            + arc(52, 35, 24, 30, 90, -30)
        ],
    ],
    9: [
        [arc(46, 42, 34, 36, -10, -370) + line((80, 42), (76, 135))],
        [arc(48, 40, 36, 35, -20, -380) + arc(30, 45, 54, 88, 0, 100)],
        [arc(50, 38, 30, 32, 0, -360) + line((80, 38), (52, 135))],
    ],
}


def strokes(digit, way):
    r"""One of the thirty, its points a little off."""
    hand = random.Random(10 * way + digit)
    return [
        [(x + hand.gauss(0, 1), y + hand.gauss(0, 1)) for x, y in stroke]
        for stroke in WAYS[digit][way]
    ]
