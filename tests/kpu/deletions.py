"""``python -m tests.kpu.deletions``: every wait of many random movement programs is deleted, one at a time."""

from __future__ import annotations

import argparse
import sys

from tests.kpu.programs import expanded
from tests.kpu.random_programs import random_program
from tests.kpu.test_hazards import check_deletions


def checked(seed: int) -> int | None:
    """How many waits a random program needs; None where the lack of one is not reported."""
    try:
        return check_deletions(expanded(random_program(seed)))
    except AssertionError as error:
        sys.stdout.write(f"seed {seed}: {error}\n")
        return None


def main() -> int:
    """Checks the programs; the exit code is 1 where a wait is neither implied nor missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    arguments = parser.parse_args()
    counts = [checked(seed) for seed in range(arguments.start, arguments.start + arguments.count)]
    needed, wrong = sum(count or 0 for count in counts), counts.count(None)
    sys.stdout.write(
        f"{needed} waits that no others imply, each reported when it lacks; {wrong} programs where one is not\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
