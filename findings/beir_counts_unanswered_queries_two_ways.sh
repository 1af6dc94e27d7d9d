#!/usr/bin/env bash
# One would guess: the measures of one evaluator are means over the same queries.
# What happens: nDCG, MAP, recall and precision are means over the queries that have results, MRR, capped recall and
#   accuracy over those that have judgements. A run that answers one query of four, rightly, has nDCG@10 and recall 1.0
#   and MRR@10 0.25; with an empty answer for the others it has 0.25 everywhere.
# Who it hurts: runs read from a file, where a query without a hit has no line, and keyword search with thresholds:
#   the less a system answers, the better its nDCG. Add an empty dictionary for every query.
# Seen with beir 2.2.0 (installed without what the evaluation does not import), pytrec-eval-terrier 0.5.11, Python
#   3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pytrec-eval-terrier==0.5.11 numpy==2.4.6 tqdm==4.70.1
venv/bin/pip install -q --no-deps beir==2.2.0
venv/bin/python - <<'PY'
from beir.retrieval.evaluation import EvaluateRetrieval as Evaluation


def measures(run):
    ndcg, _, recall, _ = Evaluation.evaluate(qrels, run, [10])
    mrr = Evaluation.evaluate_custom(qrels, run, [10], 'mrr')
    return ndcg['NDCG@10'], recall['Recall@10'], mrr['MRR@10']


qrels = {f'q{i}': {f'd{i}': 1} for i in range(4)}
partial = {'q0': {'d0': 1.0}}
filled = {q: partial.get(q, {}) for q in qrels}
print('nDCG, recall, MRR: one query of four in the run', measures(partial), ', empty answers added', measures(filled))
assert measures(partial) == (1.0, 1.0, 0.25) and measures(filled) == (0.25, 0.25, 0.25)
PY
