"""A folded table beside the model's own `encode`, interleaved: `python benchmarks/static.py --texts FILE`.

The file has one sentence per line; the tokenizer is trained on it, and the model is untrained: speed does not depend
on what it knows. Prints JSON: sentences per second and milliseconds for one sentence (quartiles) for each number of
cores (Linux), and the largest difference of the vectors."""
import argparse
import json
import os
import tempfile
import time
from itertools import islice

import numpy as np
import torch

import rt_embedding.encoding  # noqa: F401 (adds `encode`)
from rt_embedding.encoder import EmbeddingModel
from rt_embedding.static import TABLE_DTYPES, fold
from rt_embedding.runningtext import read_sentences
from rt_embedding.tokenizer import SentencePieceTokenizer, train_tokenizer


def seconds(call):
    "How long a call takes."
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(encoders, texts, rounds, threads, cores):
    "Interleaved rounds: name -> quartiles of sentences a second and of milliseconds for one sentence."
    torch.set_num_threads(threads)
    os.sched_setaffinity(0, cores[:threads])  # SentencePiece takes all that it may
    rates, single = ({name: [] for name in encoders} for _ in range(2))
    for e in encoders.values(): e.encode(texts[:300], on_truncate='ignore')  # what is loaded at the first call
    for _ in range(rounds):
        for name, e in encoders.items():
            many = lambda e=e: e.encode(texts, show_progress_bar=False, on_truncate='ignore')
            one = lambda e=e: [e.encode(t, on_truncate='ignore') for t in texts[:100]]
            rates[name].append(len(texts)/seconds(many))
            single[name].append(10*seconds(one))
    quartiles = lambda x: np.quantile(x, [.25, .5, .75]).round(3).tolist()
    return {name: dict(sentences_per_second=quartiles(rates[name]), one_sentence_ms=quartiles(single[name]))
            for name in encoders}


def main():
    "Read, train the tokenizer, compare, print."
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--texts', required=True)
    parser.add_argument('--max_texts', type=int, default=20_000)
    parser.add_argument('--vocab_size', type=int, default=16_000)
    parser.add_argument('--dim', type=int, default=512)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    a = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    texts = list(islice(read_sentences(a.texts), a.max_texts))
    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(a.texts, f'{folder}/tokenizer', vocab_size=a.vocab_size)
        tokenizer = SentencePieceTokenizer(f'{folder}/tokenizer.model')
    model = EmbeddingModel(len(tokenizer), a.dim, 128, a.dim, n_layers=0, pooling='weighted_mean', tokenizer=tokenizer)
    encoders = dict(model=model) | {f'table {d}': fold(model, d) for d in TABLE_DTYPES}
    ignore = dict(on_truncate='ignore', show_progress_bar=False)
    v = {name: e.encode(texts[:2000], **ignore) for name, e in encoders.items()}
    result = dict(texts=len(texts), tokens=float(np.mean([len(r) for r in tokenizer.encode_ordinary(texts)])),
        vocab_size=len(tokenizer), dim=a.dim, rounds=a.rounds, torch=torch.__version__,
        largest_difference={n: float(abs(x - v['model']).max()) for n, x in v.items()},
        threads={t: compare(encoders, texts, a.rounds, t, cores) for t in a.threads})
    print(json.dumps(result, indent=1))


if __name__ == '__main__': main()
