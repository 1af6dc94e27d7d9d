#!/usr/bin/env bash
# One would guess: asking justhtml where the nodes stand gives the same tree, with places.
# What happens: with track_node_locations=True, an XML declaration, a misplaced doctype and other declarations, which
# the HTML standard makes comments, become text that a reader would see; a comment that is never closed does, too.
# Who it hurts: readers of XHTML and of old pages: take declarations away before parsing, or look up places elsewhere.
# Seen with justhtml 3.16.0, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check justhtml==3.16.0
env/bin/python - <<'P'
from justhtml import JustHTML


def shown(page, locations):
    return JustHTML(page, sanitize=False, track_node_locations=locations).root.to_text()


pages = '<?xml version="1.0"?><p>seen</p>', '<p>seen<!ELEMENT x></p>', '<p>seen<!-- not closed'
for page in pages: print(f'{page!r:40} without places {shown(page, False)!r}, with places {shown(page, True)!r}')
assert all(shown(page, False) == 'seen' != shown(page, True) for page in pages)
P
