"""What tfmbs is to PyTorch: a backend of `torch.compile`, and layers that train with the fabric's ternary weights."""

from tfmbs.torch.conversion import convert
from tfmbs.torch.dynamo import backend
from tfmbs.torch.layers import BitLinear, TernaryConv2d, TernaryLayer, TernaryLinear, telemetry_hints

__all__ = [
    "BitLinear",
    "TernaryConv2d",
    "TernaryLayer",
    "TernaryLinear",
    "backend",
    "convert",
    "telemetry_hints",
]
