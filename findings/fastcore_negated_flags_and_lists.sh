#!/usr/bin/env bash
# One would guess: a boolean parameter `keep_case=True` of `call_parse` is switched off by --no_keep_case or
#   --keep_case False, in the spelling of the other flags; a parameter annotated `list` takes several values.
# What happens: it is switched off by --no-keep_case only, a hyphen and an underscore in one flag; --keep_case itself
#   is unknown; and `--names ab` of a `list` parameter is split into the letters a and b.
# Who it hurts: commands made from functions: document the negated flag, or make the default False; for several values
#   use Param(nargs="+").
# Seen with fastcore 1.12.47, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q fastcore==1.12.47
venv/bin/python - <<'PY'
import subprocess
import sys
from pathlib import Path

Path('command.py').write_text("""
from fastcore.script import call_parse
@call_parse
def main(
    keep_case:bool=True,  # leave capitals alone
    names:list=None,      # some names
):
    print(keep_case, names)
""")


def run(*flags):
    done = subprocess.run([sys.executable, 'command.py', *flags], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


for flags in ([], ['--no-keep_case'], ['--no_keep_case'], ['--keep_case'], ['--names', 'ab'], ['--names', 'a', 'b']):
    print(' '.join(flags) or '(none)', '->', run(*flags))
assert run() == 'True None' and run('--no-keep_case') == 'False None'
assert all('unrecognized arguments' in run(flag) for flag in ('--no_keep_case', '--keep_case'))
assert run('--names', 'ab') == "True ['a', 'b']" and 'unrecognized arguments: b' in run('--names', 'a', 'b')
PY
