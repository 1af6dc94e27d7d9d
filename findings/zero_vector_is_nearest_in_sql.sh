#!/usr/bin/env bash
# One would guess: a zero vector, as many models give for an empty text, is no neighbour of anything.
# What happens: its cosine is NaN, and the usual statements put it first. sqlite-vec hands NaN out as NULL, which
#   SQLite sorts before all numbers: ORDER BY vec_distance_cosine(...) LIMIT k begins with it. In a vec0 table with
#   distance_metric=cosine it also takes the place of a real neighbour, or not, by where it was inserted: as the first
#   row it is the best hit of every query. DuckDB sorts NaN as the largest number: ORDER BY array_cosine_similarity(...)
#   DESC begins with it.
# Who it hurts: stores in which one text was empty or had no known word: it answers every question. Leave zero vectors
#   out, or filter (`WHERE distance IS NOT NULL`, `WHERE NOT isnan(similarity)`) before the LIMIT.
# Seen with sqlite-vec 0.1.9, apsw 3.54.1.0, duckdb 2.0.1, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q sqlite-vec==0.1.9 apsw==3.54.1.0 duckdb==2.0.1
venv/bin/python - <<'PY'
import apsw
import duckdb
import sqlite_vec

query, near, mid, far, zero = [1, 0.1, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]
pack = sqlite_vec.serialize_float32
db = apsw.Connection(':memory:')
db.enable_load_extension(True)
db.load_extension(sqlite_vec.loadable_path())
db.execute('create table plain (name, v)')
db.executemany('insert into plain values (?, ?)', [('near', pack(near)), ('far', pack(far)), ('zero', pack(zero))])
ordered = [n for n, in db.execute('select name from plain order by vec_distance_cosine(v, ?) limit 2', (pack(query),))]


def knn(names):
    db.execute('drop table if exists t')
    db.execute('create virtual table t using vec0(v float[4] distance_metric=cosine)')
    for i, name in enumerate(names): db.execute('insert into t(rowid, v) values (?, ?)', (i, pack(globals()[name])))
    hits = db.execute('select rowid from t where v match ? and k = 2 order by distance', (pack(query),))
    return [names[i] for i, in hits]


first, second, last = (knn(names) for names in (['zero', 'near', 'mid', 'far'], ['near', 'zero', 'mid', 'far'],
                                                ['near', 'mid', 'far', 'zero']))
rows = [(name, v) for name, v in (('near', near), ('far', far), ('zero', zero))]
con = duckdb.connect()
con.execute('create table plain (name varchar, v float[4])')
con.executemany('insert into plain values (?, ?)', rows)
answer = con.execute('select name from plain order by array_cosine_similarity(v, ?::float[4]) desc limit 2', [query])
similar = [n for n, in answer.fetchall()]
print('sqlite-vec, order by distance:', ordered, '; vec0, zero vector first', first, 'second', second, 'last', last)
print('duckdb, order by similarity desc:', similar)
assert ordered == ['zero', 'near'] and similar == ['zero', 'near']
assert first[0] == 'zero' and set(second) == {'near', 'zero'} and last == ['near', 'mid']
PY
