"""An index on disk: files that are damaged or forged with checksums that fit, files that are replaced while others
read them, and what killed processes leave."""
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from helpers import ENV
from rt_embedding.files import InputError, sha256_file
from rt_embedding.index_files import checksum, is_index, open_files, read_index_header
from rt_embedding.index_updates import read_sources, update_index
from rt_embedding.search import SemanticIndex

TEXTS = [f'{who} {does}' for who in ('the cat', 'a dog', 'my friend') for does in ('sings', 'paints', 'waits', 'runs')]
N = len(TEXTS)


def encode(batch):
    counts = np.array([[1 + text.count(c) for c in 'aeinorst'] for text in batch], np.float32)
    return counts/np.linalg.norm(counts, axis=1, keepdims=True)


def state(folder): return folder/read_index_header(folder).folder


def save(folder, **kw):
    sources = dict(inputs=['notes'], files={'notes/a.txt': dict(sha256='x', n=N)}, model='')
    SemanticIndex.build(encode, TEXTS, dtype='int8').save(folder, sources, words=True, **kw)
    return folder


@pytest.fixture(scope='module')
def made(tmp_path_factory): return save(tmp_path_factory.mktemp('made')/'index')


@pytest.fixture
def index(made, tmp_path): return Path(shutil.copytree(made, tmp_path/'index'))


def forge(index, name, content):
    "Replace a file, and write fitting checksums, as an attacker does."
    path = state(index)/name
    if callable(content): content(path)
    else: path.write_bytes(content)
    header = json.loads((index/'header.json').read_text())
    header['files'][name] = dict(size=max(1, path.stat().st_size), sample=checksum(path), sha256=sha256_file(path))
    (index/'header.json').write_text(json.dumps(header))


def use_all(index):
    "Everything that is done with an index: each file is opened and used."
    read_sources(index)
    found = SemanticIndex.load(index, encode)
    for hybrid in (False, True): found.search(TEXTS, N, hybrid=hybrid)
    return found


def lines(*first):
    "Files of entries in which the first are as given, with marks that fit."
    def write(path):
        rest = [json.dumps(dict(text=t)).encode() for t in TEXTS[len(first):]]
        all_lines = [line + b'\n' for line in (*first, *rest)]
        path.write_bytes(b''.join(all_lines))
        marks = np.array([(end, zlib.crc32(line)) for end, line in
                          zip(np.cumsum([len(x) for x in all_lines]), all_lines, strict=True)], np.int64)
        np.save(path.parent/'marks.npy', marks)
    return write


def array(change):
    "The same array, changed."
    def write(path):
        changed = change(np.load(path))
        np.save(path, changed, allow_pickle=True)
    return write


def params(**change):
    def write(path): path.write_text(json.dumps(json.loads(path.read_text()) | change))
    return write


def with_value(value):
    def change(a):
        a = a.copy()
        a.reshape(-1)[:] = value
        return a
    return array(change)


DEEP = b'['*20_000
SOURCES = dict(inputs=['notes'], files={'notes/a.txt': dict(sha256='x', n=N)}, model='')
def sources(**change): return json.dumps(SOURCES | change).encode()


