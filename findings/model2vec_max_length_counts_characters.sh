#!/usr/bin/env bash
# One would guess: `StaticModel.encode(texts, max_length=100)` leaves a text of 60 tokens alone ("any tokens beyond
#   this length will be truncated").
# What happens: it first cuts the text after max_length times the median length of a vocabulary entry in characters,
#   then tokenises: 40 long words and 20 short ones, 60 tokens, lose all of the short ones, and the vector changes.
# Who it hurts: texts whose words are longer than the median entry of the vocabulary: technical terms, German,
#   anything with few pieces. Pass max_length=None and cut by tokens oneself.
# Seen with model2vec 0.10.0, tokenizers 0.23.3, numpy 2.4.6, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q model2vec==0.10.0 tokenizers==0.23.3 numpy==2.4.6
venv/bin/python - <<'PY'
import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

words = ['[UNK]', '[PAD]', 'a', 'is', 'to', 'of', 'cat', 'internationalisation']
tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token='[UNK]'))
tokenizer.pre_tokenizer = Whitespace()
model = StaticModel(vectors=np.eye(len(words), dtype=np.float32), tokenizer=tokenizer, config={}, normalize=False)
text = ' '.join(['internationalisation']*40 + ['cat']*20)
share = {n: float(model.encode(text, max_length=n)[words.index('cat')]) for n in (100, None)}
print(len(tokenizer.encode(text).ids), 'tokens; median entry', model.median_token_length, 'characters; share of "cat":', share)
assert len(tokenizer.encode(text).ids) == 60 and share[100] == 0 and abs(share[None] - 1/3) < 1e-6
PY
