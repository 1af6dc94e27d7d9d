#!/usr/bin/env bash
# One would guess: a model with the prompts "query" and "passage", the pair in the docstring of SentenceTransformer,
#   puts "passage: " before what encode_document gets, since that takes the first of "document", "passage" and "corpus"
#   that the model has.
# What happens: every model gets an empty prompt "document" when it is made or loaded, which is found first. So
#   encode_query uses its prompt and encode_document uses none, also for a folder whose configuration names only
#   "query" and "passage"; nothing is said about it.
# Who it hurts: models of the E5 kind: documents are embedded without the prefix they were trained with. Name the
#   prompt "document", or pass prompt_name='passage'.
# Seen with sentence-transformers 6.2.0, transformers 5.24.0, torch 2.13.0, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q torch==2.13.0 sentence-transformers==6.2.0 transformers==5.24.0 numpy==2.4.6
venv/bin/python - <<'PY'
import json
import os
os.environ['HF_HUB_OFFLINE'] = '1'
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

words = '[UNK] query passage : the cat sat'.split()
tokenizer = Tokenizer(WordLevel({w: i for i, w in enumerate(words)}, unk_token='[UNK]'))
tokenizer.pre_tokenizer = Whitespace()
table = StaticEmbedding(tokenizer, embedding_weights=np.random.default_rng(0).normal(size=(len(words), 4)).astype('f4'))
prompts, text = {'query': 'query: ', 'passage': 'passage: '}, 'the cat sat'
made = SentenceTransformer(modules=[table], prompts=prompts, device='cpu')
made.save_pretrained('model')
config = Path('model/config_sentence_transformers.json')
config.write_text(json.dumps({**json.loads(config.read_text()), 'prompts': prompts}))
for name, model in (('made', made), ('loaded', SentenceTransformer('model', device='cpu'))):
    query, document = model.encode_query(text), model.encode_document(text)
    print(name, model.prompts, 'query prompt used:', np.allclose(query, model.encode('query: ' + text)),
          'passage prompt used:', np.allclose(document, model.encode('passage: ' + text)))
    assert model.prompts == {**prompts, 'document': ''} and np.allclose(query, model.encode('query: ' + text))
    assert np.allclose(document, model.encode(text)) and not np.allclose(document, model.encode('passage: ' + text))
PY
