"Files as they come: packed or not, in any Unicode encoding, under any name; all readers of files use one door."
import bz2
import functools
import gzip
import inspect
import io
import lzma
import sys
import tarfile
import tempfile
import zipfile

import pytest

from rt_embedding import text as rt_text
from rt_embedding.files import InputError
from rt_embedding.text import numbered_lines

LINES = ['The first line, naïve and “quoted”.', 'Der zweite Satz: schön!', '', 'Третья строка, по-русски.',
         '第四行：中文句子。', 'हिन्दी का वाक्य', 'emoji 🎉 too']


def pack_zst(content):
    try: from compression import zstd
    except ImportError: zstd = pytest.importorskip('backports.zstd')
    return zstd.compress(content)


PACKERS = {'plain': bytes, 'gz': gzip.compress, 'xz': lzma.compress, 'bz2': bz2.compress, 'zst': pack_zst}
ENCODINGS = ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32', 'utf-32-le', 'utf-32-be', 'marked-be']


def encoded(encoding):
    text = '\r\n'.join(LINES) + '\r\n'
    return ('\ufeff' + text).encode('utf-16-be') if encoding == 'marked-be' else text.encode(encoding)


@pytest.mark.parametrize('packed', PACKERS)
@pytest.mark.parametrize('encoding', ENCODINGS)
def test_the_bytes_tell(tmp_path, encoding, packed):
    "With its suffix, without one, and under the name of a text file: the same lines."
    content = PACKERS[packed](encoded(encoding))
    for name in ('x.txt', 'x', f'x.txt.{packed}' if packed != 'plain' else 'x.md'):
        (tmp_path/name).write_bytes(content)
        assert list(numbered_lines(tmp_path/name)) == list(enumerate(LINES, 1))


@pytest.mark.parametrize('packed', ['gz', 'xz', 'bz2', 'zst'])
def test_a_packed_file_that_is_cut_off_is_noticed(tmp_path, packed):
    content = PACKERS[packed]('\n'.join(f'line {i*7919 % 10007}' for i in range(9000)).encode())
    (tmp_path/'x').write_bytes(content[:-9])
    with pytest.raises(InputError, match='x: cannot be read'): list(numbered_lines(tmp_path/'x'))
    two = PACKERS[packed](b'one\n') + PACKERS[packed](b'two\n')                     # as `cat` joins them
    (tmp_path/'two').write_bytes(two)
    assert list(numbered_lines(tmp_path/'two')) == [(1, 'one'), (2, 'two')]


def test_zst_without_its_package(tmp_path, monkeypatch):
    for name in ('compression', 'compression.zstd', 'backports', 'backports.zstd'):
        monkeypatch.setitem(__import__('sys').modules, name, None)
    (tmp_path/'x').write_bytes(b'\x28\xb5\x2f\xfd and more')
    with pytest.raises(InputError, match=r"pip install 'rt_embedding\[data\]'"): list(numbered_lines(tmp_path/'x'))


def a_zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as z: z.writestr('a.txt', 'text')
    return out.getvalue()


