"""Compiles the reference models at full size, runs them on the emulator and compares with torch; `make models`.

Each line is a process of its own, so that its memory is its own as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from examples.models import measure
from examples.models.catalogue import MODELS

SENTENCES = "minilm"
_TITLE = "full size, fp32, one thread on the emulator; max diff: max|ours - torch| / max|torch|; times are CPU times"
_ONNX_TITLE = "by way of torch.onnx.export; differences to torch, and to the direct path"
_TEXT_TITLE = "greedy text, by a prefill and cached decode steps; sentences"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables. Exit code 1 if a line is not within the tolerances."""
    parser = argparse.ArgumentParser("python -m examples.models.run", description=__doc__)
    parser.add_argument("models", nargs="*", choices=[*MODELS, SENTENCES, []], help="default: all")
    chosen = parser.parse_args(arguments).models or [*MODELS, SENTENCES]
    names = [name for name in chosen if name in MODELS]
    decoders = [name for name in names if name in measure.GREEDY_TOKENS]
    good = _table(_TITLE, measure.HEADER, [partial(measure.direct, name) for name in names])
    good &= _table(_ONNX_TITLE, measure.ONNX_HEADER, [partial(measure.by_onnx, name) for name in names])
    texts: list[Callable[[], measure.Line]] = []
    for name in decoders:
        texts += [partial(measure.greedy_text, name), partial(measure.greedy_text_by_onnx, name)]
    texts += [measure.sentences] if SENTENCES in chosen else []
    good &= _table(_TEXT_TITLE, "", texts)
    return 0 if good else 1


def _table(title: str, header: str, lines: Sequence[Callable[[], measure.Line]]) -> bool:
    """Prints a table as its lines come; whether all are good."""
    if not lines:
        return True
    print(f"{title}\n\n{header}".rstrip(), flush=True)
    good = True
    for act in lines:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            line = pool.submit(act).result()
        print(line.text if line.good else f"{line.text}  NOT within the tolerance", flush=True)
        good &= line.good
    print(flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
