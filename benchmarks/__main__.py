"""Speed against what a user would pick instead: all candidates in one run, in turns, on the same sentences.

    python benchmarks                       every table but precision, about twenty minutes on two cores
    python benchmarks --quick               most of them in two minutes, less certain
    python benchmarks --tables training     some of the tables only; precision takes half an hour more, index as long
"""
import argparse
import copy
import itertools
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

warnings.filterwarnings('ignore')
os.environ.setdefault('TRANSFORMERS_VERBOSITY', 'error')
os.environ.setdefault('HF_HUB_OFFLINE', '1')

import numpy as np
import torch
from loguru import logger
from torch.utils._python_dispatch import TorchDispatchMode

import choices
import index
import instant
import peers
import static_peers
from candidate import (DenseHead, FullScores, RandomBatches, Rows, encode_all, make_objective, make_trainer,
                       products_ms, trainer, training_step)
from rt_embedding import EmbeddingModel
from rt_embedding.spectral import spectral_init
from rt_embedding.linear import has_bf16
from rt_embedding.mlm import MLMObjective
from rt_embedding.python_docs import documented_objects, python_sentences
from rt_embedding.runningtext import read_sentences
from rt_embedding.tokenizer import SentencePieceTokenizer, train_tokenizer
from rt_embedding.vocabulary import BOS_ID, EOS_ID
from rt_embedding.run_helpers import retain_freed_memory
from turns import in_turns

D, L, H, FF = peers.D, peers.L, peers.H, peers.FF
BODY = 2*L*(4*D*D + 2*D*FF)  # FLOPs of one token on its way up, attention scores left out


def median(values): return statistics.median(values)
def spread(values): return [round(float(q), 3) for q in np.quantile(values, [.25, .75])]


def sgemm_gflops(n=8):
    "What this machine multiplies, at the shapes of the model; the largest of the medians."
    best = 0
    for m, k, o in ((2048, D, 3*D), (2048, D, FF), (2048, FF, D)):
        a, b, seconds = torch.randn(m, k), torch.randn(k, o), []
        for _ in range(n):
            start = time.perf_counter()
            a @ b
            seconds.append(time.perf_counter() - start)
        best = max(best, 2*m*k*o/median(seconds[2:])/1e9)
    return best


def rows_of(ids, context): return [r if len(r) <= context else r[:context - 1] + [EOS_ID] for r in ids]


def training(ids, a):
    "MLM training, real tokens a second: forward, backward, optimiser."
    useful, out = 3*BODY + 6*0.15*a.vocab_size*D, []
    for context in a.context:
        given = dict(vocab_size=a.vocab_size, context=context, batch_size=a.batch_size, sentences=rows_of(ids, context))
        makers = {'ours': (training_step, given)} | ({'ours, bf16': (training_step, dict(given, bf16=True))}
                                                     if has_bf16() else {})
        makers |= {name: (peers.trainer, dict(given, name=name)) for name in peers.TRAINERS}
        seconds, tokens, peaks = in_turns(makers, a.rounds, sgemm_gflops)
        rates = {k: [n/s for n, s in zip(tokens[k], seconds[k])] for k in seconds}
        peak = median(peaks)
        share = median([r*useful/p/1e9 for r, p in zip(rates['ours'], peaks)])
        out.append(dict(context=context, tokens_per_s={k: round(median(v)) for k, v in rates.items()},
                        quartiles={k: spread(v) for k, v in rates.items()},
                        **{name: {k: round(median([x/y for x, y in zip(rates[own], v)]), 2) for k, v in rates.items()
                                  if k in peers.TRAINERS}
                           for name, own in (('ours_against', 'ours'), ('bf16_against', 'ours, bf16')) if own in rates},
                        sgemm_gflops=round(peak, 1), sgemm_quartiles=spread(peaks), useful_flops_share=round(share, 3)))
        print(json.dumps(out[-1]), flush=True)
    return out


