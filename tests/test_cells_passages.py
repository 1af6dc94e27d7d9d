"What the chapters on passages promise and do not show: broken notebooks, odd encodings, traps for patience."
import textwrap

import pytest

from rt_embedding.files import InputError
from rt_embedding.file_kinds import passages
from rt_embedding.file_text import ReadingReport

PROSE = ('Whoever writes a note in an editor of the old kind ends each line by hand. '
         'A reader must join what the margin has cut, or it finds halves of sentences only.')


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path/name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
    return write


def found(path): return [(p['line'], p['text']) for p in passages(path)]


def test_lines_of_a_list_stand_alone_and_wrapped_lines_are_joined(write):
    assert found(write('list.txt', 'one thing\nanother thing\n')) == [(1, 'one thing'), (2, 'another thing')]
    assert found(write('wrapped.txt', textwrap.fill(PROSE, 60))) == [(1, PROSE)]
    prose = write('prose.txt', 'A line that is\nwrapped.\n\nThe next.\n')
    assert found(prose) == [(1, 'A line that is wrapped.'), (4, 'The next.')]
    facts = [f'the town of {w} lies north of the old river and has a school' for w in ('Aa', 'Bee', 'Ceedee')]
    assert len(found(write('facts.txt', '\n'.join(facts)))) == 3                     # full lines, but none goes on


@pytest.mark.parametrize('broken', ['{"cells": ', '[1]', '{"cells": 5}', '['*100_000])
def test_broken_notebooks_are_refused(write, broken):
    with pytest.raises(InputError, match='not a notebook'): passages(write('bad.ipynb', broken))


def test_odd_cells_of_a_notebook_are_passed_over(write):
    cells = '{"cells": [3, null, {"cell_type": "code", "source": [1, "+2"]}]}'
    assert [text for _, text in found(write('odd.ipynb', cells))] == ['1+2']


@pytest.mark.parametrize('name, content, message', [
    ('picture.txt', b'\x89PNG\0\0', 'PNG'), ('zeros.md', b'some text\0and more', 'binary'),
    ('data.csv', bytes(range(256)), 'binary'), ('packed.txt', b'\x28\xb5\x2f\xfd123', 'zstandard'),
    ('table.json', b'PAR1\x15\0', 'parquet'), ('page.html', b'%PDF-1.4', 'PDF')])
def test_what_only_looks_like_text_is_refused(write, name, content, message):
    with pytest.raises(InputError, match=message): passages(write(name, content))


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be', 'utf-8-sig', 'utf-32', 'cp1252'])
@pytest.mark.parametrize('suffix', ['.txt', '.md', '.py', '.csv', '.html'])
def test_every_encoding_gives_the_same_text(write, encoding, suffix):
    text = 'Ein Café am Fluss ist schön für müde Füße und für alle die viel laufen.'
    assert text in ' '.join(t for _, t in found(write(f'a{suffix}', text.encode(encoding))))


def test_one_bad_byte_does_not_lose_a_file(write):
    path, report = write('a.txt', 'naïve café, crème brûlée\n\nthe end'.encode() + b' \xe9'), ReadingReport()
    assert [p['text'] for p in passages(path, report=report)] == ['naïve café, crème brûlée', 'the end \ufffd']
    assert report.lines() == ['1 file with bytes that are no characters, shown as \ufffd: a.txt']
    report = ReadingReport()
    assert [p['text'] for p in passages(write('b.txt', b'fine\ncaf\xe9\n'), report=report)] == ['fine', 'café']
    assert report.lines() == ['1 file read as cp1252, which is a guess: b.txt']


def test_a_web_page_may_name_its_character_set(write):
    page = '<meta charset="latin-1"><p>Ein Café am Fluss.'.encode('latin-1')
    assert found(write('old.html', page)) == [(1, 'Ein Café am Fluss.')]


@pytest.mark.parametrize('suffix, text', [
    ('.md', '# ' + ' '*20_000 + 'x' + ' '*20_000 + 'y'),   # all ways to share the spaces are too many
    ('.html', '<!--'*30_000), ('.html', '<!['),
    ('.txt', '\n\n' + 'a line without an end\n'*20_000)])
def test_traps_for_patience(write, suffix, text):
    "Each of the first three once hung or crashed the reader; it must come back, with passages or a refusal."
    try: passages(write(f'trap{suffix}', text))
    except InputError: pass
