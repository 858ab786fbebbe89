"""POOL: windows over channels, on the vector engine of a tile.

A job is a run of channels of an image with all their outputs, or, where a channel is large, some rows of outputs of
one. Each chunk of at most VLMAX outputs takes, for each tap of the window, the beats of its lanes (a load and a
combination go together), those to store it, a division's for an average, and the latencies of a load and an operation.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.epilogues import Epilogue
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import bytes_of, epilogue_of, fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.memory import Ring, aligned
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.prediction import Stream, predict_streams, way_ps
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.records import PoolMode
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES

SLOTS = 2  # of inputs, results and windows: the next job's come while one runs


@dataclass(frozen=True)
class Job:
    """Outputs `first` to `first + lanes` of `channels` from `channel` of an image on, and the input rows under them."""

    image: int
    channel: int
    channels: int
    first: int
    lanes: int
    first_row: int
    rows: int


def expand_pool(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans a POOL."""
    g = x.image.window_geometries[descriptor["geometry"]]
    epilogue = epilogue_of(x, descriptor, is_window=True)
    one = PoolExpansion(x, descriptor, g, epilogue, where)
    return Launch(one.prediction(), one.run)


class PoolExpansion:
    """The movements of one pooling."""

    def __init__(self, x: Expansion, descriptor: Row, g: Row, epilogue: Epilogue | None, where: str) -> None:
        self.x, self.g, self.epilogue, self.where = x, g, epilogue, where
        self.fabric = fabric_tiles(x, descriptor, where)
        self.source, self.target = x.place(descriptor["lhs"]), x.place(descriptor["out"])
        self.element, self.out_element = bytes_of(x, descriptor["lhs"]), bytes_of(x, descriptor["out"])
        self.wide = ACCUMULATOR_BYTES if epilogue else self.out_element
        self.in_plane, self.out_plane = g["in_height"] * g["in_width"], g["out_height"] * g["out_width"]
        self.windows = epilogue.sizes() if epilogue else []
        self.taps = g["kernel_height"] * g["kernel_width"]
        self.jobs = self._jobs()

    def _bytes(self, channels: int, lanes: int, rows: int) -> int:
        """What a job has in L1, besides a second slot of each."""
        size = aligned(channels * rows * self.g["in_width"] * self.element) + aligned(channels * lanes * self.wide)
        size += aligned(channels * lanes * self.out_element) if self.epilogue else 0
        return size + self._window_bytes(channels, lanes)

    def _window_bytes(self, channels: int, lanes: int) -> int:
        return sum(aligned(e * channels * lanes + c * channels + any_) for e, c, any_ in self.windows)

    def _jobs(self) -> list[Job]:
        g, target = self.g, self.x.machine.target
        limit = min(target.l1.size, target.l2.size, target.l3.size) // SLOTS
        channels = g["in_channels"]
        while channels and self._bytes(channels, self.out_plane, g["in_height"]) > limit:
            channels //= 2
        if channels:
            return [
                Job(image, first, min(channels, g["in_channels"] - first), 0, self.out_plane, 0, g["in_height"])
                for image in range(g["batch"])
                for first in range(0, g["in_channels"], channels)
            ]
        height = g["out_height"]
        while height and self._bytes(1, height * g["out_width"], self._rows(0, height)[1]) > limit:
            height //= 2
        if not height:
            raise TfmbsError("unsupported", self.where, "a row of its outputs does not fit the memories of the target")
        cuts = [(first, min(height, g["out_height"] - first)) for first in range(0, g["out_height"], height)]
        return [
            Job(image, channel, 1, first * g["out_width"], count * g["out_width"], *self._clipped(first, count))
            for image in range(g["batch"])
            for channel in range(g["in_channels"])
            for first, count in cuts
        ]

    def _rows(self, first: int, count: int) -> tuple[int, int]:
        """First row, perhaps outside, and number of rows under the windows of rows of outputs."""
        g = self.g
        rows = (count - 1) * g["stride_height"] + (g["kernel_height"] - 1) * g["dilation_height"] + 1
        return first * g["stride_height"] - g["pad_top"], rows

    def _clipped(self, first: int, count: int) -> tuple[int, int]:
        low, rows = self._rows(first, count)
        end = min(low + rows, self.g["in_height"])
        low = min(max(low, 0), self.g["in_height"] - 1)
        return low, max(end - low, 1)

    def prediction(self) -> Prediction:
        """Jobs follow each other on each tile, as fast as its vector engine makes them or their bytes come and go."""
        jobs, fabric = self.jobs, len(self.fabric[: len(self.jobs)])
        into = [self._bytes_in(job) for job in jobs]
        results = [job.channels * job.lanes * self.out_element for job in jobs]
        busiest = max(sum(self._job_cycles(job) for job in jobs[tile::fabric]) for tile in range(fabric))
        moved = sum(into)
        slots = self._slots_ps(moved // len(jobs), sum(results) // len(jobs), busiest, fabric)
        stream = Stream(
            0, busiest, (moved, moved, moved), sum(results), into[0], results[-1], fabric, slots_ps=slots
        )  # fmt: skip
        return predict_streams(stream, self.x.machine)

    def _slots_ps(self, into: int, results: int, busiest: int, fabric: int) -> int:
        """What jobs of so many bytes take at least: each slot is taken from the start of what fills it to the end of
        what empties it, in L3 and L2 by one of all tiles' jobs, in L1 by one of a tile's."""
        machine, jobs = self.x.machine, len(self.jobs)
        load, lift, feed = way_ps(into, machine)
        store, sink, drop = way_ps(results, machine)
        made = busiest * machine.core_ps * fabric // jobs
        shared = max(load + lift, lift + feed, drop + sink, sink + store) * ((jobs - 1) // SLOTS)
        own = max(feed + made, made + drop) * ((-(-jobs // fabric) - 1) // SLOTS)
        return made + max(shared, own)

    def _bytes_in(self, job: Job) -> int:
        """What comes for a job: input rows, and windows of the epilogue."""
        rows: int = job.rows * self.g["in_width"] * self.element
        read = sum(e * job.channels * job.lanes + c * job.channels + any_ for e, c, any_ in self.windows)
        return job.channels * rows + read

    def _job_cycles(self, job: Job) -> int:
        after = self.epilogue.cycles(job.channels, job.lanes) if self.epilogue else 0
        return job.channels * self._cycles(job.lanes) + after

    def run(self) -> None:
        """Adds all movements; jobs go round robin to the tiles."""
        jobs, x, width = self.jobs, self.x, self.g["in_width"]
        most_in = max(job.channels * job.rows for job in jobs) * width * self.element
        most = max(job.channels * job.lanes for job in jobs)
        windows = self._window_bytes(max(job.channels for job in jobs), max(job.lanes for job in jobs))
        shared = [
            tuple(
                Ring(space.slots(SLOTS, size)) if size else None for size in (most_in, most * self.out_element, windows)
            )
            for space in (x.l3, x.l2)
        ]
        sizes = (most_in, most * self.wide, windows, most * self.out_element if self.epilogue else 0)
        own = {
            tile: tuple(Ring(x.l1[tile].slots(SLOTS, size)) if size else None for size in sizes)
            for tile in self.fabric[: len(jobs)]
        }
        for number, job in enumerate(jobs):
            tile = self.fabric[number % len(self.fabric)]
            self._job(job, tile, shared, own[tile])

    def _job(self, job: Job, tile: int, shared: list[tuple[Ring | None, ...]], own: tuple[Ring | None, ...]) -> None:
        x, g = self.x, self.g
        (in3, out3, _), (in2, out2, _) = shared
        in1, sums1, _, results1 = own
        assert in3 is not None
        assert in2 is not None
        assert in1 is not None
        assert sums1 is not None
        assert out3 is not None
        assert out2 is not None
        l3, l2, l1, sums = in3.take(), in2.take(), in1.take(), sums1.take()
        run = job.rows * g["in_width"] * self.element
        channel = job.image * g["in_channels"] + job.channel
        start = self.source[1] + (channel * self.in_plane + job.first_row * g["in_width"]) * self.element
        stride, size = self.in_plane * self.element, job.channels * run
        x.load([Copy(self.source[0], start, l3.memory, l3.address, 1, 0, 0, job.channels, stride, run, run)], l3)
        x.lift([Copy(l3.memory, l3.address, l2.memory, l2.address, run=size)], l3, l2)
        x.feed([Copy(l2.memory, l2.address, l1.memory, l1.address, run=size)], l2, l1, tile)
        what = What(
            tile=tile,
            parameters=(
                Memory.L1 + tile, l1.address, sums.address, self.epilogue is not None, job.channels, job.first,
                job.lanes, job.first_row, job.rows,
            ),
            reads=[l1.place(size)],
            writes=[sums.place(job.channels * job.lanes * self.wide)],
            operations=job.channels * job.lanes * self.taps,
        )  # fmt: skip
        engine = x.machine.first(EngineKind.VECTOR) + tile
        cycles = job.channels * self._cycles(job.lanes)
        number = x.program.add(
            Op.POOL, engine, x.launch, cycles, [*l1.writers, *sums.to_write(job.channels * job.lanes * self.wide)], what
        )
        l1.readers.append(number)
        sums.writers.append(number)
        element = channel * self.out_plane + job.first
        done = sums
        if self.epilogue is not None:
            assert results1
            done = results1.take()
            rings = [ring for ring in (shared[0][2], shared[1][2], own[2]) if ring is not None]
            shape, at = (job.channels, job.lanes), (element, self.out_plane, job.channel)
            self.epilogue.add(x, (sums, done), shape, at, rings, tile)
        e = self.out_element
        to3, to2 = out3.take(), out2.take()
        store = Copy(
            to3.memory, to3.address, self.target[0], self.target[1] + element * e,
            1, 0, 0, job.channels, job.lanes * e, self.out_plane * e, job.lanes * e,
        )  # fmt: skip
        x.drop(done, job.channels * job.lanes * e, (to2, to3), [store], tile)

    def _cycles(self, lanes: int) -> int:
        """What a channel takes."""
        timing = Timing.of(self.x.machine.target.vector)
        is_average = self.g["mode"] != PoolMode.MAX
        total = 0
        for first in range(0, lanes, siw.VLMAX):
            beats = -(-min(siw.VLMAX, lanes - first) // timing.lanes)
            total += beats * (self.taps + 1) + timing.latency["memory"] + timing.latency["alu"]
            total += beats * timing.cycles["div"] if is_average else 0
        return total
