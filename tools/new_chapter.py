"""Begin a chapter: `python tools/new_chapter.py 11d_rerank rerank "Reranking" "Put the best of ten answers first."`
writes nbs/11d_rerank.ipynb.

A notebook that is there already only gets the first cell for Colab and the link below its title, if they are missing.
"""
import re
import sys

import nbformat
from check_notebooks import COLAB, colab_link, root
from nbformat.v4 import new_code_cell as code, new_markdown_cell as words


def complete(nb, name):
    "Give a notebook the cell and the link for Colab, in place."
    for cell, at in ((code(COLAB, id='colab-install'), 0),
                     (words(colab_link(name), id='colab-link'),
                      1 + next(k for k, c in enumerate(nb.cells) if c.cell_type == 'markdown') + 1)):
        if not any(c.id == cell.id for c in nb.cells): nb.cells.insert(at, cell)
    return nb


def begin(module, title, promise):
    "The skeleton of a chapter: every part that tools/check_notebooks.py asks for, and a toy that runs."
    return nbformat.v4.new_notebook(metadata=dict(kernelspec=dict(display_name='python3', language='python',
                                                                  name='python3')), cells=[
        code(f'#| default_exp {module}'), words(f'# {title}\n\n> {promise}'),
        code('#| export\nfrom rt_embedding.commands import InputError'),
        code('#| hide\nfrom fastcore.test import expect_fail, test_eq'),
        words('## The question\n\nTwo or three sentences: which problem hurts?'),
        code("toy = ['dogs bite', 'the dog bites the man']"),
        words('## The smallest thing that answers it\n\nSay why, and what would surprise the reader.'),
        code(f'#| exports\ndef {module}(\n    texts:list,  # what goes in\n)->int:          # what comes out\n    '
             f'"Say in one line what it does."\n'
             "    if not texts: raise InputError('no texts: give at least one')\n    return max(len(t.split()) for t "
             "in texts)"),
        words('The law it must keep, and what a user may get wrong:'),
        code(f"test_eq({module}(toy), 5)\ntest_eq({module}(toy[::-1]), {module}(toy))  # the order does not "
             f"matter\nwith expect_fail(InputError, contains='no texts'): {module}([])"),
        words('## Takeaways\n\n- One sentence that the reader should keep.\n\n## Exercises\n\n1. A question that '
              'needs this chapter?\n\n'
              f'::: {{.callout-tip collapse="true" title="Answer"}}\nIts answer, and the code that shows '
              f'it.\n\n```python\nassert {module}(toy[:1]) == 2\n```\n:::'),
        code(f'#| hide\nassert {module}(toy[:1]) == 2'), words('Which question does the next chapter open?')])


if __name__ == '__main__':
    name = re.sub(r'^(nbs/)?(.*?)(\.ipynb)?$', r'\2.ipynb', sys.argv[1]) if len(sys.argv) > 1 else ''
    path = root/'nbs'/name
    if len(sys.argv) == 2 and path.is_file(): nb = nbformat.read(path, 4)
    elif len(sys.argv) == 5 and re.fullmatch(r'\d\d[a-z]?_\w+\.ipynb', name) and not path.exists():
        nb = begin(*sys.argv[2:])
    else: sys.exit(__doc__)
    nbformat.write(complete(nb, name), path)
    print(path.relative_to(root))
