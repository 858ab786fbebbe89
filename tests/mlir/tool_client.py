"""``tool_client.py SOCKET MODULE ARGUMENT...``: the tool server runs a command on this process's streams and folder."""

import json
import os
import socket
import sys
from pathlib import Path

path, *command = sys.argv[1:]
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
    server.connect(path)
    socket.send_fds(server, [json.dumps([str(Path.cwd()), dict(os.environ), *command]).encode()], [0, 1, 2])
    answer = server.recv(1)
sys.exit(answer[0] if answer else "the command ended without an exit code: it crashed")