FORGED = {
    'entries.jsonl': [lines(b'{"text": 7}'), lines(b'{"text": null}'), lines(b'{"name": "x"}'), lines(b'[]'),
                      lines(b'"x"'), lines(b'17'), lines(b'null'), lines(b'{'), lines(b''), lines(b'\xff\xfe'),
                      lines(b'{"text": "a", "line": "third"}'), lines(b'{"text": "a", "name": ["x"]}'),
                      lines(b'{"text": "a", "file": {"x": 1}}'), lines(b'{"text": "a", "line": ' + b'9'*5000 + b'}'),
                      lines(DEEP), lines(b'{"text": "a", "more": ' + DEEP), b'x'],
    'marks.npy': [array(lambda a: a.astype(np.int32)), array(lambda a: a[1:]), array(lambda a: a.T.copy()),
                  array(lambda a: -a), array(lambda a: a + 5), array(lambda a: a[::-1].copy()),
                  array(lambda a: np.full_like(a, 1 << 62)), array(lambda a: np.asfortranarray(a)),
                  array(lambda a: a.astype(object)), b'', b'no array', b'\x93NUMPY\x01\x00\x10\x00' + b'('*4000],
    'vectors.npy': [array(lambda a: a.astype(np.float32)), array(lambda a: a[:, 1:].copy()), array(lambda a: a[1:]),
                    with_value(np.nan), with_value(np.inf), with_value(6e4), array(lambda a: 3*a), b'PK\x03\x04',
                    array(lambda a: np.array([{}]))],
    'codes.npy': [array(lambda a: a.astype(np.int16)), array(lambda a: a[1:]), b'x'],
    'scales.npy': [with_value(np.nan), with_value(np.inf), array(lambda a: a[1:]),
                   array(lambda a: a.astype(np.float64))],
    'sources.json': [b'[]', b'{}', DEEP, b'\xff', sources(files=[]), sources(files={'a': 3}), sources(model=7),
                     sources(files={'a': dict(sha256='x')}), sources(files={'a': dict(sha256=1, n=N)}),
                     sources(files={'a': dict(sha256='x', n='1')}), sources(files={'a': dict(sha256='x', n=-1)}),
                     sources(files={'a': dict(sha256='x', n=N + 1)}), sources(inputs='notes'), sources(inputs=[1])],
    'words/params.index.json': [b'[]', b'7', b'\xff', DEEP, params(unknown=1), params(method='none'),
                                params(dtype='float99'), params(int_dtype={}), params(num_docs=N + 1),
                                params(num_docs='x'), params(num_docs=None), params(backend='none'),
                                params(k1='x', method=[])],
    'words/vocab.index.json': [b'[]', b'{"cat": "x"}', b'{"cat": [1]}', b'{"cat": 1.5}', b'{"cat": 999999999}', DEEP,
                               b'null'],
    'words/data.csc.index.npy': [array(lambda a: a[1:]), array(lambda a: a.astype('U5')), with_value(np.nan),
                                 array(lambda a: a.reshape(1, -1)), b'x'],
    'words/indices.csc.index.npy': [with_value(1 << 30), with_value(N), array(lambda a: a[1:]),
                                    array(lambda a: a.astype(np.float32))],
    'words/indptr.csc.index.npy': [array(lambda a: a[:3]), array(lambda a: a.astype(np.float32)),
                                   array(lambda a: a.reshape(1, -1))],
}


@pytest.mark.parametrize('name', FORGED)
def test_a_forged_file_is_damage_in_one_line(name, made, tmp_path):
    "The checksums fit; what is in the file does not."
    for i, content in enumerate(FORGED[name]):
        index = Path(shutil.copytree(made, tmp_path/f'{i}'))
        forge(index, name, content)
        if name == 'entries.jsonl': forge(index, 'marks.npy', lambda path: None)
        with pytest.raises(InputError, match='is damaged: .* remove it and build it again$') as e: use_all(index)
        assert '\n' not in str(e.value) and len(str(e.value)) < 600, (i, e.value)


def test_a_whole_index_passes_the_same_use(index):
    assert [h[0].entry['text'] for h in use_all(index).search(TEXTS, 1)] == TEXTS
    before = json.loads((index/'header.json').read_text())
    forge(index, 'sources.json', sources())
    assert before['files'].keys() == json.loads((index/'header.json').read_text())['files'].keys()
    use_all(index)


def test_links_and_pipes_are_not_followed(index, tmp_path):
    path = state(index)/'entries.jsonl'
    path.rename(tmp_path/'elsewhere')
    path.symlink_to(tmp_path/'elsewhere')
    with pytest.raises(InputError, match='link out of its folder.*build it again'): SemanticIndex.load(index)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match='not a plain file.*build it again'): SemanticIndex.load(index)


def test_a_graph_that_is_none(index, monkeypatch):
    "Only an index with more vectors than `exact_up_to` opens its graph."
    from rt_embedding.index_updates import grow_graph
    monkeypatch.setattr(SemanticIndex, 'exact_up_to', 5)
    whole = SemanticIndex.build(encode, TEXTS)
    grow_graph(whole)
    whole.save(index, SOURCES)
    assert use_all(index).graph is not None
    def shorter(batch): return encode(batch)[:, :4]/np.linalg.norm(encode(batch)[:, :4], axis=1)[:, None]
    other = SemanticIndex.build(shorter, TEXTS)
    grow_graph(other)
    fewer = SemanticIndex.build(encode, TEXTS[:6])
    grow_graph(fewer)
    good = (state(index)/'graph.usearch').read_bytes()
    for content in (b'', b'no graph', good[:-1], lambda p: other.graph.graph.save(str(p)),
                    lambda p: fewer.graph.graph.save(str(p))):
        forge(index, 'graph.usearch', content)
        with pytest.raises(InputError, match='is damaged: .*build it again'): use_all(index)
    forge(index, 'graph.usearch', good)
    for change in (lambda a: a + 100, lambda a: a[1:], lambda a: a.astype(np.float64), lambda a: a[:0]):
        keys = np.arange(N)
        forge(index, 'keys.npy', lambda p: np.save(p, change(keys)))  # noqa: B023
        with pytest.raises(InputError, match='is damaged: .*build it again'): use_all(index)


