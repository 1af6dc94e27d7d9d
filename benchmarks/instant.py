"""A bag answers at once: this checkout beside an older one, in turns, each measurement in a process of its own.

    git worktree add --detach ../base 0fb3c96
    python benchmarks/instant.py --texts FILE --base ../base --output benchmarks/instant.json

The file has one sentence per line (20,000 to learn the tokenizer from, 30,000 to search, as many as --embed to embed).
The model is untrained: speed does not depend on what it knows. With --model (a trained bag) and --sts or --retrieval,
also what smaller rows cost on test sets. Seconds are those of the clock and of the processor (a busy machine stretches
the first more than the second), memory is the peak of the process; medians with quartiles."""
import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent.parent
QUESTION = 'who wrote the first novel about the sea'
BUILD = '''
import sys
from rt_embedding import EmbeddingModel
from rt_embedding.search import SemanticIndex
texts = open('passages.txt', encoding='utf-8').read().splitlines()
model = EmbeddingModel.from_pretrained('model')
model.save_pretrained(sys.argv[1] + '/model')
SemanticIndex.build(model, texts, [dict(text=t, file='passages.txt', line=i) for i, t in enumerate(texts, 1)]).save(
    sys.argv[1] + '/index')
'''
ENCODE = '''
import os, sys, time
threads, light = int(sys.argv[1]), sys.argv[2] == 'light'
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
texts = open('passages.txt', encoding='utf-8').read().splitlines()[:10_000]
if light:
    from rt_embedding.static import load_table
    model = load_table('model')
else:
    import torch
    from rt_embedding import EmbeddingModel
    torch.set_num_threads(threads)
    model = EmbeddingModel.from_pretrained('model')
quiet = dict(on_truncate='ignore', show_progress_bar=False)
model.encode(texts[:2000], **quiet)
best = []
for _ in range(5):
    start = time.perf_counter()
    model.encode(texts, **quiet)
    best.append(time.perf_counter() - start)
start = time.perf_counter()
for t in texts[:300]: model.encode(t, **quiet)
print(len(texts)/min(best), 1000*(time.perf_counter() - start)/300)
'''
PIECES = '''
import os, sys, time
import sentencepiece
threads = int(sys.argv[1])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
texts = open('passages.txt', encoding='utf-8').read().splitlines()[:10_000]
sp = sentencepiece.SentencePieceProcessor(model_file='model/tokenizer.model')
best = []
for _ in range(5):
    start = time.perf_counter()
    sp.encode(texts, num_threads=threads)
    best.append(time.perf_counter() - start)
start = time.perf_counter()
for t in texts[:300]: sp.encode(t)
print(len(texts)/min(best), 1000*(time.perf_counter() - start)/300)
'''


PEAK = """import atexit, sys
def _peak(): print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)
atexit.register(_peak)
"""  # not ru_maxrss, which counts what the parent held when it forked


def entry(checkout, name):
    "The Python code that does what a console script of a checkout does."
    module, function = re.search(rf'\b{name}=([\w.]+):(\w+)', (checkout/'settings.ini').read_text()).groups()
    return f'import sys; sys.argv[0] = "{name}"; from {module} import {function}; sys.exit({function}())'


