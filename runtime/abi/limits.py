"""What a fabric binary may ask for at most: more is refused with `resource-limit` before anything is allocated."""

from __future__ import annotations

MAX_REGION_BYTES = 1 << 32
"""Bytes of scratch, of all state together, and of one input or output."""

MAX_DESCRIPTORS = 1 << 16
"""Descriptors of one entry."""

MAX_STEPS = 1 << 40
"""Instruction words that one launch of a program executes."""

MAX_LAUNCH_OPERATIONS = 1 << 50
"""Multiply-accumulates (POOL: taps) of one launch."""

MAX_ORDER_STEPS = 1 << 22
"""Interval and wait steps that checking the order of one entry's memory accesses may take."""

MAX_JSON_BYTES = 1 << 20
"""Bytes of META and of TARGET."""