def savings(ids, a):
    "The same training with one saving taken away at a time, as times of a step against ours; and options that are off."
    out = []
    for context in a.context:
        given = dict(vocab_size=a.vocab_size, context=context, batch_size=a.batch_size, sentences=rows_of(ids, context))
        make = {'ours': {}, 'memory handed back each step': dict(keep=False),
                'all scores of the labelled at once': dict(objective_class=FullScores),
                'batches not sorted by length': dict(objective_class=RandomBatches),
                'scores at all positions': dict(objective_class=DenseHead)}
        make['products the usual way'] = dict(onednn=False)
        make['torch.compile (an option)'] = dict(compiled=True)
        if has_bf16(): make['bf16 (an option)'] = dict(bf16=True)
        seconds, tokens, _ = in_turns({k: (training_step, given | v) for k, v in make.items()}, a.rounds)
        if not has_bf16():  # without instructions for it, one step takes many seconds
            slow = in_turns({'bf16 (an option)': (training_step, dict(given, bf16=True))}, 1)
            for all_of, some in zip((seconds, tokens), slow): all_of |= some
        per_token = {k: [s/n for n, s in zip(tokens[k], seconds[k])] for k in seconds}
        out.append(dict(context=context, time_against_ours={k: round(median([x/y
            for x, y in zip(v, per_token['ours'])]), 2) for k, v in per_token.items()}))
        print(json.dumps(out[-1]), flush=True)
    return out


GROUPS = {'matrix products': ('aten::mm', 'aten::addmm', 'aten::bmm', 'mkldnn'), 'attention': ('scaled_dot_product',),
          'optimiser and clipping': ('adamw', 'AdamW', 'vector_norm', 'clip'),
          'normalisation and activation': ('gelu', 'layer_norm'),
          'softmax of the head': ('log_softmax', 'exp', 'scatter', 'gather')}


def where_time_goes(ids, a):
    "Shares of a step by kind of operation, and the share of making batches."
    out = []
    for context in a.context:
        given = a.vocab_size, context, a.batch_size, rows_of(ids, context)
        step, objective = make_trainer(*given), make_objective(*given)
        for _ in range(2): step()
        n = 1 if a.quick else 6
        start = time.perf_counter()
        for _ in range(n): step()
        a_step = (time.perf_counter() - start)/n
        objective.batch(0, 0)
        start = time.perf_counter()
        for i in range(50): objective.batch(0, i)
        a_batch = (time.perf_counter() - start)/50
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            for _ in range(n): step()
        spent = {k: 0. for k in (*GROUPS, 'everything else')}
        for e in profile.key_averages():
            spent[next((k for k, names in GROUPS.items() if any(x in e.key for x in names)),
                       'everything else')] += e.self_cpu_time_total
        total = sum(spent.values())
        out.append(dict(context=context, ms_a_step=round(1e3*a_step, 1), share_of_batch_making=round(a_batch/a_step, 4),
                        shares={k: round(v/total, 3) for k, v in spent.items()}))
        print(json.dumps(out[-1]), flush=True)
    return out