def test_every_byte_is_compared_by_an_update(tmp_path):
    "A sample may miss a changed byte of a large file; an update, which goes on with the vectors, must not."
    notes = tmp_path/'notes.txt'
    notes.write_text('\n'.join(TEXTS))
    index, _ = update_index(tmp_path/'i', encode, notes)
    big = SemanticIndex.build(encode, [f'{t} {i}' for t in TEXTS for i in range(4000)])
    big.save(tmp_path/'big')
    path = state(tmp_path/'big')/'vectors.npy'
    data = bytearray(path.read_bytes())
    assert len(data) > 1 << 20
    data[(1 << 14) + 200] ^= 1                        # between the first block of the sample and the second
    path.write_bytes(data)
    SemanticIndex.load(tmp_path/'big')
    with pytest.raises(InputError, match='vectors.npy changed'): SemanticIndex.load(tmp_path/'big', verify=True)
    path = state(tmp_path/'i')/'vectors.npy'
    header = json.loads((tmp_path/'i'/'header.json').read_text())
    header['files']['vectors.npy']['sha256'] = '0'*64
    (tmp_path/'i'/'header.json').write_text(json.dumps(header))
    notes.write_text('\n'.join(TEXTS[1:]))
    with pytest.raises(InputError, match='vectors.npy changed.*build it again'): update_index(tmp_path/'i', encode)


WRITES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import numpy as np
from test_index_files import TEXTS, encode
from rt_embedding.search import SemanticIndex
states = [SemanticIndex.build(encode, TEXTS[:n]) for n in (4, 8, 12)]
print('ready', flush=True)
for i in range(36): states[i % 3].save(sys.argv[1], words=i % 2 == 0)
"""


def test_a_reader_sees_the_old_or_the_new_one(tmp_path):
    "Never a mixture, and never none, while another process replaces the index as often as it can."
    folder = tmp_path/'index'
    SemanticIndex.build(encode, TEXTS[:4]).save(folder)
    writer = subprocess.Popen([sys.executable, '-c', WRITES, folder, Path(__file__).parent], stdout=subprocess.PIPE,
                              text=True, env=ENV)
    assert writer.stdout.readline() == 'ready\n'
    states, seen, wrong, done = {4: TEXTS[:4], 8: TEXTS[:8], 12: TEXTS}, set(), [], threading.Event()
    def read():
        while not done.is_set():
            try:
                found = SemanticIndex.load(folder, encode)
                seen.add(len(found))
                best = [h.entry['text'] for hits in found.search(states[len(found)], 1) for h in hits]
                words = found.search('a dog', 3, hybrid=True)
                assert best == states[len(found)] and len(words) == 3 and is_index(folder)
            except BaseException as e: wrong.append(e)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for r in readers: r.start()
    assert writer.wait(60) == 0
    done.set()
    for r in readers: r.join()
    assert not wrong, wrong[:3]
    assert len(seen) > 1
    assert len(list(folder.iterdir())) == 2  # the header and one state


def test_a_reader_keeps_what_it_has_opened(tmp_path):
    "An index that is open goes on answering from the old files when they are replaced, by words as well."
    first = SemanticIndex.build(encode, TEXTS)
    first.save(tmp_path/'i', words=True)
    opened = SemanticIndex.load(tmp_path/'i', encode)
    SemanticIndex.build(encode, TEXTS[:3]).save(tmp_path/'i')
    assert opened.search(TEXTS[-1], 3, hybrid=True) == first.search(TEXTS[-1], 3, hybrid=True)


STOPS = """
import sys, threading
sys.path.insert(0, sys.argv[2])
from test_index_files import TEXTS, encode
from rt_embedding import index_files
from rt_embedding.search import SemanticIndex
real = getattr(index_files, sys.argv[3])
def stop(*a, **kw):
    if sys.argv[4] == 'after': real(*a, **kw)
    print('here', flush=True)
    threading.Event().wait()
