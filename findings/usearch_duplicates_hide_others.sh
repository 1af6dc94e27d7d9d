#!/usr/bin/env bash
# One would guess: a graph index that holds one vector many times still finds each of the other vectors when asked for
#   it.
# What happens: with 500 equal vectors among 1,000, only about half of the other 500 find themselves as their own
#   nearest neighbour (default settings, float32); removing the duplicates again does not repair it, a fresh index of
#   the same 500 finds them all.
# Who it hurts: an index of documents with a repeated licence, header or empty text: unrelated documents disappear
#   from approximate search. Index each distinct vector once.
# Seen with usearch 2.26.6, numpy 2.4.6, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q usearch==2.26.6 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from usearch.index import Index

rng = np.random.default_rng(0)
x = rng.normal(size=(501, 256)).astype(np.float32)
x /= np.linalg.norm(x, axis=1, keepdims=True)
rows = np.vstack([np.repeat(x[:1], 500, axis=0), x[1:]])
keys = np.arange(len(rows))


def found(index):
    "The share of the 500 distinct vectors that find themselves."
    return float((index.search(x[1:], 1).keys[:, 0] == keys[500:]).mean())


mixed = Index(ndim=256, metric='cos', dtype='f32')
mixed.add(keys, rows)
with_copies = found(mixed)
mixed.remove(keys[:500])
after_removal = found(mixed)
fresh = Index(ndim=256, metric='cos', dtype='f32')
fresh.add(keys[500:], rows[500:])
print(f'beside 500 copies {with_copies:.2f}, copies removed {after_removal:.2f}, never any copies {found(fresh):.2f}')
assert with_copies < 0.9 and after_removal < 0.9 and found(fresh) > 0.99
PY
