#!/usr/bin/env bash
# One would guess: reading a .zst file whose end is missing (a broken download, a full disk) raises, as gzip does for
#   .gz.
# What happens: zstandard.open, stream_reader, copy_stream and decompressobj give what was there and then the end of
#   the file. Only `decompress` of the whole raises, and so does backports.zstd (the zstd module of Python 3.14), with
#   EOFError.
# Who it hurts: corpora in .jsonl.zst: read line by line, half a file is a smaller corpus; at most the last line is no
#   JSON. Compare the number of lines, or read with backports.zstd.
# Seen with zstandard 0.25.0, backports.zstd 1.8.0, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q zstandard==0.25.0 backports.zstd==1.8.0
venv/bin/python - <<'PY'
import gzip
import io
import random
from pathlib import Path

import zstandard
from backports import zstd

rng = random.Random(0)
lines = ''.join(f'{{"id": {i}, "text": "{rng.randbytes(20).hex()}"}}\n' for i in range(20_000)).encode()
whole = zstandard.ZstdCompressor().compress(lines)
half = whole[:len(whole)//2]
Path('half.zst').write_bytes(half)
packed = gzip.compress(lines)
Path('half.gz').write_bytes(packed[:len(packed)//2])


def copied():
    out = io.BytesIO()
    zstandard.ZstdDecompressor().copy_stream(io.BytesIO(half), out)
    return out.getvalue()


ways = {'zstandard.open': lambda: zstandard.open('half.zst', 'rb').read(),
        'zstandard.open, text': lambda: ''.join(zstandard.open('half.zst', 'rt')).encode(),
        'stream_reader': lambda: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(half)).read(),
        'copy_stream': copied,
        'decompressobj': lambda: zstandard.ZstdDecompressor().decompressobj().decompress(half),
        'decompress': lambda: zstandard.ZstdDecompressor().decompress(half),
        'backports.zstd': lambda: b''.join(zstd.open('half.zst', 'rb')),
        'gzip': lambda: b''.join(gzip.open('half.gz', 'rb'))}
seen = {}
for name, read in ways.items():
    try:
        data = read()
        assert lines.startswith(data) and 5_000 < data.count(b'\n') < 15_000
        seen[name] = None
    except (EOFError, zstandard.ZstdError) as e: seen[name] = type(e).__name__
    print(name, seen[name] or f'{data.count(10)} of 20000 lines, no error')
assert seen == {'zstandard.open': None, 'zstandard.open, text': None, 'stream_reader': None, 'copy_stream': None,
                'decompressobj': None, 'decompress': 'ZstdError', 'backports.zstd': 'EOFError', 'gzip': 'EOFError'}
PY
