#!/usr/bin/env bash
# One would guess: uvicorn catches SIGTERM, answers what is open, runs the shutdown of the application, and the program
#   goes on behind Server.run() and ends as it likes, with exit code 0.
# What happens: after a complete and orderly shutdown, the server raises the caught signal once more with the handler that
#   was there before. By default that kills the process inside run(): nothing behind it is done, and the exit status is
#   that of a killed process.
# Who it hurts: programs that write something after run() (a last line, a count of answers), and supervisors that restart
#   what did not end with 0. Install a handler of your own before run().
# Seen with uvicorn 0.54.0, Python 3.11, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q uvicorn==0.54.0
cat > serve.py <<'PY'
import asyncio
import os
import signal
import sys

import uvicorn

async def app(scope, receive, send):
    while scope['type'] == 'lifespan':
        kind = (await receive())['type']
        await send(dict(type=f'{kind}.complete'))
        print(kind, flush=True)
        if kind == 'lifespan.startup': asyncio.get_running_loop().call_later(.5, os.kill, os.getpid(), signal.SIGTERM)
        else: return

if 'handler' in sys.argv: signal.signal(signal.SIGTERM, lambda *_: None)
uvicorn.Server(uvicorn.Config(app, port=0, log_level='error')).run()
print('behind run()', flush=True)
PY
venv/bin/python - <<'PY'
import subprocess

for extra in ([], ['handler']):
    done = subprocess.run(['venv/bin/python', 'serve.py', *extra], capture_output=True, text=True, timeout=60)
    print(extra or 'as it is', '-> exit status', done.returncode, done.stdout.split('\n'))
    assert 'lifespan.shutdown' in done.stdout, done.stderr
    assert (done.returncode, 'behind run()' in done.stdout) == ((0, True) if extra else (-15, False))
PY
