"Tokenising a corpus to shards: against SentencePiece's own batch encoding, and memory at a tenth and at the whole of it."
import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rt_embedding.sources import documented_objects, python_sentences
from rt_embedding.text import read_sentences
from rt_embedding.tokenizer import SentencePieceTokenizer, train_tokenizer

CHILD = '''
import json, resource, sys, time
from rt_embedding.corpus import build_shards
from rt_embedding.tokenizer import SentencePieceTokenizer
tokenizer = SentencePieceTokenizer(sys.argv[1])
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
shards = build_shards(sys.argv[2], tokenizer, sys.argv[3], deduplicate=False)
print(json.dumps(dict(seconds=time.perf_counter() - start, more_mb=(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)/1024, tokens=shards.n_tokens)))
'''

if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--corpus', help='text, one sentence a line (default: the installed Python documentation)')
    p.add_argument('--sentences', type=int, default=200_000, help='for the comparison with SentencePiece')
    p.add_argument('--sizes', type=int, nargs='+', default=[100_000, 1_000_000])
    a = p.parse_args()
    texts = list(itertools.islice(read_sentences(a.corpus) if a.corpus else python_sentences(documented_objects()), max(a.sizes)))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        def write(n):
            with open(folder/f'{n}.txt', 'w', encoding='utf-8') as f:  # a short text is repeated, each time a little different
                for i in range(n): f.write(texts[i % len(texts)] + (f' {i//len(texts)}' if i >= len(texts) else '') + '\n')
            return folder/f'{n}.txt'
        def build(path, name):
            done = subprocess.run([sys.executable, '-c', CHILD, folder/'t.model', path, folder/name], check=True, capture_output=True, text=True)
            return json.loads(done.stdout)
        tokenizer = SentencePieceTokenizer(train_tokenizer([write(min(200_000, len(texts)))], folder/'t', vocab_size=20_000))
        path, ratios = write(a.sentences), []
        some = [l.rstrip('\n') for l in open(path, encoding='utf-8')]
        for k in range(3):
            start = time.perf_counter()
            tokenizer._sp.encode(some)
            plain = time.perf_counter() - start
            ours = build(path, f'ratio{k}')['seconds']
            ratios.append(plain/ours)
        print(json.dumps(dict(sentences=a.sentences, speed_against_sentencepiece_alone=round(sorted(ratios)[1], 2))), flush=True)
        for n in a.sizes: print(json.dumps(dict(sentences=n, **{k: round(v, 1) for k, v in build(write(n), f'size{n}').items()})), flush=True)
