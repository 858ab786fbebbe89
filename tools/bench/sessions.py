"""Sessions of onnxruntime as they are fastest, without threads that wait for work while others run."""

from __future__ import annotations

from typing import Any

FATAL = 4


def session(model: bytes | str, threads: int) -> Any:
    """A session of a model, or the path of one, with all optimizations."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = FATAL
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
