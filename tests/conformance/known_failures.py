"""Conformance tests that a device is known to fail: (device, test id without the device) -> reason. A test listed here
must fail; when it passes, the entry has to go."""

from __future__ import annotations

KNOWN_FAILURES: dict[tuple[str, str], str] = {}

NOT_COVERED: dict[str, dict[str, str]] = {
    "kpu": {
        "test_attention": "the movement rule has no kind ATTENTION",
        "test_groups": "the movement rule has no kind GROUP_GEMM",
        "test_lstm": "the movement rule has no kind LSTM",
        "test_golden": "the movement rule has no kind VECTOR",
        "test_vector_": "the movement rule has no kind VECTOR",
        "pool": "the movement rule has no kind POOL",
        "test_taps_beyond_the_declared_padding": "the movement rule has no kind POOL",
        "test_state_lives_in_a_context": "the movement rule has no kind VECTOR",
        "test_chain_through_scratch": "the movement rule has no kind VECTOR",
    }
}
"""Device -> a part of the names of modules or tests that it does not run -> why."""
