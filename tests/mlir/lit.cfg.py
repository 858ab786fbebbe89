"""lit configuration: each ``.mlir`` file below this folder is a test; its RUN lines may use the tools named here.

Starting Python and MLIR takes longer than what most tests do. So the tools are not started each time: a server that
lives as long as lit forks for each command (``tool_server.py``). ``--param=server=off`` starts them instead.
"""

import atexit
import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import lit.formats

TOOLS = {
    "tfmbs-opt": "tfmbs.tools.opt",
    "tfmbs-compile": "tfmbs.tools.compile",
    "tfmbs-run": "tfmbs.tools.run",
    "tfmbs-objdump": "tfmbs.tools.objdump",
    "tfmbs-as": "tfmbs.tools.assemble",
    "filecheck": "filecheck.main",
}
FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PYTHON = f"'{sys.executable}'"


def start_server() -> str:
    """Starts the server, which removes its socket in the end, and gives the command that reaches it."""
    path = f"{tempfile.mkdtemp(prefix='tfmbs-lit-')}/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(64)
        command = [sys.executable, str(FOLDER / "tool_server.py"), str(listener.fileno()), *TOOLS.values()]
        environment = {**os.environ, **config.environment}
        server = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], env=environment)
    atexit.register(server.stdin.close)  # ends it; so does the end of this process
    return f"{PYTHON} -I -S '{FOLDER / 'tool_client.py'}' {path}"


config.name = "tfmbs"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["Inputs"]
config.test_source_root = str(FOLDER)
config.test_exec_root = str(Path(lit_config.params.get("output", ROOT / "build" / "lit")))
config.environment["PYTHONPATH"] = str(ROOT / "src")

if lit_config.params.get("server") == "off":
    run = PYTHON + " -c 'import sys, {0}; sys.exit({0}.main())'"
else:
    run = start_server() + " {0}"
config.substitutions += [(rf"(?<![\w/.-]){name}(?![\w/.-])", run.format(module)) for name, module in TOOLS.items()]
bindings = Path(importlib.util.find_spec("torch_mlir").submodule_search_locations[0])
config.substitutions.append((r"\btorch-mlir-opt\b", str(bindings / "_mlir_libs" / "torch-mlir-opt")))
