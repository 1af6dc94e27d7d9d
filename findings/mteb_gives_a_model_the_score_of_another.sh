#!/usr/bin/env bash
# One would guess: mteb.evaluate(model, tasks) evaluates the model that it is given.
# What happens: results are filed by the name and revision of a model, and every local SentenceTransformer has the
#   same ones (no_model_name/available, no_revision_available): the second model evaluated is never encoded and gets
#   the score of the first.
# Who it hurts: whoever compares checkpoints of a training in one session or with the default cache. Pass cache=None,
#   or give each model a name and a revision of its own.
# Seen with mteb 2.26.24, sentence-transformers 6.2.0, transformers 5.24.0, torch 2.13.0, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q torch==2.13.0 mteb==2.26.24 sentence-transformers==6.2.0 transformers==5.24.0 numpy==2.4.6
venv/bin/python - <<'PY'
import os
import warnings
os.environ['HF_HUB_OFFLINE'] = '1'
warnings.filterwarnings('ignore')
import mteb
import numpy as np
from mteb.cache import ResultCache
from mteb.mocks.mock_tasks.sts import MockSTSTask
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

words = '[UNK] this is a test sentence another'.split()
tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token='[UNK]'))
tokenizer.pre_tokenizer = Whitespace()


def local_model(seed):
    "A model of random vectors, saved and loaded from a folder of its own; it notes when it is used."
    weights = np.random.default_rng(seed).normal(size=(len(words), 8)).astype(np.float32)
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device='cpu').save_pretrained(f'model{seed}')
    model = SentenceTransformer(f'model{seed}', device='cpu')
    encode, model.used = model.encode, 0
    def counted(*args, **kw):
        model.used += 1
        return encode(*args, **kw)
    model.encode = counted
    return model


used = {}
for cache in (ResultCache('results'), None):
    for seed in (0, 1):
        model = local_model(seed)
        result = mteb.evaluate(model, [MockSTSTask()], cache=cache)
        used['with cache' if cache else 'without', seed] = model.used
        print('cache' if cache else 'no cache', 'model', seed, 'encoded', model.used, 'times; filed as', result.model_name, result.model_revision)
assert used['with cache', 0] > 0 and used['with cache', 1] == 0 and used['without', 0] > 0 and used['without', 1] > 0
PY
