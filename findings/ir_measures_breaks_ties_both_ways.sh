#!/usr/bin/env bash
# One would guess: documents with equal scores are ranked in one order, whatever measure is asked for in one call.
# What happens: in one call nDCG puts tied documents in descending order of their ids and RR in ascending order: a
#   relevant document tied with another is second for nDCG@10 (0.63) and first for RR@10 (1.0), and renaming the
#   documents swaps the two.
# Who it hurts: anyone who compares measures of a system with many equal scores (duplicates, short vectors, keyword
#   scores): make scores distinct, or take the expectation over ties.
# Seen with ir_measures 0.4.3, pytrec_eval-terrier 0.5.11, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q ir_measures==0.4.3 pytrec_eval-terrier==0.5.11 numpy==2.4.6
venv/bin/python - <<'PY'
import ir_measures
from ir_measures import RR, Qrel, ScoredDoc, nDCG


def measures(relevant, other):
    qrels = [Qrel('q', relevant, 1)]
    run = [ScoredDoc('q', relevant, 1.0), ScoredDoc('q', other, 1.0)]
    return {str(m): round(float(v), 2) for m, v in ir_measures.calc_aggregate([nDCG@10, RR@10], qrels, run).items()}


print('relevant document a, tied with b:', measures('a', 'b'))
print('relevant document b, tied with a:', measures('b', 'a'))
assert measures('a', 'b') == {'nDCG@10': 0.63, 'RR@10': 1.0}
assert measures('b', 'a') == {'nDCG@10': 1.0, 'RR@10': 0.5}
PY
