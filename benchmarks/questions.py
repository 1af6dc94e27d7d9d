"""Real questions on the Python documentation: how often is a right name found, and how high?

    python benchmarks/questions.py --model runs/quickstart/model                the tuning half, by share of words
    python benchmarks/questions.py --model runs/quickstart/model --part report  the reporting half, once all is decided
    python benchmarks/questions.py --check                                      does the index hold each right name?

questions.tsv: part, question, right names separated by spaces. Parts: `tune` and `report`, drawn by a hash of the
question, ask for the standard library; `packages` asks for NumPy, PyTorch and others, and shows what preferring the
standard library costs those who want something else."""
import argparse
import json
from pathlib import Path

import numpy as np
from loguru import logger

from rt_embedding.input_files import object_entry
from rt_embedding.light import open_encoder
from rt_embedding.python_docs import documented_objects
from rt_embedding.search import SemanticIndex

SHARES = 0, .1, .2, .3, .4, .5, .7, 1
PACKAGES = ('python numpy torch scipy sympy sklearn networkx matplotlib mpl_toolkits PIL jinja2 tqdm packaging mpmath '
            'fsspec joblib fontTools fastcore narwhals pyparsing markdown_it justhtml dateutil filelock').split()


def read_questions():
    "(part, question, right names) of each line of questions.tsv."
    text = Path(__file__).with_name('questions.tsv').read_text(encoding='utf-8')
    rows = [line.split('\t') for line in text.splitlines()]
    return [(part, question, frozenset(names.split())) for part, question, names in rows]


def missing_names(questions, names):
    "Right names that the index does not hold."
    return sorted({n for *_, right in questions for n in right} - set(names))


def first_right(hits, right):
    "The rank of the first right answer, or 0."
    return next((h.rank for h in hits if h.entry.get('name') in right), 0)


def score(ranks, k=10):
    "MRR@k, and the share of questions whose first answer is right."
    ranks = np.array(ranks)
    found = (ranks > 0) & (ranks <= k)
    return dict(mrr=round(float(np.where(found, 1/np.maximum(ranks, 1), 0).mean()), 4),
                first=round(float((ranks == 1).mean()), 4))


def measure(index, questions, shares=SHARES):
    "Scores by share of words; 0 is meaning alone."
    asked, right = [q for _, q, _ in questions], [r for *_, r in questions]
    def ranks(**how): return [first_right(hits, r) for hits, r in zip(index.search(asked, 10, **how), right)]
    return {str(s): score(ranks(hybrid=s > 0, lexical_weight=s)) for s in shares}


def index_of(model, objects):
    "The index that `rt_search --input python` makes of these objects."
    entries = [object_entry(o) for o in objects]
    return SemanticIndex.build(lambda t: model.encode(t, on_truncate='ignore', show_progress_bar=False),
                               [e['text'] for e in entries], entries)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--model', help='a model or run folder')
    parser.add_argument('--part', nargs='+', choices=('tune', 'report', 'packages'), default=['tune', 'packages'])
    parser.add_argument('--packages', nargs='+', default=PACKAGES, help='what is searched')
    parser.add_argument('--check', action='store_true', help='only say which right names are missing')
    args = parser.parse_args()
    logger.disable('rt_embedding')
    questions, objects = read_questions(), documented_objects(args.packages)
    if missing := missing_names(questions, [o.name for o in objects]):
        print(f'{len(missing)} right names are not in this documentation:', *missing)
    if args.check or not args.model: raise SystemExit(bool(missing))
    index = index_of(open_encoder(args.model), objects)
    for part in args.part:
        chosen = [q for q in questions if q[0] == part]
        print(json.dumps({part: dict(n=len(chosen), documents=len(index), by_share=measure(index, chosen))}))
