"""Devices that run a fabric binary: one module each, found by name through `open_device`."""

from __future__ import annotations

from importlib import import_module

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.devices.base import Device

DEVICES: dict[str, str] = {
    "emulator": "tfmbs.runtime.devices.emulator",
    "kpu": "tfmbs.runtime.devices.kpu",
}
"""Name of a device and the module whose `create(image)` opens it."""

ABSENT: dict[str, str] = {
    "fpga": "the FPGA driver is not part of this version",
}
"""Devices that are planned, and why they are refused."""


def open_device(name: str, image: Image) -> Device:
    """The device of that name, prepared to run `image`. Raises TfmbsError `device`; `record`, `siw` for a bad image."""
    if name in ABSENT:
        raise TfmbsError("device", name, ABSENT[name], "/".join(DEVICES), name)
    if name not in DEVICES:
        raise TfmbsError("device", name, "no such device", "/".join([*DEVICES, *ABSENT]), name)
    device: Device = import_module(DEVICES[name]).create(image)
    return device
