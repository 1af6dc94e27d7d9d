"Files that people have, as corpus, pairs and runs: what they hold is read, and what is not read is said."
import json
from pathlib import Path

import numpy as np
import pytest
from loguru import logger

from rt_embedding.files import InputError
from rt_embedding.index_updates import read_sources, update_index
from rt_embedding.pairfiles import row_pairs
from rt_embedding.runningtext import load_pairs, open_text
from rt_embedding.search import SemanticIndex
from rt_embedding.sources import make_corpus
from rt_embedding.tables import file_rows, sniff


@pytest.mark.parametrize('name, content', [
    ('a.md', '---\ntags: [x]\n---\n# Garden\n\nRoses [like](http://a.b) sun. They\ndrink at night.\n\n'
             '```\ncode()\n```\n'),
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


def _encode(texts):
    v = np.array([[len(t), t.count('e') + 1, t.count('o') + 1] for t in texts], float)
    return v/np.linalg.norm(v, axis=1, keepdims=True)


def test_an_index_that_moved_with_its_files_shows_where_they_are(tmp_path):
    (tmp_path/'here'/'docs').mkdir(parents=True)
    (tmp_path/'here'/'docs'/'a.md').write_text('Roses like sun and they drink at night.')
    update_index(tmp_path/'here'/'index', _encode, tmp_path/'here'/'docs')
    (tmp_path/'here').rename(tmp_path/'there')
    index = SemanticIndex.load(tmp_path/'there'/'index', _encode)
    assert index.search('roses', 1)[0].entry['file'] == (tmp_path/'there'/'docs'/'a.md').as_posix()
    _, counts = update_index(tmp_path/'there'/'index', _encode)          # its inputs need not be named again
    assert (counts['unchanged'], counts['encoded']) == (1, 0)
    assert read_sources(tmp_path/'there'/'index')['inputs'] == [str(tmp_path/'there'/'docs')]
    (tmp_path/'there'/'docs').rename(tmp_path/'elsewhere')
    said = []
    sink = logger.add(lambda m: said.append(m.record['message']))
    SemanticIndex.load(tmp_path/'there'/'index', _encode)
    logger.remove(sink)
    assert len(said) == 1 and 'does not exist any more' in said[0] and '--input' in said[0]


PAIRS = [('a dog', 'a hound'), ('a cat', 'a feline')]


@pytest.mark.parametrize('name, content', [
    ('a.json', dict(anchor={'0': 'a dog', '1': 'a cat'}, positive={'0': 'a hound', '1': 'a feline'})),
    ('a.json', dict(columns=['anchor', 'positive'], index=[0, 1], data=PAIRS)),
    ('a.json', {str(i): dict(anchor=a, positive=b) for i, (a, b) in enumerate(PAIRS)}),
    ('a.jsonl', [dict(messages=[dict(role='user', content=a), dict(role='assistant', content=b)]) for a, b in PAIRS]),
    ('a.json', [dict(conversations=[{'from': 'human', 'value': a}, {'from': 'gpt', 'value': b}]) for a, b in PAIRS]),
    ('a.jsonl', [dict(instruction=a[:1], input=a[2:], output=b) for a, b in PAIRS]),
    ('a.jsonl', [dict(prompt=a, completion=b) for a, b in PAIRS]),
    ('a.jsonl', [dict(question=a, context=b, id=str(i)) for i, (a, b) in enumerate(PAIRS)]),
    ('a.tsv', 'en\tde\na dog\ta hound\na cat\ta feline\n'), ('a.csv', '\ufeffsep=;\nSource;Target\n'
                                                             'a dog;a hound\n"a cat";a feline\n')])
def test_pairs_as_people_have_them(name, content, tmp_path):
    path = tmp_path/name
    if name.endswith('l'): content = ''.join(json.dumps(row) + '\n' for row in content)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding='utf-8')
    found = load_pairs(path)
    assert found == PAIRS and not found.left_out


@pytest.mark.parametrize('rows, unread', [
    ([dict(question='a b', answer='c', remark='not sure'), dict(question='d', answer='e', remark='-')],
     {'a text named remark': 1}),
    ([dict(messages=[dict(role=r, content=r) for r in ('system', 'user', 'assistant')])]*2,
     {'a turn of a conversation that is no question with an answer': 2})])
def test_what_is_not_read_in_a_file_of_pairs_is_counted(rows, unread, tmp_path):
    (tmp_path/'a.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    assert row_pairs(file_rows(tmp_path/'a.jsonl', *sniff(tmp_path/'a.jsonl')), 'a').left_out == unread


def test_the_verdicts_of_an_annotator_are_no_texts(tmp_path):
    rows = [dict(text='Uber grows', answer='accept', spans=[dict(start=0)]), dict(text='It rains', answer='reject')]
    (tmp_path/'a.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    said = []
    kind, lines = open_text(tmp_path/'a.jsonl', said.append)
    assert (kind, [t for _, t in lines if t]) == ('text', ['Uber grows', 'It rains'])
    assert said[0].endswith('not read: answer, spans')


def test_topics_in_a_third_column_are_no_hard_negatives(tmp_path):
    cards = ''.join(f'a dog {i}\tein Hund {i}\tanimals\n' for i in range(20))
    (tmp_path/'anki.txt').write_text(f'#separator:tab\n{cards}')
    with pytest.raises(InputError, match='third column holds 1 text in 20 rows'): load_pairs(tmp_path/'anki.txt')
