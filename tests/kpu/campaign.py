"""``python -m tests.kpu.campaign``: many random products on random arrays, clock by clock."""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.kpu.case import check, check_following, check_overlapped, random_case


def main() -> int:
    """Checks the cases; the exit code is 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    same, wrong = Counter[str](), 0
    for seed in range(arguments.start, arguments.start + arguments.count):
        case = random_case(seed)
        try:
            check(case)
            check_overlapped(case)
            check_following(seed)
        except AssertionError as error:
            wrong += 1
            sys.stdout.write(f"seed {seed}: {error}\n")
        else:
            same[case.dataflow.name.lower()] += 1
    counts = ", ".join(f"{count} {name}" for name, count in sorted(same.items()))
    sys.stdout.write(f"same clocks and bytes: {counts}; {wrong} differ\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