def measure(checkout, code, args=(), cwd=None):
    "One process: seconds of clock and processor, peak memory in MB, and the numbers that it printed last."
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONDONTWRITEBYTECODE'}  # compiled once
    start = time.perf_counter()
    child = subprocess.Popen([sys.executable, '-c', PEAK + code, *map(str, args)], cwd=cwd, text=True,
                             env=env | {'PYTHONPATH': str(checkout)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = child.stdout.read(), child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    if status: raise SystemExit(f'{checkout}: {err[-2000:]}')
    numbers = re.fullmatch(r'([\d.]+) ([\d.]+)', (out.strip().splitlines() or [''])[-1])
    return dict(clock_s=time.perf_counter() - start, cpu_s=used.ru_utime + used.ru_stime,
                peak_mb=int(err.split()[-1])/1024,
                **(dict(per_second=float(numbers[1]), one_ms=float(numbers[2])) if numbers else {}))


def in_turns(arms, rounds):
    "Interleaved rounds of `arms` (name -> call): name -> quantity -> quartiles."
    found = {name: [] for name in arms}
    for call in arms.values(): call()  # byte code is compiled, files come into memory
    for _ in range(rounds):
        for name, call in arms.items(): found[name].append(call())
    return {name: {k: np.quantile([r[k] for r in rows], [.25, .5, .75]).round(4).tolist() for k in rows[0]}
            for name, rows in found.items()}


def prepare(folder, texts, vocab_size, dim, checkouts, n_embed):
    "Texts, a tokenizer, an untrained bag, and an index for each checkout."
    from rt_embedding import EmbeddingModel, SentencePieceTokenizer, train_tokenizer
    (folder/'learn.txt').write_text('\n'.join(texts[:20_000]), encoding='utf-8')
    (folder/'passages.txt').write_text('\n'.join(texts[20_000:50_000]), encoding='utf-8')
    (folder/'embed.txt').write_text('\n'.join(t[:80] for t in texts[:n_embed]), encoding='utf-8')
    train_tokenizer(folder/'learn.txt', str(folder/'tokenizer'), vocab_size=vocab_size)
    tokenizer = SentencePieceTokenizer(folder/'tokenizer.model')
    bag = dict(n_layers=0, n_heads=2, pooling='weighted_mean', tokenizer=tokenizer)
    EmbeddingModel(len(tokenizer), dim, 128, dim, **bag).save_pretrained(folder/'model')
    for name, checkout in checkouts.items():
        (folder/name).mkdir()
        measure(checkout, BUILD, [name], folder)


def speed(folder, checkouts, rounds, n_embed):
    "All rows of the table."
    def arms(code, args=lambda name: (), cwd=folder):
        return {name: lambda n=name, c=c: measure(c, code(c) if callable(code) else code, args(n), cwd)
                for name, c in checkouts.items()}
    search = lambda c: entry(c, 'rt_search')
    rows = {'import rt_embedding': in_turns(arms('import rt_embedding'), rounds),
            'rt_search --help': in_turns(arms(search, lambda n: ['--help']), rounds),
            'one question': in_turns(arms(search, lambda n: [QUESTION, '--run', n]), rounds)}
    embed = arms(lambda c: entry(c, 'rt_embed'),
                 lambda n: ['--model', 'model', '--input', 'embed.txt', '--output', f'{n}.npy'])
    rows[f'rt_embed, {n_embed:,} short texts'] = in_turns(embed, max(1, rounds//3))
    for threads in (1, 2):
        encode = arms(ENCODE, lambda n, t=threads: [t, 'model'])
        encode['new, without PyTorch'] = lambda t=threads: measure(HERE, ENCODE, [t, 'light'], folder)
        encode['SentencePiece alone'] = lambda t=threads: measure(HERE, PIECES, [t], folder)
        rows[f'encode 10,000 sentences, threads: {threads}'] = in_turns(encode, max(1, rounds//2))
    return rows


def compare(texts, rounds=7, base=None, vocab_size=16_000, dim=512, n_embed=200_000):
    "The table of speeds, printed and returned; texts are repeated where there are too few."
    texts = [t for _ in range(-(-max(50_000, n_embed)//len(texts))) for t in texts]
    checkouts = ({'base': Path(base).resolve()} if base else {}) | {'new': HERE}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), texts, vocab_size, dim, checkouts, n_embed)
        rows = speed(Path(folder), checkouts, rounds, n_embed)
    table(rows)
    return rows


def formats(model, sts, retrieval):
    "What rows of a smaller format cost on test sets."
    from rt_embedding import EmbeddingModel
    from rt_embedding.evaluation import task_results
    from rt_embedding.static import TABLE_DTYPES, fold
    from rt_embedding.own_tests import collect_tasks
    tasks, model = collect_tasks(sts, retrieval), EmbeddingModel.from_pretrained(model)
    encoders = dict(model=model) | {dtype: fold(model, dtype) for dtype in TABLE_DTYPES}
    quiet = dict(on_truncate='ignore', show_progress_bar=False)
    return {name: {f'{r["task"]} {r["measure"]}': r['value'] for data in tasks
                   for r in task_results(lambda texts, e=e: e.encode(list(texts), **quiet), data, name)}
            for name, e in encoders.items()}


def table(rows):
    "Medians, for people."
    for row, arms in rows.items():
        print(f'\n{row}')
        for name, found in arms.items():
            print(f'  {name:22}', ', '.join(f'{k} {q[1]:,.2f}' for k, q in found.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--texts')
    parser.add_argument('--base', help='folder of an older checkout')
    parser.add_argument('--embed', type=int, default=200_000)
    parser.add_argument('--vocab_size', type=int, default=16_000)
    parser.add_argument('--dim', type=int, default=512)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--model', help='a trained bag')
    parser.add_argument('--sts', nargs='+')
    parser.add_argument('--retrieval', nargs='+')
    parser.add_argument('--output', help='JSON file; parts that are measured now replace those in it')
    a = parser.parse_args()
    result = json.loads(Path(a.output).read_text()) if a.output and Path(a.output).exists() else {}
    result['machine'] = dict(processor=platform.processor() or platform.machine(), cores=os.cpu_count(),
                             load_before=os.getloadavg()[0], python=platform.python_version())
    if a.texts:
        texts = [t.strip() for t in islice(open(a.texts, encoding='utf-8'), max(50_000, a.embed))]
        result['speed'] = compare(texts, a.rounds, a.base, a.vocab_size, a.dim, a.embed)
    if a.model: result['formats'] = formats(a.model, a.sts, a.retrieval)
    if 'formats' in result: print('\n', json.dumps(result['formats'], indent=1))
    if a.output: Path(a.output).write_text(json.dumps(result, indent=1) + '\n')


if __name__ == '__main__': main()