def encoding(texts, tokenizer, path, a):
    "Sentences a second with tokenising, and milliseconds of one sentence."
    out, n, other = [], 200 if a.quick else 1000, 'sentence-transformers'
    for context in (64,) if a.quick else (16, 64):
        with tempfile.TemporaryDirectory() as folder:
            given = dict(vocab_size=a.vocab_size, context=context, tokenizer_path=path, texts=texts[:n])
            makers = {'ours': (encode_all, given)} | ({'ours, bf16': (encode_all, dict(given, precision='bf16'))}
                                                      if has_bf16() else {})
            makers |= {'ours, ONNX': (encode_all, dict(given, onnx='fp32')),
                       'ours, ONNX int8': (encode_all, dict(given, onnx='int8')),
                      'sentence-transformers': (peers.encode_all, dict(given, folder=folder))}
            if a.quick: del makers['ours, ONNX']
            seconds, single, peaks = in_turns(makers, 2 if a.quick else 5, sgemm_gflops)
        single = {k: [ms for one in v for ms in one] for k, v in single.items()}
        seconds = {k: [s - sum(one)/1e3 for s, one in zip(v, [single[k][i*40:(i + 1)*40] for i in range(len(v))])]
                   for k, v in seconds.items()}
        tokens = float(np.mean(np.minimum(tokenizer.token_counts(texts[:n]), context)))
        out.append(dict(context=context, sentences_per_s={k: round(n/median(s)) for k, s in seconds.items()},
                        one_sentence_ms={k: round(median(s), 2) for k, s in single.items()},
                        against_sentence_transformers={k: round(median([y/x for x, y in zip(s, seconds[other])]), 2)
                                                       for k, s in seconds.items() if k != other} if other in seconds
                                                       else {},
                        latency_against={k: round(median(s)/median(single[other]), 2) for k, s in single.items()
                                         if k != other} if other in single else {},
                        fp32_ceiling_sentences_per_s=round(median(peaks)*1e9/(tokens*BODY)),
                        one_sentence_products_ms=round(median(products_ms(a.vocab_size, context, round(tokens))), 2)))
        print(json.dumps(out[-1]), flush=True)
    return out


class Bf16Products(TorchDispatchMode):
    """Products of bf16 numbers with sums in 32 bits and a rounded result, as the instructions for them work; for
    processors without, where PyTorch's own way takes seven times as long."""
    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        if op in (torch.ops.aten.mm.default, torch.ops.aten.bmm.default) and args[0].dtype is torch.bfloat16:
            self.products += 1
            return op(*(x.float() for x in args)).bfloat16()
        return op(*args, **(kwargs or {}))

    products = 0


