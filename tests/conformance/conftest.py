"""Runs each conformance test once per device, and marks the failures that are known."""

from __future__ import annotations

import pytest

from tests.conformance.devices import DEVICES, DeviceUnderTest
from tests.conformance.known_failures import KNOWN_FAILURES


@pytest.fixture(params=DEVICES, ids=lambda device: device.name)
def device(request: pytest.FixtureRequest) -> DeviceUnderTest:
    parameter: DeviceUnderTest = request.param
    return parameter


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
