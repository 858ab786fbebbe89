"""The verifier of images: everything a device may rely on, checked before anything runs.

- Every field of every record has a value of its enum, bounds and table; strings are unique; JSON has sorted keys, no
  spaces, no key twice.
- A tensor has at most 8 dims of at least 1, or 0 in an input or output that nothing uses; `bytes` is rows × bytes of
  a row; `offset` is a multiple of the element's size and the tensor ends inside its region; trits
  lie in WEIGHTS, packed, all codes valid and paddings trit 0. Bytes of WEIGHTS in no tensor are zero.
- Masks name at least one tile, and only tiles of the target. States are in order and disjoint. Sparsities agree with
  their counts.
- Entries tile the descriptors and IO_SIG in order (inputs, then outputs of each); programs tile the words. Input i of
  an entry is a DENSE tensor in INPUT, slot i, offset 0, and outputs likewise, of the DType that its meaning is stored
  as; other tensors of a slot lie inside it; every byte of an output is written.
- A descriptor has the operands and element types of its kind. Without epilogue the result has the accumulator's type,
  with one any type that ST stores. `args_count` is the program's number of windows, 0 without program.
- Schedules say an order of tiles where the descriptor is a product, and blocks where it is a GEMM or GEMV.
- The target has the feature, operand types, dataflow and zero-skip mode that each descriptor and schedule asks for, and
  the element types that programs work on.
- Strides and sizes of a geometry stay inside the operands; the result has exactly its size. Rows of a ternary right
  operand have exactly k trits. GEMV has one row. Every MAX or AVG window has a tap inside the input.
- A result overlaps no operand or window of its launch; a window that a program stores to overlaps no other window and
  is not read only; a window's element type is the one that the program uses.
- A token is below the number of descriptors and signalled once per entry; waits name tokens of earlier descriptors of
  the entry. Two descriptors that touch the same bytes, one of them writing, are ordered by waits, also through
  others. SCRATCH and OUTPUT are read only where they were written before (or in the same launch); a launch that
  stores to a window counts as writing all of it. STATE is zero at first.
- Origins come by descriptor, then by first word; their words are in its program, each slot of a word in one at most.
- Sizes come by entry point. Entry points of one name are pieces: they have sizes of the same names, in ranges that
  share no point. The shapes of the inputs tell all sizes, one after the other, by dims linear in the next one.
- Patches come by section, row and place, each place once; a place is one that may depend on sizes (ENTRY
  `scratch_bytes`, PROGRAM `max_steps`, SCHEDULE `tile_…`, TENSOR `offset`, `bytes`, `dims`, SEMANTICS `flops`,
  `bytes`; integers of geometries that are neither codes nor indices; bits of `s_imm` and `c_imm` of words). Terms of a
  patch come by descending degrees, and are those of an earlier patch or follow what earlier ones have; at the upper
  bounds they give what is stored.
- A reader that runs other sizes writes the patches of the entry point, and checks the result as a whole like a file.
- Ops of the network come by descriptor, each once for a launch.
"""

from __future__ import annotations

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.verify.capability import check_capabilities
from tfmbs.runtime.abi.verify.entries import check_entries
from tfmbs.runtime.abi.verify.fields import check_fields
from tfmbs.runtime.abi.verify.launches import check_launches, check_programs
from tfmbs.runtime.abi.verify.origins import check_origins
from tfmbs.runtime.abi.verify.semantics import check_semantics
from tfmbs.runtime.abi.verify.sizes import check_sizes
from tfmbs.runtime.abi.verify.subject import Subject
from tfmbs.runtime.abi.verify.tensors import check_masks, check_states, check_telemetry, check_tensors

CHECKS = (
    check_fields,
    check_states,
    check_tensors,
    check_masks,
    check_telemetry,
    check_programs,
    check_launches,
    check_capabilities,
    check_entries,
    check_origins,
    check_sizes,
    check_semantics,
)


def verify_image(image: Image) -> None:
    """Checks everything but the bytes of WEIGHTS (see `Image.check_weights`).

    Raises:
        TfmbsError: ``record``, ``siw``, ``target`` or ``resource-limit``, with a byte offset where `image` has a file.
    """
    subject = Subject(image)
    for check in CHECKS:
        check(subject)
