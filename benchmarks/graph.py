"""Search past a million texts: the graph of `usearch` against comparing all. `python benchmarks/graph.py --model
FOLDER --corpus FILE` writes graph.json.

The corpus has one sentence a line; the last 200 sentences ask, all others are the index."""
import argparse
import itertools
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from rt_embedding import EmbeddingModel
from rt_embedding.index_updates import grow_graph
from rt_embedding.search import SemanticIndex
from rt_embedding.runningtext import read_sentences


def timed(run):
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def milliseconds(index, queries, k):
    "Rows that each query finds, and the median time of one query."
    found, times = [], []
    index.search(queries[0], k)  # opens what is opened once
    vectors = np.asarray(index.encode(queries), np.float32)
    for v in vectors:
        (ids, _), seconds = timed(partial(index._nearest, v[None], k))
        found.append(np.asarray(ids[0]).tolist())
        times.append(1e3*seconds)
    return found, round(float(np.median(times)), 2)


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--model', required=True, help='a model folder')
    p.add_argument('--corpus', required=True, nargs='+')
    p.add_argument('--limit', type=int, default=1_050_000)
    p.add_argument('--dimension', type=int, default=256, help='the first so many of a vector')
    p.add_argument('--k', type=int, default=10)
    p.add_argument('--output', default=str(Path(__file__).with_name('graph.json')))
    a = p.parse_args()
    model = EmbeddingModel.from_pretrained(a.model)
    texts = list(itertools.islice(read_sentences(a.corpus), a.limit))
    texts, queries = texts[:-200], texts[-200:]
    encode = lambda t: model.encode(t, truncate_dim=min(a.dimension, model.config.embedding_dim), on_truncate='ignore',
                                    show_progress_bar=False)
    index, encoding = timed(lambda: SemanticIndex.build(encode, texts, dtype='float16'))
    print(f'{len(index):,} sentences encoded in {encoding:.0f} s', flush=True)
    exact, exact_ms = milliseconds(index, queries, a.k)
    _, growing = timed(lambda: grow_graph(index))
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder)/'index')
        SemanticIndex.exact_up_to = min(SemanticIndex.exact_up_to, len(index) - 1)
        opened, opening = timed(lambda: SemanticIndex.load(Path(folder)/'index', encode))
        assert opened.graph is not None
        found, ms = milliseconds(opened, queries, a.k)
        size = opened.files.header.files['graph.usearch'].size
    recall = float(np.mean([len({*f} & {*e})/len(e) for f, e in zip(found, exact)]))
    result = dict(texts=len(index), dimension=int(index.vectors.shape[1]), k=a.k, encode_seconds=round(encoding),
                  graph_seconds=round(growing), graph_mb=round(size/1e6),
                  open_seconds=round(opening, 1), exact_ms=exact_ms, graph_ms=ms, recall=round(recall, 4))
    print(json.dumps(result))
    Path(a.output).write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
