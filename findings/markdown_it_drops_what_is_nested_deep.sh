#!/usr/bin/env bash
# One would guess: a Markdown parser turns every word into text, or says which it left out.
# What happens: markdown-it-py drops what is nested deeper than `maxNesting` (20 in the preset `commonmark`, 100 in the
# default), without an error, a warning or a token; cells of a table row beyond its header's go as well, by the
# standard of GitHub's dialect.
# Who it hurts: search and translation of machine-made pages: compare the lines of the tokens with those of the page.
# Seen with markdown-it-py 4.3.0, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check markdown-it-py==4.3.0
env/bin/python - <<'P'
from markdown_it import MarkdownIt


def words(page, preset):
    tokens = MarkdownIt(preset).enable('table').parse(page)
    return ' '.join(t.content for t in tokens if t.type == 'inline').split()


for depth in (10, 25, 120):
    print(f'{depth:4} levels:', {preset: words('> '*depth + 'word', preset) for preset in ('commonmark', 'js-default')})
print('a row of three cells:', words('|a|b|\n|-|-|\n|c|d|lost|', 'commonmark'))
assert words('> '*10 + 'word', 'commonmark') == ['word'] and not words('> '*25 + 'word', 'commonmark')
assert words('> '*25 + 'word', 'js-default') == ['word'] and not words('> '*120 + 'word', 'js-default')
assert 'lost' not in words('|a|b|\n|-|-|\n|c|d|lost|', 'commonmark')
P
