#!/usr/bin/env bash
# One would guess: np.save raises an OSError with errno ENOSPC on a full disk (EFBIG at a limit of file size), as every
#   write of Python's own does.
# What happens: once the header is out, np.save and ndarray.tofile raise an OSError whose errno is None and whose text
#   is two numbers ("... requested and ... written"), not the reason; np.savez of the same array has errno. The part
#   that was written stays, with a valid header.
# Who it hurts: code that tells "disk full" from other errors by errno (`e.errno == errno.ENOSPC`, `e.strerror`) while
#   it saves vectors. Ask for the free space, or write the array's memory to an open file.
# Seen with numpy 2.4.6, Python 3.11, Linux, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q numpy==2.4.6
venv/bin/python - <<'PY'
import errno
import resource
from pathlib import Path

import numpy as np

resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))   # stands in for a disk that fills up on the way
x = np.ones(1_000_000)


def raised(call):
    try: call()
    except OSError as e: return e
    raise SystemExit('no error')


def plain(path, data):
    with open(path, 'wb') as f: f.write(data)


seen = {'np.save': raised(lambda: np.save('x.npy', x)), 'tofile': raised(lambda: x.tofile('x.raw')),
        'tofile, full device': raised(lambda: x.tofile('/dev/full')), 'np.savez': raised(lambda: np.savez('x.npz', x)),
        'write': raised(lambda: plain('x.bin', x.data)),
        'write, full device': raised(lambda: plain('/dev/full', x.data))}
for name, e in seen.items(): print(f'{name}: errno {e.errno}, strerror {e.strerror}, {e}')
print('left behind:', Path('x.npy').stat().st_size, 'bytes that start with', Path('x.npy').read_bytes()[:6])
assert {name: e.errno for name, e in seen.items()} == {
    'np.save': None, 'tofile': None, 'tofile, full device': None, 'np.savez': errno.EFBIG, 'write': errno.EFBIG,
    'write, full device': errno.ENOSPC}
PY