setattr(index_files, sys.argv[3], stop)
SemanticIndex.build(encode, TEXTS[:5]).save(sys.argv[1])
"""


@pytest.mark.parametrize('step, when, n', [('atomic_folder', 'before', N), ('atomic_file', 'before', N),
                                           ('tidy_files', 'before', 5), ('tidy_files', 'after', 5)])
def test_killed_at_each_step(index, step, when, n):
    "Before the header is replaced the old index is whole, after it the new one; the next save removes what is left."
    p = subprocess.Popen([sys.executable, '-c', STOPS, index, Path(__file__).parent, step, when],
                         stdout=subprocess.PIPE, text=True, env=ENV)
    assert p.stdout.readline() == 'here\n'
    p.send_signal(signal.SIGKILL)
    p.communicate()
    assert len(SemanticIndex.load(index, encode, verify=True)) == n
    save(index)
    assert sorted(p.name for p in index.iterdir()) == sorted(['header.json', state(index).name])
    use_all(index)


def test_a_full_disk_leaves_the_old_index(index, monkeypatch):
    def full(*a, **kw): raise OSError(28, 'No space left on device')
    before = {p: p.read_bytes() for p in index.rglob('*') if p.is_file()}
    for name in ('save', 'memmap'):
        with monkeypatch.context() as m:
            m.setattr(np, name, full)
            with pytest.raises((OSError, InputError)): save(index) if name == 'save' else SemanticIndex.load(index)
    assert before == {p: p.read_bytes() for p in index.rglob('*') if p.is_file()}


def test_what_an_older_version_moved_aside_is_found(index):
    index.rename(index.with_name('.index.4711.old'))
    assert len(SemanticIndex.load(index)) == N and not index.with_name('.index.4711.old').exists()


def test_an_index_of_format_3_is_replaced_with_its_files(tmp_path):
    folder = tmp_path/'index'
    (folder/'words').mkdir(parents=True)
    for name in ('vectors.npy', 'entries.jsonl', 'words/x.json', 'mine.txt'): (folder/name).write_text('x')
    (folder/'header.json').write_text(json.dumps(dict(format_version=3, fingerprint=[1.])))
    with pytest.raises(InputError, match='it has format 3.*build it again'): SemanticIndex.load(folder)
    SemanticIndex.build(encode, TEXTS).save(folder)
    assert sorted(p.name for p in folder.iterdir()) == sorted(['header.json', 'mine.txt', state(folder).name])


BUILDS = """
import sys
sys.path.insert(0, sys.argv[2])
from test_index_files import save
from pathlib import Path
save(Path(sys.argv[1]))
"""


def test_two_builds_are_equal_byte_by_byte(tmp_path):
    "Whatever the seed of Python's hashes: sets of strings have no order that lasts."
    made = []
    for seed in ('1', '2'):
        subprocess.run([sys.executable, '-c', BUILDS, tmp_path/seed, Path(__file__).parent], check=True,
                       env=ENV | {'PYTHONHASHSEED': seed})
        place = state(tmp_path/seed)
        made.append({p.relative_to(place).as_posix(): p.read_bytes() for p in place.rglob('*') if p.is_file()})
    assert made[0] == made[1] and 'words/vocab.index.json' in made[0]


def test_a_question_reads_only_what_it_shows(tmp_path):
    "Entries that are not shown may be damaged; the word index is opened by the first question that needs it."
    SemanticIndex.build(encode, TEXTS).save(tmp_path/'i', words=True)
    opened = SemanticIndex.load(tmp_path/'i', encode)
    read, real = [], type(opened.entries).__getitem__
    class Counting(type(opened.entries)):
        def __getitem__(self, i):
            read.append(i)
            return real(self, i)
    opened.entries.__class__ = Counting
    hits = opened.search(TEXTS[0], 3)
    assert sorted(read) == sorted(h.row for h in hits) and opened.word_index is None
    opened.search('cat', 3, hybrid=True)
    assert opened.word_index is not None and len(read) == 6
    assert isinstance(opened.word_index.scores['data'], np.memmap) and isinstance(opened.vectors, np.memmap)


@pytest.mark.parametrize('dtype', ['float32', 'float16', 'int8'])
def test_each_way_to_store_vectors_gives_the_same_answers(tmp_path, dtype):
    exact = SemanticIndex.build(encode, TEXTS)
    SemanticIndex.build(encode, TEXTS, dtype=dtype).save(tmp_path/'i')
    found = SemanticIndex.load(tmp_path/'i', encode)
    assert found.dtype == dtype
    for text in TEXTS:
        a, b = exact.search(text, N), found.search(text, N)
        assert {h.row for h in a} == {h.row for h in b}
        score = {h.row: h.score for h in a}
        assert all(abs(h.score - score[h.row]) < 1e-3 for h in b)


def test_questions_that_are_no_unit_vectors():
    index = SemanticIndex.build(encode, TEXTS)
    for wrong in (np.full((1, 8), np.nan), np.full((1, 8), 1e30), np.zeros((1, 8)), np.ones((1, 8)), np.ones((2, 8))):
        with pytest.raises(InputError): index.search_vectors(wrong, ['x'])
    with pytest.raises(InputError, match='4 dimensions'): index.search_vectors(np.full((1, 4), .5), ['x'])


def test_nothing_of_ours_is_needed_to_read_it(made):
    "Vectors and entries are files that other tools open."
    place = state(made)
    assert np.load(place/'vectors.npy').shape == (N, 8)
    assert [json.loads(line)['text'] for line in (place/'entries.jsonl').read_text().splitlines()] == TEXTS
    assert len(open_files(made, lambda files: files.header.files)) > 5
