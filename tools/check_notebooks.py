"Every notebook is committed executed, without errors or machine paths, small, with ids: `python tools/check_notebooks.py` exits 1 otherwise."
import re
import sys
from pathlib import Path

import nbformat

root = Path(__file__).resolve().parent.parent
PLACES = re.compile(r'/(tmp|root|home|Users|work)/\S*|\S*site-packages/\S*')  # of the machine that ran the notebook
SHOWS = re.compile(r'^(print\(|plot_|ax = |fig, |fig = |plt\.)', re.M)  # at the left margin: such a cell leaves an output


def shown(cell):
    "All text that a cell put out."
    texts = [t for o in cell.outputs for t in [o.get('text', ''), *(v for k, v in o.get('data', {}).items() if k.startswith('text/'))]]
    return '\n'.join(''.join(t) for t in texts)


def problems(path):
    "What is wrong with one notebook, a line each."
    nb = nbformat.read(path, 4)
    if path.stat().st_size > 1.5e6: yield f'{path.name}: over 1.5 MB'
    for k, c in enumerate(nb.cells):
        if not c.get('id'): yield f'{path.name} cell {k}: no id'
        if c.cell_type != 'code' or re.search(r'^#\|\s*(export|eval: *false|slow|cuda|notest)', c.source, re.M): continue
        for o in c.outputs:
            if o.output_type == 'error': yield f'{path.name} cell {k}: error output {o.ename}'
        for place in PLACES.finditer(shown(c)): yield f'{path.name} cell {k}: the output shows a place on this machine, {place[0]:.60}'
        if SHOWS.search(c.source) and not c.outputs: yield f'{path.name} cell {k}: prints or plots, but holds no output: run all before committing'


found = [p for f in sorted((root/'nbs').glob('*.ipynb')) for p in problems(f)]
print('\n'.join(found) or 'all notebooks are executed')
sys.exit(bool(found))
