"""What building a decoder holds beside its output does not grow with the number of layers."""

import tracemalloc

import pytest

from examples.bitnet.model_file import Geometry, write_model
from tfmbs.compiler.importers.decoder_files import import_decoder
from tfmbs.dialect.mlir import context


def held(path, layers):
    """Bytes of the finished module's arrays, and how many more there were at most while it was built."""
    write_model(path, Geometry(width=512, inner=2048, layers=layers))
    own = context()
    tracemalloc.start()
    try:
        module = import_decoder(path, dims={"cache": 16}, entries={}, target="kpu-16x16", context=own)
        output, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert module is not None
    return output, peak - output


def test_the_import_holds_its_output_and_a_layer(tmp_path):
    (few, beside_few), (many, beside_many) = held(tmp_path / "a.gguf", 2), held(tmp_path / "b.gguf", 10)
    a_layer = (3 * 512 * 2048 + 512 * 512 * 3) // 5
    assert many - few == pytest.approx(8 * a_layer, rel=0.05)
    assert beside_many < 1.2 * beside_few
