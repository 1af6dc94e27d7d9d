#!/usr/bin/env bash
# One would guess: each character that a SentencePiece model does not know is an unknown token of its own, so that a
#   long text of them is long.
# What happens: a whole run of them up to the next space becomes one token, for unigram and BPE models alike. Scripts
#   that write no spaces make one of a page: every such text has the same two ids, and all of it "fits" a context of
#   two tokens. The pieces (out_type=str) show the text in full, so that a look at them does not tell; the ids do.
# Who it hurts: who counts tokens to cut texts or to price them, and who embeds languages that the model was not
#   trained on: other texts, one vector. Count the characters of unknown pieces, or train with byte_fallback.
# Seen with sentencepiece 0.2.3, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q sentencepiece==0.2.3
venv/bin/python - <<'PY'
import random
from pathlib import Path

import sentencepiece as spm

words = 'one two three four five six seven eight nine ten house tree water'.split()
rng = random.Random(0)
Path('text.txt').write_text('\n'.join(' '.join(rng.choices(words, k=6)) for _ in range(500)), encoding='utf-8')
short, page = '今日は', '東京は日本の首都であり、多くの人が住んでいる。'*100
for kind, size, fallback in (('unigram', 60, False), ('bpe', 60, False), ('unigram', 320, True)):
    spm.SentencePieceTrainer.train(input='text.txt', model_prefix='m', model_type=kind, vocab_size=size, minloglevel=2,
                                   byte_fallback=fallback, hard_vocab_limit=False)
    sp = spm.SentencePieceProcessor(model_file='m.model')
    one, other, pieces = sp.encode(short), sp.encode(page), sp.encode(page, out_type=str)
    print(kind, 'byte_fallback', fallback, ': tokens of', len(short), 'characters', len(one), ', of', len(page),
          'characters', len(other), ', same ids', one == other)
    if fallback: assert len(other) > len(page) and one != other
    else: assert one == other and len(one) == 2 and one[1] == sp.unk_id() and pieces[1] == page
PY
