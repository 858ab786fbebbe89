"""Runs each conformance test once per device, and marks the failures that are known."""

from __future__ import annotations

import pytest

from tests.conformance.devices import DEVICES, DeviceUnderTest
from tests.conformance.known_failures import KNOWN_FAILURES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Gives `device` every device; tests of vector programs leave out those that run them as another one does."""
    if "device" not in metafunc.fixturenames:
        return
    vector = metafunc.module.__name__.rpartition(".")[2].startswith("test_vector_")
    devices = [device for device in DEVICES if not (vector and device.products_only)]
    metafunc.parametrize("device", devices, ids=lambda device: device.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        device = parameters.get("device")
        if not isinstance(device, DeviceUnderTest):
            continue
        test = item.name.replace(f"{device.name}-", "").replace(f"[{device.name}]", "")
        reason = KNOWN_FAILURES.get((device.name, test))
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
