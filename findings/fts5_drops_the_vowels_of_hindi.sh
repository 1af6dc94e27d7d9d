#!/usr/bin/env bash
# One would guess: SQLite's full-text search finds a Hindi word where it stands, as it does an English one; the default
#   tokenizer is called unicode61.
# What happens: it takes vowel signs and other marks, unless they are accents it knows, for separators. A word becomes
#   the row of its consonants, and MATCH 'पानी' (water) finds also पुनः (again) and पिन (pin). It is so for Bengali,
#   Tamil, Burmese and Khmer, and vocalised Arabic and Hebrew fall into letters, which the word without points does
#   not find.
# Who it hurts: search over Indic languages: wrong documents rank with the right ones, and bm25() counts letters.
#   Say `tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* Co'"`.
# Seen with SQLite 3.54.1 (apsw 3.54.1.0), Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q apsw==3.54.1.0
venv/bin/python - <<'PY'
import apsw

texts = ['पानी', 'पुनः', 'पिन', 'किताब', 'مَكْتَب', 'বাংলা', 'தமிழ்', 'מִכְתָּב', 'မြန်မာ', 'ខ្មែរ', 'café']


def table(options):
    db = apsw.Connection(':memory:')
    db.execute(f'create virtual table docs using fts5(text{options})')
    db.executemany('insert into docs values (?)', [(t,) for t in texts])
    db.execute("create virtual table words using fts5vocab('docs', 'instance')")
    words = [[w for w, in db.execute('select term from words where doc = ? order by offset', (i + 1,))]
             for i in range(len(texts))]
    return words, lambda q: [t for t, in db.execute('select text from docs where docs match ? order by rowid', (q,))]


marks = ''', tokenize="unicode61 remove_diacritics 0 categories 'L* M* N* Co'"'''
(words, search), (whole, better) = table(''), table(marks)
for text, a, b in zip(texts, words, whole): print(text, 'default:', a, 'with marks:', b)
print('पानी finds', search('पानी'), 'with marks', better('पानी'), '; the word without points finds', search('مكتب'))
assert search('पानी') == ['पानी', 'पुनः', 'पिन'] and search('مكتب') == [] and search('cafe') == ['café']
assert better('पानी') == ['पानी'] and all(len(w) == 1 for w in whole)
assert words[0] == ['प', 'न'] and all(len(w) > 1 for w in words[:-1]) and words[-1] == ['cafe']
PY
