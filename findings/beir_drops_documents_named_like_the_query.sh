#!/usr/bin/env bash
# One would guess: EvaluateRetrieval.evaluate counts every document of the results and leaves them as they are.
# What happens: by default it takes out of each query's results the document with the query's own id, which is meant
#   for sets where queries are documents. In a set that numbers its queries and its documents from 1 it is another
#   document, here the right answer; and it is taken out of the caller's own dictionary, so that a later
#   evaluate_custom (MRR) gives another number than an earlier one. Only a line at level INFO says so.
# Who it hurts: own sets in BEIR's format with plain numbers as ids. Pass ignore_identical_ids=False, or put a letter
#   before the ids.
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

qrels = {'1': {'1': 1}, '2': {'3': 1}}
found = {'1': {'1': 0.9, '2': 0.5}, '2': {'3': 0.8, '1': 0.1}}   # both queries: the right document comes first
before = Evaluation.evaluate_custom(qrels, found, [10], 'mrr')['MRR@10']
kept = Evaluation.evaluate(qrels, found, [10], ignore_identical_ids=False)[0]['NDCG@10']
ndcg = Evaluation.evaluate(qrels, found, [10])[0]['NDCG@10']
after = Evaluation.evaluate_custom(qrels, found, [10], 'mrr')['MRR@10']
print('nDCG', ndcg, ', with ignore_identical_ids=False', kept, '; MRR before', before, 'and after', after, found)
assert (ndcg, kept, before, after) == (0.5, 1.0, 1.0, 0.5) and found == {'1': {'2': 0.5}, '2': {'3': 0.8, '1': 0.1}}
PY
