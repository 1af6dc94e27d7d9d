#!/usr/bin/env bash
# One would guess: a folder saved by model2vec gives the same vectors in model2vec and in sentence-transformers, whose
#   modules.json it brings along.
# What happens: only for texts all of whose words are known: model2vec leaves unknown tokens out of the mean,
#   sentence-transformers averages the row of [UNK] in. A text of unknown words is the zero vector in one and a unit
#   vector in the other, so that all such texts have cosine 1 with each other there.
# Who it hurts: whoever trains or builds an index with one library and asks with the other. Give [UNK] a zero row, or
#   a tokenizer without unknown words.
# Seen with model2vec 0.10.0, sentence-transformers 6.2.0, transformers 5.24.0, torch 2.13.0, Python 3.11, on
#   2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q torch==2.13.0 model2vec==0.10.0 sentence-transformers==6.2.0 transformers==5.24.0 numpy==2.4.6
venv/bin/python - <<'PY'
import os
os.environ['HF_HUB_OFFLINE'] = '1'
import numpy as np
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

words = '[UNK] [PAD] the cat sat mat'.split()
tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token='[UNK]'))
tokenizer.pre_tokenizer = Whitespace()
vectors = np.random.default_rng(0).normal(size=(len(words), 4)).astype(np.float32)
StaticModel(vectors=vectors, tokenizer=tokenizer, config={}, normalize=True).save_pretrained('model')
one, other = StaticModel.from_pretrained('model'), SentenceTransformer('model', device='cpu')
for text in ('the cat sat', 'the purple cat', 'purple zebra'):
    a, b = one.encode(text), other.encode(text)
    print(repr(text), a.round(3), b.round(3))
    assert np.allclose(a, b, atol=1e-5) == (text == 'the cat sat')
assert not one.encode('purple zebra').any() and abs(np.linalg.norm(other.encode('purple zebra')) - 1) < 1e-5
PY
