"Small things that every whole-system test needs: a corpus, a tokenizer, a way to run a command."
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ENV = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONIOENCODING': 'utf-8', 'NO_COLOR': '1'}


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


def start(name, *args, **kw):
    "Start a console command of the package in a process of its own."
    module = {'rt_train_tokenizer': 'tokenizer', 'rt_corpus': 'sources', 'rt_train_mlm': 'mlm', 'rt_train_contrastive': 'contrastive',
              'rt_evaluate': 'evaluation', 'rt_analyse': 'analysis', 'rt_embed': 'bulk', 'rt_export': 'onnx', 'rt_search': 'search', 'rt_quickstart': 'quickstart'}[name]
    code = f'import sys; from rt_embedding.{module} import {name}; sys.argv[0] = "{name}"; sys.exit({name}())'
    return subprocess.Popen([sys.executable, '-c', code, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8', env=ENV, **kw)


def run(name, *args, **kw):
    "Run a command to its end: (exit code, standard output, standard error)."
    p = start(name, *args, **kw)
    out, err = p.communicate(timeout=600)
    return p.returncode, out, err


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
