"""Run notebooks from top to bottom and store their outputs: `python tools/run_notebooks.py [nbs/02_rope.ipynb ...]`.

Pictures get twice the pixels of their width on the page, for dense screens, and at most 256 colours, which keeps a page
small. `--pictures` stores nothing else: after a change of style the figures that the prose names stay as they are."""
import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbdev.clean import clean_nb, process_write

root = Path(__file__).resolve().parent.parent
SHARP = ['--InlineBackend.figure_formats={"retina"}']  # with the width on the page in the metadata


def smaller(png):
    "The same picture with at most 256 colours, if that saves anything."
    from PIL import Image
    out = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert('RGB')
    picture.quantize(256, dither=Image.Dither.NONE).save(out, 'PNG', optimize=True)
    return min(base64.b64encode(out.getvalue()).decode(), png, key=len)


def pictures(cell): return [o for o in cell.get('outputs', []) if 'image/png' in o.get('data', {})]


def run(path, only_pictures=False):
    "Run one notebook and write it; the names of cells whose pictures could not be exchanged."
    nb, old = nbformat.read(path, 4), nbformat.read(path, 4)
    NotebookClient(nb, timeout=900, kernel_name='python3', extra_arguments=SHARP,
                   resources={'metadata': {'path': str(root/'nbs')}}).execute()
    for o in (o for c in nb.cells for o in pictures(c)): o['data']['image/png'] = smaller(o['data']['image/png'])
    left = []
    if only_pictures:
        for was, now in zip(old.cells, nb.cells, strict=True):
            if len(pictures(was)) != len(pictures(now)): left.append(was.id)
            for o, new in zip(pictures(was), pictures(now)):  # noqa: B905
                o['data']['image/png'], o['metadata'] = new['data']['image/png'], new['metadata']
        nb = old
    nbformat.write(nb, path)
    process_write(warn_msg='cleaning', proc_nb=clean_nb, f_in=str(path))
    return left


if __name__ == '__main__':
    given = [a for a in sys.argv[1:] if a != '--pictures']
    for path in [Path(p) for p in given] or sorted((root/'nbs').glob('*.ipynb')):
        left = run(path, '--pictures' in sys.argv)
        print(f'{path.name}: {path.stat().st_size/1e6:.2f} MB' + f', pictures left as they were: {left}'*bool(left))
