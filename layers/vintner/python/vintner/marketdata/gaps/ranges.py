"""Ranges of numbers, both ends included: what is missing of a sequence, and what is left of that.

Lists of ranges are sorted, and no two of them touch or overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Range = tuple[int, int]
"""First and last number, both included."""


def size(ranges: Iterable[Range]) -> int:
    """Return how many numbers the ranges hold.

    Examples
    --------
    >>> size([(1, 3), (7, 7)])
    4
    """
    return sum(last - first + 1 for first, last in ranges)


def united(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges sorted, those that touch or overlap joined; an empty one (last before first) is left out.

    Examples
    --------
    >>> united([(7, 9), (1, 3), (4, 5), (9, 8)])
    [(1, 5), (7, 9)]
    """
    found: list[Range] = []
    for first, last in sorted(one for one in ranges if one[0] <= one[1]):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def of_numbers(numbers: Iterable[int]) -> list[Range]:
    """Return the ranges that hold exactly these numbers.

    Examples
    --------
    >>> of_numbers([3, 1, 2, 9, 9])
    [(1, 3), (9, 9)]
    """
    return united((number, number) for number in numbers)


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> list[Range]:
    """Return what is left of ranges once others are taken out.

    Examples
    --------
    >>> without([(1, 9)], [(3, 4), (9, 12)])
    [(1, 2), (5, 8)]
    """
    left: list[Range] = []
    away = united(taken)
    for first, last in united(ranges):
        at = first
        for gone_first, gone_last in away:
            if gone_last < at or gone_first > last:
                continue
            if gone_first > at:
                left.append((at, gone_first - 1))
            at = gone_last + 1
        if at <= last:
            left.append((at, last))
    return left


def within(ranges: Iterable[Range], bounds: Range) -> list[Range]:
    """Return the parts of ranges that lie within one.

    Examples
    --------
    >>> within([(1, 4), (8, 9)], (3, 8))
    [(3, 4), (8, 8)]
    """
    return united((max(first, bounds[0]), min(last, bounds[1])) for first, last in ranges)


def missing(numbers: Iterable[int], bounds: Range) -> list[Range]:
    """Return the numbers of a range that are not there.

    Examples
    --------
    >>> missing([4, 6, 99], (3, 8))
    [(3, 3), (5, 5), (7, 8)]
    """
    return without([bounds], of_numbers(numbers))


def pieces(ranges: Sequence[Range], longest: int) -> list[Range]:
    """Return the ranges cut into pieces of at most ``longest`` numbers.

    Examples
    --------
    >>> pieces([(1, 5), (9, 9)], 2)
    [(1, 2), (3, 4), (5, 5), (9, 9)]
    """
    return [
        (start, min(start + longest - 1, last)) for first, last in ranges for start in range(first, last + 1, longest)
    ]
