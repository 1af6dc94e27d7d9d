"Files that people have, as corpus, pairs and runs: what they hold is read, and what is not read is said."
import json
from pathlib import Path

import pytest

from rt_embedding.sources import make_corpus


@pytest.mark.parametrize('name, content', [
    ('a.md', '---\ntags: [x]\n---\n# Garden\n\nRoses [like](http://a.b) sun. They\ndrink at night.\n\n```\ncode()\n```\n'),
    ('a.html', '<html><head><style>p {}</style></head><body><h1>Garden</h1><p>Roses <b>like</b> sun. They drink at '
               'night.</p><pre>code()</pre></body></html>'),
    ('a.rst', 'Garden\n======\n\nRoses :ref:`like <x>` sun. They\ndrink at night.\n\n.. code:: python\n\n   code()\n'),
    ('a.ipynb', json.dumps(dict(cells=[
        dict(cell_type='markdown', source='# Garden\n\nRoses *like* sun. They\ndrink at night.'),
        dict(cell_type='code', source='code()', outputs=[dict(text='1')])])))])
def test_a_corpus_of_documents_has_no_markup(name, content, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path('docs').mkdir()
    Path('docs', name).write_text(content)
    assert make_corpus('docs', 'c.txt', 'p.tsv') == dict(sentences=3, pairs=1)
    assert Path('c.txt').read_text() == 'Garden\nRoses like sun.\nThey drink at night.\n'
    assert Path('p.tsv').read_text() == 'Roses like sun.\tThey drink at night.\n'
    assert 'passed over: 1 blocks of code' in capsys.readouterr().out
