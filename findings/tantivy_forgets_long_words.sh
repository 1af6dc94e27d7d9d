#!/usr/bin/env bash
# One would guess: a document of one sentence is found by that sentence, whatever its language.
# What happens: the default tokenizer of a text field throws away every word of 40 bytes or more of UTF-8, in documents
#   and queries, without a word. It splits only at spaces and punctuation, so in scripts that write no spaces a "word"
#   is a clause: 14 Chinese, Japanese or Thai characters are too many. Such a document is stored and matches nothing,
#   its own text included; a shorter clause is found.
# Who it hurts: search over Chinese, Japanese or Thai, long compounds and identifiers: an empty answer looks like "no
#   such document". Register an analyser without the length filter, with n-grams for such scripts.
# Seen with tantivy 0.27.0, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q tantivy==0.27.0
venv/bin/python - <<'PY'
import tantivy

texts = ['今天天气很好', '今天天气很好我们一起去公园散步吧', 'ภาษาไทย', 'ฉันรักภาษาไทยมาก', 'x'*39, 'x'*40]


def found(name, analyser=None):
    builder = tantivy.SchemaBuilder()
    builder.add_text_field('text', stored=True, tokenizer_name=name)
    index = tantivy.Index(builder.build())
    if analyser: index.register_tokenizer(name, analyser)
    writer = index.writer()
    for text in texts: writer.add_document(tantivy.Document(text=text))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    assert searcher.num_docs == len(texts)
    return [text in [searcher.doc(a)['text'][0] for _, a in searcher.search(index.parse_query(text, ['text'])).hits]
            for text in texts]


plain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(tantivy.Filter.lowercase()).build()
default, own = found('default'), found('own', plain)
for text, a, b in zip(texts, default, own):
    print(ascii(text)[:30], len(text), 'characters', len(text.encode()), 'bytes: found by its own text', a,
          ', without the length filter', b)
assert default == [len(text.encode()) < 40 for text in texts] == [True, False]*3 and all(own)
PY