def a_tar(mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t: t.addfile(tarfile.TarInfo('a.txt'))
    return out.getvalue()


FOREIGN = {'zip': (a_zip(), 'a ZIP archive'), 'tar': (a_tar('w'), 'a tar archive'),
           'tgz': (a_tar('w:gz'), 'a tar archive'),
           'pdf': (b'%PDF-1.7\n%\xe2\xe3\n', 'a PDF'), 'twice': (gzip.compress(bz2.compress(b'x')), 'packed twice'),
           'doc': (b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(99), 'old Microsoft Office'),
           'nul': (b'The first line.\nThe sec\0nd line.\n', 'a NUL byte'),
           'latin': ('Schön ist das.\nUnd gut.\n'.encode('latin-1'), 'not UTF-8'),
           'cyrillic': ('Это строка.\nИ это.\n'.encode('windows-1251'), 'windows-1251')}


@functools.cache
def small_tokenizer():
    from rt_embedding import SentencePieceTokenizer
    from rt_embedding.testing import tiny_tokenizer
    with tempfile.TemporaryDirectory() as folder:
        return SentencePieceTokenizer(tiny_tokenizer(path=f'{folder}/t.model'))


def corpus(path, folder):
    from rt_embedding.sources import make_corpus
    make_corpus(str(path), str(folder/'out.txt'))


def tokenizer(path, folder):
    from rt_embedding.tokenizer import train_tokenizer
    train_tokenizer(path, folder/'t')


def mlm(path, folder):
    from rt_embedding.corpus import build_shards
    build_shards(path, small_tokenizer(), folder/'shards')


def embed(path, folder):
    from rt_embedding.bulk import embed_file
    from rt_embedding import EmbeddingModel
    t = small_tokenizer()
    m = EmbeddingModel(len(t), embedding_dim=8, hidden_dim=8, n_layers=0, n_heads=2, tokenizer=t)
    embed_file(m, path, folder/'v.npy', 8, 8)


def recipe(path, folder):
    from rt_embedding.recipe import FileMaterial
    (folder/'pairs.tsv').write_text('a\tb\nc\td\n')
    list(FileMaterial(path, folder/'pairs.tsv').sentences())


def own_tests(path, folder):
    from rt_embedding.own_tests import collect_tasks
    collect_tasks(corpus=str(path))


def evaluation(option):
    def read(path, folder):
        from rt_embedding.own_tests import collect_tasks
        collect_tasks(**{option: str(path)})
    read.__name__ = option
    return read


def report(path, folder):
    from rt_embedding.description import read_texts
    read_texts(path, 100, 0)


def quickstart(path, folder):
    from rt_embedding.adaptation import _from_text
    _from_text(str(path), 0)


def contrastive(path, folder):
    from rt_embedding.runningtext import load_pairs
    load_pairs(path)


READERS = [corpus, tokenizer, mlm, embed, recipe, own_tests, evaluation('pairs'), evaluation('sts'),
           evaluation('labelled'), report, quickstart, contrastive]


@pytest.mark.parametrize('name', FOREIGN)
@pytest.mark.parametrize('read', READERS, ids=lambda f: f.__name__)
def test_every_command_names_what_is_no_text(tmp_path, read, name):
    content, message = FOREIGN[name]
    (tmp_path/'x.txt').write_bytes(content)
    with pytest.raises(InputError, match=message) as found: read(tmp_path/'x.txt', tmp_path)
    assert '\n' not in str(found.value)


@pytest.mark.parametrize('read', READERS, ids=lambda f: f.__name__)
def test_a_file_that_unpacks_to_one_endless_line(tmp_path, monkeypatch, read):
    "Refused by every command, in one line, after little more than the limit has been unpacked."
    monkeypatch.setattr(rt_text, 'MAX_LINE_BYTES', 1 << 16)
    unpacked, opened = [0], rt_text.open_bytes

    def counting(path):
        file = opened(path)
        if hasattr(file, 'read1') and str(path).endswith('.gz'):
            read1 = file.read1

            def counted(n):
                part = read1(n)
                unpacked[0] += len(part)
                return part
            file.read1 = counted
        return file
    monkeypatch.setattr(rt_text, 'open_bytes', counting)
    (tmp_path/'x.txt.gz').write_bytes(gzip.compress(b'word ' * (1 << 22)))           # 20 MiB
    with pytest.raises(InputError, match='line 1: longer than'): read(tmp_path/'x.txt.gz', tmp_path)
    assert 0 < unpacked[0] <= 1 << 20


@pytest.mark.skipif(sys.version_info >= (3, 12), reason='from 3.12 on, walks need no recursion')
@pytest.mark.parametrize('pattern', ['', '/**/*.txt'])
def test_folders_too_deep_for_a_walk(pattern, tmp_path):
    "A thousand folders in one another, or fewer where less recursion is allowed."
    (tmp_path/'/'.join(['d']*150)).mkdir(parents=True)
    before = sys.getrecursionlimit()
    depth = len(inspect.stack(0))
    sys.setrecursionlimit(depth + 120)
    try:
        with pytest.raises(InputError, match='too deep in one another'): rt_text.expand_paths(f'{tmp_path}{pattern}')
    finally: sys.setrecursionlimit(before)
