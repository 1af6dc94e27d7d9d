#!/usr/bin/env bash
# One would guess: logger.add(path) writes to that path, above all when it is a pathlib.Path.
# What happens: the whole path is a format string: a folder called my{project} raises KeyError, {} raises ValueError,
#   and run{time} silently writes into another folder, named after the clock. A pathlib.Path is formatted like a text.
# Who it hurts: programs that log below a folder which the user chose. Open the file oneself and pass it, or double
#   the braces.
# Seen with loguru 0.7.3, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q loguru==0.7.3
venv/bin/python - <<'PY'
from pathlib import Path

from loguru import logger

logger.remove()


def log_in(folder):
    "What happens, and where the log is afterwards."
    Path(folder).mkdir()
    try:
        sink = logger.add(Path(folder)/'a.log')
        logger.info('hello')
        logger.remove(sink)
    except (KeyError, ValueError) as e: return f'{type(e).__name__}: {e}'
    return 'written there' if (Path(folder)/'a.log').exists() else 'written elsewhere'


found = {folder: log_in(folder) for folder in ('plain', 'my{project}', '{}', 'run{time}', 'x{{y}}')}
for folder, what in found.items(): print(folder, '->', what)
assert found['plain'] == 'written there' and found['my{project}'].startswith('KeyError')
assert found['{}'].startswith('ValueError') and found['run{time}'] == found['x{{y}}'] == 'written elsewhere'
PY
