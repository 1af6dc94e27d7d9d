"Run notebooks from top to bottom and store their outputs: `python tools/run_notebooks.py [nbs/02_rope.ipynb ...]`."
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbdev.clean import clean_nb, process_write

root = Path(__file__).resolve().parent.parent
for path in [Path(p) for p in sys.argv[1:]] or sorted((root/'nbs').glob('*.ipynb')):
    nb = nbformat.read(path, 4)
    NotebookClient(nb, timeout=900, kernel_name='python3', resources={'metadata': {'path': str(root/'nbs')}}).execute()
    nbformat.write(nb, path)
    process_write(warn_msg='cleaning', proc_nb=clean_nb, f_in=str(path))
    print(f'{path.name}: {path.stat().st_size/1e6:.2f} MB')
