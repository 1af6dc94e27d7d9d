"""Do words and meaning find more together? `python benchmarks/hybrid.py --models NAME=FOLDER ... --sets FOLDER ...`
writes hybrid.json.

A set is a folder with corpus.tsv (id, title, text), queries.tsv (id, text) and qrels.tsv (query, document, gain)."""
import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np

from rt_embedding import EmbeddingModel
from rt_embedding.search import SemanticIndex

SHARES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]


def rows(path): return [line.split('\t') for line in path.read_text(encoding='utf-8').splitlines() if line]


def ndcg(found, gains, k=10):
    "Normalised discounted cumulative gain of a list of documents."
    gain = lambda values: sum(g/np.log2(r + 2) for r, g in enumerate(values[:k]))
    return gain([gains.get(i, 0) for i in found])/gain(sorted(gains.values(), reverse=True))


def reciprocal_ranks(index, queries, k=10, pool=100):
    "What the literature uses most (Cormack et al. 2009), for comparison."
    dense, lexical = index._nearest(np.asarray(index.encode(queries), np.float32), pool), index._lexical(queries, pool)
    for a, b, scores in zip(dense[0], *lexical):
        total = defaultdict(float)
        for ranking in (a, b[scores > 0]):
            for r, i in enumerate(ranking.tolist(), 1): total[i] += 1/(60 + r)
        yield sorted(total, key=lambda i: (-total[i], i))[:k]


def measure(model, folder):
    ids, texts = zip(*((r[0], ' '.join(r[1:])) for r in rows(folder/'corpus.tsv')))
    gains = defaultdict(dict)
    for q, d, g in rows(folder/'qrels.tsv'):
        if float(g) > 0: gains[q][d] = float(g)
    asked = [(q, text) for q, text in rows(folder/'queries.tsv') if gains[q]]
    queries = [text for _, text in asked]
    index = SemanticIndex.build(lambda t: model.encode(t, on_truncate='ignore', show_progress_bar=False), texts)
    mean = lambda lists: round(float(np.mean([ndcg([ids[i] for i in found], gains[q])
                                              for found, (q, _) in zip(lists, asked)])), 4)
    scores = {str(s): mean([[h.row for h in hits]
                            for hits in index.search(queries, 10, hybrid=True, lexical_weight=s)]) for s in SHARES}
    return dict(documents=len(ids), queries=len(queries), by_share=scores,
                reciprocal_ranks=mean(reciprocal_ranks(index, queries)))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--models', nargs='+', required=True, metavar='NAME=FOLDER')
    parser.add_argument('--sets', nargs='+', required=True, type=Path)
    parser.add_argument('--output', type=Path, default=Path(__file__).with_name('hybrid.json'))
    args = parser.parse_args()
    found = {name: {s.name: measure(EmbeddingModel.from_pretrained(folder), s) for s in args.sets}
             for name, folder in (m.split('=', 1) for m in args.models)}
    args.output.write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
    print(args.output.read_text(encoding='utf-8'))
