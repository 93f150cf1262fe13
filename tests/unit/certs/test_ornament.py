"""Ornaments: true to their shapes, and written so that what comes again is written alike."""

from __future__ import annotations

import re
from itertools import pairwise
from math import atan2, cos, hypot, tau

from certs.ofd.objects import Path
from certs.ofd.page_xml import prepare_path
from certs.templates.ornament import draw_frame, draw_guilloche, draw_ripples
from certs.templates.parts import Frame, Guilloche, Ripples

WAVE_MM = 6.0


def points_of(path: Path) -> list[list[tuple[float, float]]]:
    """Sixteen points of every curve of a path, line by line."""
    lines: list[list[tuple[float, float]]] = []
    for name, *values in path.commands:
        x, y = float(values[-2]), float(values[-1])
        if name == "M":
            lines.append([(x, y)])
            continue
        ends = [lines[-1][-1], *zip(map(float, values[0::2]), map(float, values[1::2]), strict=True)]
        for step in range(1, 17):
            t = step / 16
            shares = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3
            point = [
                sum(share * end[axis] for share, end in zip(shares, ends, strict=True)) for axis in (0, 1)
            ]
            lines[-1].append((point[0], point[1]))
    return lines


def written(path: Path) -> str:
    """The steps of a path as they stand in the file."""
    found = re.search("<ofd:AbbreviatedData>(.*?)</ofd:AbbreviatedData>", prepare_path(path).rest)
    assert found is not None
    return found[1]


def test_waves_of_a_frame_are_cosines_of_whole_half_waves() -> None:
    frame = Frame(kind="frame", box=(8, 8, 281, 194), band=10)
    waves = [path for path in draw_frame(frame) if len(path.commands) > 100][:4]
    middle, amplitude = 8 + 5.0, 3.4
    for number, line in enumerate(points_of(waves[0])):
        start = line[0][0]
        for x, y in line:
            wanted = middle + amplitude * cos(tau * ((x - start) / WAVE_MM + number / 3))
            assert abs(y - wanted) < 0.05
        halves = (line[-1][0] - start) / (WAVE_MM / 2)
        assert abs(halves - round(halves)) < 1e-9
    assert len(waves) == 4
    assert written(waves[0]) == written(waves[1])
    assert written(waves[2]) == written(waves[3])


def test_ripples_fill_their_box_in_blocks_that_are_written_alike() -> None:
    blocks = draw_ripples(Ripples(kind="ripples", box=(21, 21, 255, 168)))
    texts = [written(block) for block in blocks]
    assert len(set(texts[:-1])) == 1
    assert texts[0].startswith(texts[-1][:-20])
    lines = [line for block in blocks for line in points_of(block)]
    assert all((line[0][0], round(line[-1][0], 6)) == (21, 276) for line in lines)
    assert 21 <= min(y for _, y in lines[0]) < 22.5
    assert 187.5 < max(y for _, y in lines[-1]) <= 189
    assert all(last[0][1] < line[0][1] + 2.4 for last, line in pairwise(lines))


def test_guilloche_is_of_twelve_different_closed_lines_within_its_radius() -> None:
    part = Guilloche(kind="guilloche", centre=(100, 100), radius=64)
    lines = points_of(draw_guilloche(part))
    assert len(lines) == 12
    assert len({(round(line[0][0], 3), round(line[4][1], 3)) for line in lines}) == 12
    for line in lines:
        assert hypot(line[0][0] - line[-1][0], line[0][1] - line[-1][1]) < 1e-6
        reaches = [hypot(x - 100, y - 100) for x, y in line]
        assert max(reaches) < 64.1
        depth = 1 - min(reaches) / 64
        petals = 11 if depth < 0.5 else 7
        middle, swing = 64 * (1 - depth / 2), 64 * depth / 2
        turn = min(
            (abs(reach - max(reaches)), atan2(y - 100, x - 100))
            for reach, (x, y) in zip(reaches, line, strict=True)
        )[1]
        for reach, (x, y) in zip(reaches, line, strict=True):
            angle = atan2(y - 100, x - 100)
            assert abs(reach - middle - swing * cos(petals * (angle - turn))) < 0.3
