"Make README.md and nbs/overview.svg from nbs/index.ipynb, without Quarto: `python tools/make_readme.py`."
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
        if c.cell_type == 'code' and re.search(r'^#\| echo: false', c.source, re.M): c.source = ''
        if c.cell_type == 'code': c.source = re.sub(r'^#\|.*\n', '', c.source, flags=re.M)
    text, _ = MarkdownExporter().from_notebook_node(nb)
    text = re.sub(r'\]\((\w+\.(?:ipynb|png))((?:#[\w-]+)?)\)', r'](nbs/\1\2)', text)
    text = re.sub(r'!\[svg\]\([^)]*\)', lambda m: f'![{alternative_text()}](nbs/overview.svg)', text)
    text = text.replace('```python\n\n```\n', '')  # what is left of a cell whose source the site does not show
    note = '<!-- Made from nbs/index.ipynb by tools/make_readme.py: edit there. -->\n\n'
    return note + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'


def drawing_cell():
    "The cell of the index that draws the chapters."
    cells = nbformat.read(root/'nbs'/'index.ipynb', 4).cells
    return next(c for c in cells if c.cell_type == 'code'
                and any('image/svg+xml' in o.get('data', {}) for o in c.outputs))


def alternative_text(): return re.search(r'^#\| fig-alt: "(.*)"', drawing_cell().source, re.M)[1]


def overview():
    "The drawing of the index, as it was committed."
    return next(o['data']['image/svg+xml'] for o in drawing_cell().outputs
                if 'image/svg+xml' in o.get('data', {})).strip() + '\n'


if __name__ == '__main__':
    (root/'README.md').write_text(readme(), encoding='utf-8')
    (root/'nbs'/'overview.svg').write_text(overview(), encoding='utf-8')
