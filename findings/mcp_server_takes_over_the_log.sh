#!/usr/bin/env bash
# One would guess: constructing a server object changes nothing outside of it, and a later logging.basicConfig of the
#   program sets up its log.
# What happens: MCPServer() gives the root logger a handler and the level INFO. From then on, INFO lines of every library
#   appear on standard error, and the program's own logging.basicConfig does nothing, in silence.
# Who it hurts: programs that build a server before they set up their log (no log file is written), and notebooks. Set
#   up logging first, or use mcp.server.lowlevel.Server, which leaves it alone.
# Seen with mcp 2.3.0, Python 3.11, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q mcp==2.3.0
venv/bin/python - <<'PY'
import logging
import os

from mcp.server import MCPServer
from mcp.server.lowlevel import Server

Server('low')
assert not logging.getLogger().handlers and logging.getLogger().level == logging.WARNING
MCPServer('findings')
print('handlers of the root logger:', [type(h).__name__ for h in logging.getLogger().handlers],
      'level', logging.getLevelName(logging.getLogger().level))
logging.basicConfig(filename='program.log', level=logging.WARNING)
logging.getLogger('some.library').info('an INFO line that nobody asked for')
logging.getLogger('program').error('where does this go?')
print('program.log exists:', os.path.exists('program.log'))
assert logging.getLogger().level == logging.INFO and not os.path.exists('program.log')
PY
