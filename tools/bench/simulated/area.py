"""A proxy for the area of a target: its multipliers, adders and memory cells at 45 nm, and nothing else.

Square micrometres of units are those of W. Dally, "High-Performance Hardware for Machine Learning" (NIPS 2015): 8-bit
multiply 282, 32-bit add 137, 32-bit multiply 3495, f32 multiply 7700, f32 add 4184 (TSMC 45 nm, synthesized). A memory
cell is 0.346 (K. Mistry et al., IEDM 2007). Wires, control, movers, special functions and the periphery of memories
are not in it: it ranks variations of a target, it is no floorplan.
"""

from __future__ import annotations

from tfmbs.runtime.abi.target import Target

MULTIPLY_I8, ADD_I32, MULTIPLY_I32, MULTIPLY_F32, ADD_F32 = 282.0, 137.0, 3495.0, 7700.0, 4184.0
CELL = 0.346
BITS = 8
MICROMETRES = 1e6  # square ones of a square millimetre
SOURCE = "multipliers, adders and memory cells at 45 nm (Dally, NIPS 2015; Mistry, IEDM 2007)"


def element_area(target: Target) -> float:
    """Of a processing element, by the operands it multiplies; trits need an adder only."""
    operands = target.array.operands
    floats = MULTIPLY_F32 + ADD_F32 if "f32" in operands else 0.0
    integers = MULTIPLY_I8 if {"i8", "i4"} & set(operands) else 0.0
    return floats + integers + ADD_I32


def area(target: Target) -> float:
    """Square millimetres: arrays, a multiplier and an adder of f32 and i32 for each vector lane, L1, L2, L3."""
    lane = MULTIPLY_F32 + ADD_F32 + MULTIPLY_I32 + ADD_I32
    units = target.macs_per_cycle * element_area(target) + target.tiles * target.vector.lanes * lane
    cells = BITS * (target.tiles * target.l1.size + target.l2.size + target.l3.size)
    return (units + cells * CELL) / MICROMETRES
