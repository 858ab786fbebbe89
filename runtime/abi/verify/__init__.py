"""The verifier of images: everything a device may rely on, checked before anything runs."""

from __future__ import annotations

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.verify.entries import check_entries
from tfmbs.runtime.abi.verify.fields import check_fields
from tfmbs.runtime.abi.verify.launches import check_launches, check_programs
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
    check_entries,
)


def verify_image(image: Image) -> None:
    """Checks everything but the bytes of WEIGHTS (see `Image.check_weights`).

    Raises:
        TfmbsError: ``record``, ``siw``, ``target`` or ``resource-limit``, with a byte offset where `image` has a file.
    """
    subject = Subject(image)
    for check in CHECKS:
        check(subject)