def precision(texts, tokenizer, a):
    """Does MLM training in bf16 reach the loss that it reaches in 32 bits? The same first weights, batches and masks,
    three blocks; judged on sentences that neither saw. From counts, where a model leaves the frequencies of the tokens
    behind at once, and from random weights. As a measure of what a rounding may do at all: 32 bits once more, from
    first weights that were rounded to bf16."""
    out, steps = [], 30 if a.quick else 250
    data = Rows([r[:14] for r in tokenizer.encode_ordinary(texts) if r])
    n = len(data.lengths)
    for start in ('counts', 'random'):
        for seed in range(1 if a.quick else 3):
            row = dict(start=start, seed=seed, steps=steps, validation_loss={})
            torch.manual_seed(seed)
            first = EmbeddingModel(a.vocab_size, context_window=16, n_layers=3, is_masked_language=True)
            if start == 'counts': spectral_init(first, data, seed=seed)
            for name in ('fp32', 'fp32, first weights rounded', 'bf16'):
                model, rounded = copy.deepcopy(first), 'rounded' in name
                with torch.no_grad():
                    for p in model.parameters() if rounded else (): p.copy_(p.bfloat16())
                objective = MLMObjective(data, a.vocab_size, np.arange(n - 1000), np.arange(n - 1000, n),
                                         2*a.batch_size, 16, seed=seed)
                step = trainer(model, objective, bf16=name == 'bf16', warmup=steps//6)
                products = Bf16Products() if name == 'bf16' and not has_bf16() else None
                with retain_freed_memory(), products or nullcontext():
                    for _ in range(steps): step()
                row['validation_loss'][name] = round(objective.evaluate(model.eval())['val_loss'], 4)
            rounded = products and f'{products.products//steps} per step computed in 32 bits and rounded'
            row['products'] = rounded or 'of the processor'
            out.append(row)
            print(json.dumps(row), flush=True)
    return out


CHILD = '''
import json, resource, sys, time
from loguru import logger
logger.remove()
from rt_embedding.corpus import build_shards
from rt_embedding.tokenizer import SentencePieceTokenizer
tokenizer = SentencePieceTokenizer(sys.argv[1])
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
shards = build_shards(sys.argv[2], tokenizer, sys.argv[3])
seconds = time.perf_counter() - start
more_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)/1024
print(json.dumps(dict(seconds=seconds, more_mb=more_mb, tokens=shards.n_tokens)))
'''


def shards(texts, tokenizer, path, a):
    """Tokenising to shards, duplicates found, against SentencePiece's own batch encoding; memory at a tenth and at the
    whole."""
    with tempfile.TemporaryDirectory() as folder:
        def write(n):
            # a short text is repeated, each time a little different
            with open(f'{folder}/{n}.txt', 'w', encoding='utf-8') as f:
                for i in range(n):
                    f.write(texts[i % len(texts)] + (f' {i//len(texts)}' if i >= len(texts) else '') + '\n')
            return f'{folder}/{n}.txt'
        def build(n, name):
            done = subprocess.run([sys.executable, '-c', CHILD, path, write(n), f'{folder}/{name}'], check=True,
                                  capture_output=True, text=True)
            return json.loads(done.stdout)
        n = 20_000 if a.quick else 200_000
        some, plain, ours = list(read_sentences(write(n))), [], []
        for k in range(2 if a.quick else 5):
            start = time.perf_counter()
            tokenizer._sp.encode(some)
            plain.append(time.perf_counter() - start)
            ours.append(build(n, f'ratio{k}')['seconds'])
        out = dict(sentences=n, seconds=round(median(ours), 2),
                   speed_against_sentencepiece=round(median([p/o for p, o in zip(plain, ours)]), 2),
                   memory=[dict(sentences=m, **{k: round(v, 1) for k, v in build(m, f'size{m}').items()})
                           for m in ((10_000, 100_000) if a.quick else (100_000, 1_000_000))])
    print(json.dumps(out), flush=True)
    return out


def cuda(ids, a):
    "Model FLOPs utilisation on a GPU: bf16, compiled, hidden 768 and larger."
    if not torch.cuda.is_available():
        print('no CUDA device: its table is left out', flush=True)
        return None
    def timed(work):
        torch.cuda.synchronize()
        start = time.perf_counter()
        done = sum(work() for _ in range(20))
        torch.cuda.synchronize()
        return done/(time.perf_counter() - start)
    x, y, out = *(torch.randn(8192, 8192, device='cuda', dtype=torch.bfloat16) for _ in range(2)), []
    def product():
        x @ y
        return 2*len(x)**3
    for hidden, compiled in itertools.product((512, 768, 1024), (False, True)):
        context, batch_size, n_layers = 128, 512, 12
        sizes = dict(hidden_dim=hidden, n_heads=hidden//64, n_layers=n_layers)
        step = make_trainer(a.vocab_size, context, batch_size, [r[:context] for r in ids], compiled=compiled,
                            sizes=sizes, device='cuda', bf16=True)
        for work in (step, product): timed(work)  # compiles; a batch without padding has a graph of its own
        torch.cuda.reset_peak_memory_stats()
        rates, peaks = zip(*((timed(step), timed(product)) for _ in range(a.rounds)))
        flops = 6*(n_layers*(4*hidden**2 + 4*hidden**2) + 0.15*a.vocab_size*hidden)  # useful ones of one token
        shares = [rate*flops/peak for rate, peak in zip(rates, peaks)]
        out.append(dict(hidden=hidden, compiled=compiled, tokens_per_s=round(median(rates)),
                        share_of_measured_bf16_peak=round(median(shares), 3), quartiles=spread(shares),
                        peak_tflops=round(median(peaks)/1e12),
                        memory_gib=round(torch.cuda.max_memory_allocated()/2**30, 1)))
        print(json.dumps(out[-1]), flush=True)
        del step
    return out


def searching(a):
    "An index of a million vectors: building, memory, the time of a question; index.py does it, and more."
    return index.million(100_000 if a.quick else 1_000_000, 50 if a.quick else 100, 10_000 if a.quick else 100_000)


def machine():
    model = next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')),
                 '') if os.path.exists('/proc/cpuinfo') else platform.processor()
    def installed(name):
        try: return version(name)
        except PackageNotFoundError: return None
    return dict(processor=model, cores=os.cpu_count(), threads=torch.get_num_threads(),
                gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
                system=platform.system(), python=platform.python_version(),
                versions={n: installed(n) for n in ('rt_embedding', 'torch', 'sentencepiece', 'transformers',
                                                    'sentence-transformers', 'onnxruntime')})


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = ('training', 'precision', 'savings', 'time', 'encoding', 'shards', 'cuda', 'index', 'instant',
              'static_peers', 'choices')
    p.add_argument('--corpus', help='text, one sentence a line (default: the installed Python documentation)')
    p.add_argument('--quick', action='store_true', help='fewer rounds, smaller texts')
    p.add_argument('--tables', nargs='+', choices=tables,
                   help='default: all but precision, index, instant, static_peers and choices; with --quick without '
                        'savings')
    p.add_argument('--context', type=int, nargs='+', help='default: 16 128; with --quick 128')
    p.add_argument('--batch_size', type=int, default=32)
    p.add_argument('--vocab_size', type=int, default=0, help='0: 20000; with --quick 12000, for it reads less text')
    p.add_argument('--rounds', type=int, default=0, help='0: 2 when quick, else 8')
    p.add_argument('--limit', type=int, default=200_000, help='most sentences')
    p.add_argument('--base', help='for instant: the folder of an older checkout to compare with')
    p.add_argument('--choices', default='', type=shlex.split, help='for choices: flags of choices.py, in quotes: '
                   '"--sts stsb_dev.tsv --retrieval ir_wikinews --pairs pairs.tsv"')
    p.add_argument('--output', help='a JSON file')
    p.add_argument('--update', action='store_true', help='replace only these tables in the JSON file')
    a = p.parse_args()
    a.rounds = a.rounds or (2 if a.quick else 8)
    a.vocab_size = a.vocab_size or (12_000 if a.quick else 20_000)
    a.context = a.context or ([128] if a.quick else [16, 128])
    a.tables = a.tables or [t for t in tables if t not in ('precision', 'index', 'instant', 'static_peers', 'choices')
                            and not (a.quick and t == 'savings')]
    logger.disable('rt_embedding')
    torch.manual_seed(0)
    texts = list(itertools.islice(read_sentences(a.corpus) if a.corpus
                                  else python_sentences(documented_objects(['python', 'torch', 'numpy'] if a.quick
                                                                           else None)), 60_000 if a.quick else a.limit))
    result = dict(machine=machine(), quick=a.quick, batch_size=a.batch_size, vocab_size=a.vocab_size,
                  sentences=len(texts),
                  corpus=Path(a.corpus).name if a.corpus else 'documentation of the installed Python packages')
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'corpus.txt').write_text('\n'.join(texts), encoding='utf-8')
        path = str(train_tokenizer([Path(folder, 'corpus.txt')], Path(folder, 'tokenizer'), vocab_size=a.vocab_size))
        tokenizer = SentencePieceTokenizer(path)
        ids = [[BOS_ID, *r, EOS_ID] for r in tokenizer.encode_ordinary(texts[:8000]) if r]
        runs = dict(training=lambda: training(ids, a), precision=lambda: precision(texts, tokenizer, a),
                    savings=lambda: savings(ids, a), time=lambda: where_time_goes(ids, a), cuda=lambda: cuda(ids, a),
                    encoding=lambda: encoding(texts, tokenizer, path, a),
                    shards=lambda: shards(texts, tokenizer, path, a), index=lambda: searching(a),
                    instant=lambda: instant.compare(texts, a.rounds, a.base),
                    choices=lambda: choices.compare(texts, min(a.rounds, 5), a.choices),
                    static_peers=lambda: static_peers.compare(texts, min(a.rounds, 5), 5000 if a.quick else 20_000))
        for name in a.tables:
            print(f'\n# {name}', flush=True)
            result[name] = runs[name]()
    if a.update: result = json.loads(Path(a.output).read_text(encoding='utf-8')) | {k: v for k, v in result.items()
                                                                                    if k in (*a.tables, 'machine')}
    if a.output: Path(a.output).write_text(json.dumps(result, indent=1) + '\n', encoding='utf-8')
