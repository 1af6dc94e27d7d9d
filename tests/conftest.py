"Small things that every whole-system test needs: a corpus, a tokenizer, a way to run a command."
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

THREADS = os.environ.get('RT_TEST_THREADS', '1')  # one by default: cheaper on small models; the promises must hold with more, too
ENV = {**os.environ, 'OMP_NUM_THREADS': THREADS, 'PYTHONIOENCODING': 'utf-8', 'NO_COLOR': '1'}


def sentences(n, seed=0):
    "Made-up English with enough structure to learn from."
    rng = random.Random(seed)
    who = 'the cat|a dog|my neighbour|the old captain|every student|the quiet river|a red train|our teacher'.split('|')
    does = 'watches|follows|paints|forgets|crosses|remembers|carries|opens'.split('|')
    what = 'the garden|a letter|the bridge|an empty box|the morning|seven books|the window|a long song'.split('|')
    when = 'today|before lunch|in the rain|without a word|every evening|near the sea|at noon|again'.split('|')
    return [f'{rng.choice(who)} {rng.choice(does)} {rng.choice(what)} {rng.choice(when)} number {rng.randrange(10**6)}.' for _ in range(n)]


def paraphrases(n, seed=0):
    "Pairs that say the same with other words: nothing lexical helps."
    rng = random.Random(seed)
    parts = ['the cat=our kitten|a dog=some hound|my friend=a mate of mine|the teacher=that instructor|the child=a kid|the doctor=one physician',
             'buys=purchases|hides=conceals|finds=discovers|needs=requires|repairs=fixes|paints=colours',
             'the bicycle=that bike|a small house=one little cottage|the road=this street|an old car=some ancient automobile|a cup=one mug',
             'at night=after dark|in the city=within town|near the sea=by ocean shores|in the wood=inside that forest|at home=indoors']
    parts = [[w.split('=') for w in p.split('|')] for p in parts]
    def pair():
        picks = [rng.choice(p) for p in parts]
        return ' '.join(w[0] for w in picks), ' '.join(w[1] for w in picks)
    return list(dict.fromkeys(pair() for _ in range(n)))


def start(name, *args, env=ENV, **kw):
    "Start a console command of the package in a process of its own."
    module = {'rt_train_tokenizer': 'tokenizer', 'rt_corpus': 'sources', 'rt_train_mlm': 'mlm', 'rt_train_contrastive': 'contrastive',
              'rt_evaluate': 'evaluation', 'rt_analyse': 'report', 'rt_embed': 'bulk', 'rt_export': 'onnx', 'rt_search': 'search', 'rt_quickstart': 'quickstart'}[name]
    code = f'import sys; from rt_embedding.{module} import {name}; sys.argv[0] = "{name}"; sys.exit({name}())'
    return subprocess.Popen([sys.executable, '-c', code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8', env=env, **kw)


def run(name, *args, **kw):
    "Run a command to its end: (exit code, standard output, standard error)."
    p = start(name, *args, **kw)
    out, err = p.communicate(timeout=600)
    return p.returncode, out, err


def wait_for(process, folder, records=2, seconds=120):
    "Until the run has logged so many steps."
    end, log = time.time() + seconds, folder/'logs'/'metrics.jsonl'
    while process.poll() is None and time.time() < end and not (log.exists() and log.read_bytes().count(b'"train"') >= records): time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]


TIMES = {'time_s', 'tokens_per_s', 'elapsed_s', 'time', 'timestamp'}  # what may differ between two equal runs


def final(folder):
    "All that a finished run leaves: checkpoints with weights, optimiser and state, best and last model, and every figure that no clock made."
    import torch
    from safetensors.torch import load_file
    made = {f'{p.parent.name}/{p.name}': load_file(p) for p in sorted(Path(folder).rglob('model.safetensors'))}
    for p in sorted((Path(folder)/'checkpoints').glob('step-*')):
        made[p.name] = torch.load(p/'optimizer.pt', weights_only=True), json.loads((p/'state.json').read_text(encoding='utf-8'))
    records = [json.loads(l) for l in (Path(folder)/'logs'/'metrics.jsonl').read_text(encoding='utf-8').splitlines()]
    made['metrics'] = [{k: v for k, v in r.items() if k not in TIMES} for r in records]
    return made


def same(a, b):
    "Equal to the last bit, in whatever it is nested."
    import torch
    if torch.is_tensor(a): return torch.equal(a, b)
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


@pytest.fixture(scope='session')
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp('corpus')/'corpus.txt'
    path.write_text('\n'.join(sentences(400)) + '\n', encoding='utf-8')
    return path


@pytest.fixture(scope='session')
def tokenizer(corpus):
    code, _, err = run('rt_train_tokenizer', '--input', corpus, '--output', corpus.parent/'tokenizer', '--vocab_size', 200)
    assert code == 0, err
    return corpus.parent/'tokenizer.model'


SMALL = ['--preset', 'tiny', '--hidden_dim', 32, '--n_layers', 1, '--n_heads', 2, '--embedding_dim', 16, '--context_window', 16, '--device', 'cpu']
