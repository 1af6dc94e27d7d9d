#!/usr/bin/env bash
# One would guess: a query none of whose words is in the index finds nothing; the language called R is found by its
#   name.
# What happens: it returns the last documents of the corpus, with score 0, like any other hits. Its default pattern
#   drops words of one letter (R, C), and of Hindi words it keeps nothing where vowel signs split them into single
#   letters, so such queries end the same way.
# Who it hurts: a keyword search that shows what it gets: unrelated documents as answers. Drop hits of score 0, and
#   give a token pattern that fits the language.
# Seen with bm25s 0.3.16, numpy 2.4.6, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q bm25s==0.3.16 numpy==2.4.6
venv/bin/python - <<'PY'
import bm25s

corpus = ['the R language', 'a C compiler', 'हिन्दी भाषा', 'python code', 'red apples']
index = bm25s.BM25()
index.index(bm25s.tokenize(corpus, show_progress=False), show_progress=False)


def ask(query):
    found, scores = index.retrieve(bm25s.tokenize([query], show_progress=False), k=2, show_progress=False)
    return found[0].tolist(), scores[0].tolist()


for query in ('python', 'R', 'हिन्दी', 'zebra'): print(query, *ask(query))
assert ask('python')[0][0] == 3 and ask('python')[1][0] > 0
for query in ('R', 'हिन्दी', 'zebra'): assert sorted(ask(query)[0]) == [3, 4] and ask(query)[1] == [0, 0]
PY
