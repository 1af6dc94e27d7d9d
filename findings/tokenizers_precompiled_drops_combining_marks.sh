#!/usr/bin/env bash
# One would guess: the `Precompiled` normalizer of tokenizers, made from a SentencePiece model's own table, normalises
#   a text as SentencePiece does.
# What happens: where a letter carries two combining marks that stand apart (NFD), it keeps one and drops the other:
#   Vietnamese "ệ" written as e + U+0323 + U+0302 becomes "ẹ", a Yoruba "ẹ̀" loses its tone. SentencePiece composes
#   both; composed (NFC) text agrees.
# Who it hurts: models converted from SentencePiece for languages that stack accents, on text from systems that
#   decompose it: other tokens, other vectors, no message. Put an NFC normalizer before it.
# Seen with tokenizers 0.23.3, sentencepiece 0.2.3, protobuf for reading the model, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q tokenizers==0.23.3 sentencepiece==0.2.3 protobuf
venv/bin/python - <<'PY'
import random
import unicodedata
from pathlib import Path

import sentencepiece as spm
from sentencepiece import sentencepiece_model_pb2 as pb
from tokenizers import normalizers

words = 'một hai ba bốn năm sáu bảy tám chín mười Việt Nam ọ̀nà ẹ̀kọ́ cat dog'.split()
rng = random.Random(0)
Path('text.txt').write_text('\n'.join(' '.join(rng.choices(words, k=6)) for _ in range(500)), encoding='utf-8')
spm.SentencePieceTrainer.train(input='text.txt', model_prefix='m', vocab_size=60, minloglevel=2, hard_vocab_limit=False)
sp, proto = spm.SentencePieceProcessor(model_file='m.model'), pb.ModelProto()
proto.ParseFromString(Path('m.model').read_bytes())
table = proto.normalizer_spec.precompiled_charsmap
alone = normalizers.Precompiled(table)
healed = normalizers.Sequence([normalizers.NFC(), normalizers.Precompiled(table)])


def plain(text): return sp.normalize(text).replace('\u2581', ' ').strip()


for text in ('é', 'Việt', 'ẹ̀kọ́'):
    nfc, nfd = (unicodedata.normalize(form, text) for form in ('NFC', 'NFD'))
    print(ascii(nfd), 'sentencepiece', ascii(plain(nfd)), 'tokenizers', ascii(alone.normalize_str(nfd)))
    assert plain(nfc) == plain(nfd) == alone.normalize_str(nfc) == healed.normalize_str(nfd)
    assert (alone.normalize_str(nfd) == plain(nfd)) == (text == 'é')
PY
