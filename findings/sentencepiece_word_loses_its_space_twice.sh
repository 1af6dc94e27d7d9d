#!/usr/bin/env bash
# One would guess: to cut a piece such as '▁cat' by itself, with the space that it begins with, it is enough to switch off
#   add_dummy_prefix in the model: then nothing is put before the text, and '▁cat' is read as it stands.
# What happens: the text is read as 'cat', a word inside another one. remove_extra_whitespaces, which is on by default,
#   takes the leading '▁' away as it takes a leading space. With the dummy prefix on, the two hide each other.
# Who it hurts: whoever adds words to a vocabulary and starts the vector of a new piece from the pieces that spelled it
#   before: the parts of 'cat' are not those of '▁cat'. Both settings must be off.
# Seen with sentencepiece 0.2.3, protobuf 7.36.2, on 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q sentencepiece==0.2.3 protobuf==7.36.2
venv/bin/python - <<'PY'
import io

import sentencepiece as spm
from sentencepiece.sentencepiece_model_pb2 import ModelProto

model, text = io.BytesIO(), ['the cat sat on the mat', 'a concatenated cat', 'scatter the cats', 'the mat'] * 20
spm.SentencePieceTrainer.train(sentence_iterator=iter(text), model_writer=model, vocab_size=40, hard_vocab_limit=False, minloglevel=2)
proto = ModelProto()
proto.ParseFromString(model.getvalue())

def cut(prefix, extra):
    proto.normalizer_spec.add_dummy_prefix, proto.normalizer_spec.remove_extra_whitespaces = prefix, extra
    return ''.join(spm.SentencePieceProcessor(model_proto=proto.SerializeToString()).encode('▁cat', out_type=str))

found = {(prefix, extra): cut(prefix, extra) for prefix in (True, False) for extra in (True, False)}
for (prefix, extra), pieces in found.items():
    print(f'add_dummy_prefix {prefix!s:5} remove_extra_whitespaces {extra!s:5}: {pieces}')
assert found[True, True] == found[False, False] == '▁cat'
assert found[False, True] == 'cat' and found[True, False] == '▁▁cat'
PY
