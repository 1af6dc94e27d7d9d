"Make README.md from nbs/index.ipynb, without Quarto: `python tools/make_readme.py`."
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

root = Path(__file__).resolve().parent.parent


def readme():
    "The index as Markdown: hidden cells dropped, links to chapters made relative to the top."
    nb = nbformat.read(root/'nbs'/'index.ipynb', 4)
    nb.metadata.language_info = {'name': 'python'}
    nb.cells = [c for c in nb.cells if not re.match(r'#\|\s*hide\s*$', c.source.split('\n')[0])]
    for c in nb.cells:
        if c.cell_type == 'code': c.source = re.sub(r'^#\|.*\n', '', c.source, flags=re.M)
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(r'\]\((\w+\.ipynb)\)', r'](nbs/\1)', text)
    note = '<!-- Made from nbs/index.ipynb by tools/make_readme.py: edit there. -->\n\n'
    return note + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'


if __name__ == '__main__': (root/'README.md').write_text(readme(), encoding='utf-8')
