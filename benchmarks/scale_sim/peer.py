"""Runs SCALE-Sim in an environment of its own, whose only packages are its: prints cycles and seconds as JSON.

Usage: ``python peer.py M N K os|ws``. Its counts have no trace files, and bandwidth that it calculates for itself
(CALC), so that its arrays never stall: time is what the array takes with its operands there. Seconds are the
processor's and on the clock: of a short layer the least of several runs, each with a simulator of its own, whose making
is not in them.
"""

import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """
[general]
run_name = run
[architecture_presets]
ArrayHeight = 16
ArrayWidth = 16
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Dataflow = {flow}
Bandwidth = 10
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterCustomLayout = False
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
SparseRep = ellpack_block
OptimizedMapping = false
BlockSize = 8
RandomNumberGeneratorSeed = 40
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""
LAYOUT = "Layer," + ",".join(f"f{i}" for i in range(20)) + ",\nlayer," + ",".join(["1"] * 20) + ",\n"


ROUNDS, SHORT = 5, 1.0  # at most so many runs, until they took so many seconds


def main() -> None:
    """One layer."""
    from scalesim.scale_sim import scalesim

    m, n, k, flow = sys.argv[1:]
    clock: list[float] = []
    processor: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.cfg").write_text(CONFIG.format(flow=flow))
        (folder / "gemm.csv").write_text(f"Layer,M,N,K,\nlayer,{m},{n},{k},\n")
        (folder / "layout.csv").write_text(LAYOUT)
        paths = {"config": "run.cfg", "topology": "gemm.csv", "layout": "layout.csv"}
        files = {key: str(folder / file) for key, file in paths.items()}
        while len(clock) < ROUNDS and sum(clock) < SHORT:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                run = scalesim(save_disk_space=True, verbose=False, input_type_gemm=True, **files)
                start = time.perf_counter(), time.process_time()
                run.run_scale(top_path=str(folder / "out"))
                clock.append(time.perf_counter() - start[0])
                processor.append(time.process_time() - start[1])
        (layer,) = run.runner.single_layer_sim_object_list
        items = layer.get_compute_report_items()
    found = {"cycles": int(items[1]), "stalls": int(items[2]), "seconds": min(processor), "clock": min(clock)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
