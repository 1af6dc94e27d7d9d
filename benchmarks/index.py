"""An index of very many texts: time to build, memory, time of a question, and what smaller vectors lose.

    python benchmarks/index.py                                    a million vectors in clusters; a quarter of an hour
    python benchmarks/index.py --model FOLDER --set FOLDER        and nDCG@10 on a set of questions and documents

Each way to store vectors is built, opened and asked in processes of its own, so that its peak of memory is its own;
files are in the cache of the system when they are asked, as after a first question, and the ways take turns. Beside
them stands usearch alone on the same vectors: comparing all, and its graph over the first `--graph` of them. A set is
a folder as `hybrid.py` reads it. Writes index.json."""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from rt_embedding.nearest import nearest
from rt_embedding.search import SemanticIndex

DTYPES, K = ('float32', 'float16', 'int8'), 10
DIM = int(os.environ.get('INDEX_DIM', 256))


class Texts:
    "Entries that are made when they are asked for."
    def __init__(self, n): self.n = n
    def __len__(self): return self.n
    def __getitem__(self, i):
        return dict(text=f'sentence number {i} of a long list of sentences', file='list.txt', line=i)


def encode(texts):
    "A stand-in for a model: vectors are given."
    return np.full((len(texts), DIM), DIM**-.5, np.float32)


