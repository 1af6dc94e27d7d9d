#!/usr/bin/env bash
# One would guess: GitIgnoreSpec, made to behave as Git does, ignores the files that Git ignores.
# What happens: a negation below an excluded folder brings a file back for GitIgnoreSpec and not for Git, which does not
#   look into excluded folders: "build/" then "!build/keep.txt", and "*" then "!*.py" for files in folders. (Its
#   documentation says that Git does allow it.) With "build/*" the two agree.
# Who it hurts: tools that pick the files of a repository with pathspec (to index, to pack, to check): they take in
#   files that `git add` leaves out. Ask `git ls-files --others --exclude-standard`, or apply the patterns folder by
#   folder.
# Seen with pathspec 1.1.1, git 2.39.5, Python 3.11, on 2026-11-28.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install -q pathspec==1.1.1
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
git --version
venv/bin/python - <<'PY'
import subprocess
from pathlib import Path

from pathspec import GitIgnoreSpec

files = ['a.py', 'a.txt', 'build/keep.txt', 'build/other.txt', 'src/b.py']
root = Path('repository')
for name in files:
    (root/name).parent.mkdir(parents=True, exist_ok=True)
    (root/name).touch()
subprocess.run(['git', 'init', '-q', root], check=True)
differ = {}
for patterns in (('build/', '!build/keep.txt'), ('build', '!build/keep.txt'), ('*', '!*.py'),
                 ('build/*', '!build/keep.txt'), ('*', '!*/', '!*.py')):
    (root/'.git/info/exclude').write_text('\n'.join(patterns) + '\n')
    listed = subprocess.run(['git', '-C', root, 'ls-files', '--others', '--exclude-standard'], check=True, text=True,
                            capture_output=True).stdout.split()
    spec = GitIgnoreSpec.from_lines(patterns)
    kept = sorted(set(files) - set(spec.match_tree_files(root)))
    assert kept == [f for f in files if not spec.match_file(f)]
    differ[patterns] = sorted(set(kept) - set(listed))
    print(patterns, 'git keeps', listed, ', GitIgnoreSpec also', differ[patterns])
    assert set(listed) <= set(kept)
assert list(differ.values()) == [['build/keep.txt'], ['build/keep.txt'], ['src/b.py'], [], []]
PY
