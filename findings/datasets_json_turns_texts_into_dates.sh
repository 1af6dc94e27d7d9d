#!/usr/bin/env bash
# One would guess: a JSON string read by `load_dataset("json")` is a string.
# What happens: a column whose strings all look like dates becomes timestamps, and its values datetime objects: a file
#   of pairs about dates has an anchor that no tokenizer takes, while one other word in the column keeps all of them
#   text. Asking for Value("string") does not bring the text back: it reads "2020-01-01 00:00:00".
# Who it hurts: training pairs such as (date, event), titles of daily pages, log lines. Read JSON lines with the json
#   module.
# Seen with datasets 5.2.0, pyarrow 26.0.1, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q datasets==5.2.0 pyarrow==26.0.1
venv/bin/python - <<'PY'
import json
from pathlib import Path

from datasets import Features, Value, load_dataset


def read(values, **how):
    name = f'pairs{len(list(Path().glob("pairs*")))}.jsonl'
    Path(name).write_text(''.join(json.dumps(dict(anchor=v, positive='a day')) + '\n' for v in values))
    return load_dataset('json', data_files=name, split='train', cache_dir='cache', **how)


dates, mixed = read(['2020-01-01', '2021-05-05']), read(['2020-01-01', 'spring'])
kept = read(['2020-01-01', '2021-05-05'], features=Features(anchor=Value('string'), positive=Value('string')))
for found in (dates, mixed, kept): print(found.features['anchor'], repr(found[0]['anchor']))
assert dates.features['anchor'] == Value('timestamp[s]') and not isinstance(dates[0]['anchor'], str)
assert mixed[0]['anchor'] == '2020-01-01' and kept[0]['anchor'] == '2020-01-01 00:00:00'
PY
