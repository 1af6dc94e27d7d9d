"What chapter 10a promises and does not show: broken notebooks, files that only look like text, traps for patience."
import textwrap

import pytest

from rt_embedding.files import InputError
from rt_embedding.file_kinds import passages

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
    ('picture.txt', b'\x89PNG\0\0', 'zero bytes'), ('utf16.txt', 'text'.encode('utf-16'), 'UTF-16'),
    ('latin.txt', b'fine\ncaf\xe9\n', 'line 2: not UTF-8'), ('worse.html', b'<p>caf\xe9', 'no charset that is named')])
def test_what_only_looks_like_text_is_refused(write, name, content, message):
    with pytest.raises(InputError, match=message): passages(write(name, content))


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