def make_vectors(folder, n, questions, seed=0):
    "Unit vectors in clusters, and questions near some of them."
    rng = np.random.default_rng(seed)
    unit = lambda x: (x/np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    topics = rng.standard_normal((max(20, n//500), DIM), np.float32)
    vectors = np.lib.format.open_memmap(folder/'made.npy', 'w+', np.float32, (n, DIM))
    for i in range(0, n, 50_000):
        m = min(50_000, n - i)
        of = topics[rng.integers(0, len(topics), m)]
        vectors[i:i + m] = unit(of + 0.7*rng.standard_normal((m, DIM), np.float32))
    near = vectors[rng.integers(0, n, questions)]
    np.save(folder/'questions.npy', unit(near + 0.04*rng.standard_normal((questions, DIM), np.float32)))


def peak_mb():
    "Peak memory of this process, mapped pages included."
    status = Path('/proc/self/status')
    if not status.exists(): return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1024)
    return round(int(next(l for l in status.read_text().splitlines() if l.startswith('VmHWM')).split()[1])/1024)


def timed(call):
    start = time.perf_counter()
    result = call()
    return result, time.perf_counter() - start


def asked(ask, questions):
    "Rows for each question, and its milliseconds. The first is not counted: it opens what is opened once."
    ask(questions[0])
    found = [timed(lambda q=q: ask(q)) for q in questions]
    return [r for r, _ in found], dict(ms=[1e3*s for _, s in found])


def build(folder, dtype):
    vectors = np.load(folder/'made.npy', mmap_mode='r')
    index, making = timed(lambda: SemanticIndex.of_vectors(encode, vectors, Texts(len(vectors)), dtype))
    _, saving = timed(lambda: index.save(folder/dtype))
    size = sum(p.stat().st_size for p in (folder/dtype).rglob('*') if p.is_file())
    return dict(make_s=round(making, 1), save_s=round(saving, 1), mb=round(size/1e6), build_peak_mb=peak_mb())


def ask(folder, dtype):
    before = peak_mb()
    index, opening = timed(lambda: SemanticIndex.load(folder/dtype, encode))
    questions = np.load(folder/'questions.npy')
    _, first = timed(lambda: index.search_vectors(questions[:1], ['x'], K))
    rows, times = asked(lambda q: [h.row for h in index.search_vectors(q[None], ['x'], K)[0]], questions)
    return dict(rows=rows, open_ms=round(1e3*opening, 1), first_ms=round(1e3*first, 1), **times, peak_mb=peak_mb(),
                peak_before_mb=before)


def usearch_all(folder, dtype):
    "usearch compares all vectors."
    from usearch.index import MetricKind, search
    vectors, questions = np.load(folder/'made.npy', mmap_mode='r'), np.load(folder/'questions.npy')
    def smaller(x):
        return x if dtype == 'float32' else np.rint(127*x/np.abs(x).max(1, keepdims=True)).astype(np.int8)

    kept = np.concatenate([smaller(vectors[i:i + 50_000]) for i in range(0, len(vectors), 50_000)])
    del vectors
    threads = int(os.environ.get('OMP_NUM_THREADS', 0))
    rows, times = asked(lambda q: search(kept, smaller(q[None]), K, MetricKind.Cos, exact=True,
                                         threads=threads).keys.reshape(-1).tolist(), questions)
    return dict(rows=rows, **times, peak_mb=peak_mb())


def usearch_graph(folder, n):
    "The graph of usearch over the first n vectors."
    from usearch.index import Index
    vectors, questions = np.load(folder/'made.npy', mmap_mode='r')[:int(n)], np.load(folder/'questions.npy')
    graph = Index(ndim=DIM, metric='cos', dtype='i8')
    _, growing = timed(lambda: graph.add(np.arange(len(vectors)), np.asarray(vectors),
                                         threads=int(os.environ.get('OMP_NUM_THREADS', 0))))
    graph.expansion_search = 256
    rows, times = asked(lambda q: graph.search(q, K).keys.tolist(), questions)
    exact = nearest(questions, np.asarray(vectors), K)[0].tolist()
    ms = times['ms']
    return dict(n=len(vectors), recall=recall(rows, exact), build_s=round(growing, 1), peak_mb=peak_mb(),
                p50_ms=round(float(np.median(ms)), 2), p99_ms=round(float(np.quantile(ms, .99)), 2))


def recall(rows, exact): return round(float(np.mean([len({*a} & {*b})/K for a, b in zip(rows, exact)])), 4)


def child(name, folder, argument):
    "Run one of the functions above in a process of its own."
    line = [sys.executable, __file__, '--child', name, str(folder), str(argument)]
    done = subprocess.run(line, check=True, capture_output=True, text=True, env=os.environ | {'INDEX_DIM': str(DIM)})
    return json.loads(done.stdout.splitlines()[-1])


def ask_in_turns(folder, rounds):
    "Every way is asked in every round, so that a machine that slows down slows all of them."
    ways = {d: ('ask', d) for d in DTYPES}
    ways |= {f'usearch, all compared, {d}': ('usearch_all', d) for d in ('float32', 'int8')}
    found, ms = {}, defaultdict(list)
    for _ in range(rounds):
        for name, (function, dtype) in ways.items():
            found[name] = child(function, folder, dtype)
            ms[name] += found[name].pop('ms')
    exact = found['float32']['rows']
    for name, way in found.items():
        way |= dict(p50_ms=round(float(np.median(ms[name])), 1), p99_ms=round(float(np.quantile(ms[name], .99)), 1),
                    recall=recall(way.pop('rows'), exact))
        print(name, way, flush=True)
    return found


def million(n, questions, graph, rounds=3):
    "The table: ways to store n vectors."
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        make_vectors(folder, n, questions)
        built = {dtype: child('build', folder, dtype) for dtype in DTYPES}
        print(built, flush=True)
        ways = {name: built.get(name, {}) | way for name, way in ask_in_turns(folder, rounds).items()}
        if graph: ways['usearch, graph'] = child('usearch_graph', folder, graph)
    threads = os.environ.get('OMP_NUM_THREADS', 'all')
    return dict(vectors=n, dimension=DIM, questions=questions, rounds=rounds, threads=threads, ways=ways)


def losses(model, folder, dims):
    "nDCG@10 of each way to store vectors, and of bytes without exact vectors to decide."
    from hybrid import ndcg, rows
    from rt_embedding import EmbeddingModel
    model = EmbeddingModel.from_pretrained(model)
    ids, texts = zip(*((r[0], ' '.join(r[1:])) for r in rows(folder/'corpus.tsv')))
    gains = defaultdict(dict)
    for q, d, g in rows(folder/'qrels.tsv'):
        if float(g) > 0: gains[q][d] = float(g)
    questions = [(q, text) for q, text in rows(folder/'queries.tsv') if gains[q]]
    out = {}
    for dim in dims:
        short = lambda t, dim=dim: model.encode(t, truncate_dim=dim, on_truncate='ignore', show_progress_bar=False)
        asked = np.asarray(short([t for _, t in questions]), np.float32)
        vectors = np.asarray(short(list(texts)), np.float32)
        def mean(lists): return round(float(np.mean([ndcg([ids[i] for i in found], gains[q])
                                                     for found, (q, _) in zip(lists, questions)])), 4)
        indexes = {d: SemanticIndex.of_vectors(short, vectors, [dict(text=t) for t in texts], d) for d in DTYPES}
        score = {d: mean([x.tolist() for x in index._nearest(asked, K)[0]]) for d, index in indexes.items()}
        codes, scales = indexes['int8'].codes
        score['int8 alone'] = mean(nearest(asked, codes, K, scales)[0].tolist())
        out[str(dim)] = score
        print(dim, score, flush=True)
    return dict(set=folder.name, documents=len(ids), questions=len(questions), ndcg=out)


if __name__ == '__main__':
    if sys.argv[1:2] == ['--child']:
        print(json.dumps(globals()[sys.argv[2]](Path(sys.argv[3]), sys.argv[4])))
        sys.exit()
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--n', type=int, default=1_000_000)
    p.add_argument('--questions', type=int, default=100)
    p.add_argument('--rounds', type=int, default=3, help='in each, every way is asked all questions')
    p.add_argument('--graph', type=int, default=100_000, help='vectors in the graph of usearch; 0: none')
    p.add_argument('--model', help='a model folder')
    p.add_argument('--set', type=Path, help='a folder with corpus.tsv, queries.tsv and qrels.tsv')
    p.add_argument('--dims', type=int, nargs='+', default=[64, 256], help='first dimensions of the model')
    p.add_argument('--output', type=Path, default=Path(__file__).with_name('index.json'))
    a = p.parse_args()
    result = json.loads(a.output.read_text(encoding='utf-8')) if a.output.exists() else {}
    if a.n: result['million'] = million(a.n, a.questions, a.graph, a.rounds)
    if a.model and a.set: result['loss'] = losses(a.model, a.set, a.dims)
    a.output.write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
