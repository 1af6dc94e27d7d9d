"An index in memory and on disk: equal texts, ties, and every kind of damage."
from pathlib import Path

import numpy as np
import pytest

from rt_embedding.files import InputError
from rt_embedding.index_files import read_index_header
from rt_embedding.search import SemanticIndex

PLANE = {'q': (1, 0), 'near': (1, 0), 'far': (.5, .866), 'between': (.9, .436)}


def encode(batch): return np.array([PLANE.get(text, (0, 1)) for text in batch], np.float32)


@pytest.fixture
def index(tmp_path):
    SemanticIndex.build(encode, ['near', 'between', 'far']).save(tmp_path/'index')
    return tmp_path/'index'


def test_of_equal_texts_the_best_is_shown():
    index = SemanticIndex.build(encode, ['near', 'between', 'far'], [dict(text=t) for t in ('A', 'B', 'A')])
    found = [(h.rank, h.entry['text'], round(h.score, 1)) for h in index.search('q', 2, distinct=True)]
    assert found == [(1, 'A', 1.0), (2, 'B', .9)]


def test_of_equal_scores_the_first_row_comes_first():
    index = SemanticIndex.build(encode, [f'same words {"x"*i}' for i in range(300)])
    assert [h.row for h in index.search('same', 5, hybrid=True, lexical_weight=1.)] == [0, 1, 2, 3, 4]


def test_another_folder_is_not_replaced(tmp_path):
    (tmp_path/'shards').mkdir()
    (tmp_path/'shards'/'header.json').write_text('{"format_version": 1}')
    index = SemanticIndex.build(encode, ['near'])
    with pytest.raises(InputError, match='exists already'): index.save(tmp_path/'shards')


def test_a_torn_or_changed_file_is_damage(index):
    place = index/read_index_header(index).folder
    data = (place/'vectors.npy').read_bytes()
    (place/'vectors.npy').write_bytes(data[:-4])
    with pytest.raises(InputError, match='vectors.npy changed'): SemanticIndex.load(index)
    (place/'vectors.npy').write_bytes(data)
    SemanticIndex.load(index)
    (place/'entries.jsonl').write_text('{"text": "one"}\n')
    with pytest.raises(InputError, match='entries.jsonl changed'): SemanticIndex.load(index)


@pytest.mark.parametrize('old, new, says', [
    (None, '{', 'not a whole index'), (None, '[]', 'JSON object'), (None, '['*50_000, 'not a whole index'),
    ('"format_version":4', '"format_version":1', 'it has format 1'),
    ('"n":3', '"n":8', 'promised'), ('"n":3', '"n":"x"', 'got `str` - at `$.n`'), ('"n":3', '"n":true', 'got `bool`'),
    ('"n":3', '"n":0', '>= 1'), ('"embedding_dim":2', '"embedding_dim":-2', '>= 1'), ('"n":3', '"n":1e400', '`float`'),
    ('"float32"', '"float99"', 'float99'), ('"float32"', '["float32"]', 'got `array`'),
    ('vectors.npy', '../../secret', 'matching regex'), ('vectors.npy', 'other.npy', 'does not list vectors.npy'),
    ('"entries.jsonl":', '"entries.jsonl": 1, "../x":', 'Expected `object`'),
    ('"files.', '"../files.', 'matching regex'), ('"sample":"', '"sample":"x', 'changed after it was written'),
    ('"fingerprint":[', '"fingerprint":["x",', 'Expected `float`'),
    ('"fingerprint":[', '"fingerprint":[NaN,', 'finite numbers'),
    ('"fingerprint":[', '"fingerprint":[1e999,', 'finite numbers')])
def test_the_header_says_what_is_wrong(index, old, new, says):
    path = Path(index/'header.json')
    header = path.read_text()
    assert old is None or old in header
    path.write_text(new if old is None else header.replace(old, new, 1))
    with pytest.raises(InputError) as e: SemanticIndex.load(index)
    assert says in str(e.value) and 'build it again' in str(e.value) and '\n' not in str(e.value), e.value
