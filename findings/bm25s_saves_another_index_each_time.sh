#!/usr/bin/env bash
# One would guess: the same texts, indexed and saved twice with the same release, give the same files.
# What happens: given lists of words, bm25s numbers them in the order of a Python set of strings, which changes from
#   process to process unless PYTHONHASHSEED is set. The files of the vocabulary and of the matrix differ; the answers
#   are the same. Texts that go through bm25s.tokenize, which numbers words as they come, do give equal files.
# Who it hurts: caches and releases keyed by a checksum, stores that keep equal files once, and everyone who wants to
#   see whether an index has changed. Set PYTHONHASHSEED, or tokenise with bm25s.tokenize.
# Seen with bm25s 0.3.16, numpy 2.4.6, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q bm25s==0.3.16 numpy==2.4.6
cat > build.py <<'PY'
import sys
from pathlib import Path

import bm25s

texts = ['the cat sat on the mat', 'a dog ran over the hill', 'trees grow tall in green woods']
listed = sys.argv[1] == 'lists'
index = bm25s.BM25()
index.index([t.split() for t in texts] if listed else bm25s.tokenize(texts, show_progress=False), show_progress=False)
index.save(Path(sys.argv[2]))
query = [['green', 'hill']] if listed else bm25s.tokenize('green hill', show_progress=False)
print(index.retrieve(query, k=2, show_progress=False).documents.tolist())
PY
for seed in 1 2 3; do
  PYTHONHASHSEED=$seed venv/bin/python build.py lists lists$seed > answers$seed
  PYTHONHASHSEED=$seed venv/bin/python build.py tokenize tokenize$seed > /dev/null
done
cat answers1; cmp answers1 answers2; cmp answers1 answers3
diff -rq tokenize1 tokenize2
diff -rq tokenize1 tokenize3
for seed in 2 3; do
  if diff -rq lists1 lists$seed > differ; then echo "equal files from lists with seed $seed"; exit 1; fi
  cat differ
  grep -q vocab.index.json differ
  grep -q indices.csc.index.npy differ
done
