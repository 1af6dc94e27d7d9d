#!/usr/bin/env bash
# One would guess: a search for more neighbours than the index holds gives fewer, or marks the missing ones with an
#   impossible key.
# What happens: one query gives fewer; several queries at once give arrays filled up with key 0, which is a valid key,
#   at distance NaN. Only `counts` tells which entries are answers.
# Who it hurts: code that reads `.keys` of a batch on a small index shows document 0 as an answer again and again.
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

x = np.eye(4, 16, dtype=np.float32)
index = Index(ndim=16, metric='cos', dtype='f32')
index.add(np.arange(4), x)
one, several = index.search(x[1], 6), index.search(x[1:3], 6)
print('one query:', one.keys, 'two queries:', several.keys.tolist(), several.distances.tolist(), 'counts', several.counts)
assert len(one) == 4 and several.keys.shape == (2, 6) and list(several.counts) == [4, 4]
assert (several.keys[:, 4:] == 0).all() and np.isnan(several.distances[:, 4:]).all()
PY
