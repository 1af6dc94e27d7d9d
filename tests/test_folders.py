"Folders as they are: odd names, links in circles, files that cannot be read or change, and what is said about them."
import gzip
import json
import os
import subprocess

import pytest

from helpers import refused, run
from rt_embedding.encoder import EmbeddingModel
from rt_embedding.file_kinds import FILE_KINDS, passages
from rt_embedding.file_text import ReadingReport
from rt_embedding.files import InputError
from rt_embedding.index_updates import update_index
from rt_embedding.input_files import read_source, source_files
from rt_embedding.passages import fit_entries, pack, passage_length
from rt_embedding.search import SemanticIndex
from rt_embedding.search_command import index_passages
from rt_embedding.testing import tiny_pairs, tiny_texts, tiny_tokenizer
from rt_embedding.tokenizer import SentencePieceTokenizer

WORDS = 'we walk along the river and look at the old bridge'


@pytest.fixture(scope='module')
def tokenizer(tmp_path_factory):
    texts = [*tiny_texts(), *(t for p in tiny_pairs() for t in p),
             '猫 喜 欢 在 花 园 里 散 步', 'किताब पढ़ना', 'ภาษาไทย']
    return SentencePieceTokenizer(tiny_tokenizer(400, texts, tmp_path_factory.mktemp('tokenizer')/'t.model'))


def model_of(tokenizer, context):
    return EmbeddingModel(len(tokenizer), embedding_dim=8, context_window=context, hidden_dim=8, n_layers=0, n_heads=1,
                          tokenizer=tokenizer).eval()


@pytest.fixture
def folder(tmp_path):
    (tmp_path/'home').mkdir()
    return tmp_path/'home'


def write(path, content='a few words'):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def names(folder, **kw): return [p.relative_to(folder).as_posix() for p in source_files(folder, **kw)]


# ---- passages fit the model

HARD = {'talk': 'so we talked and '*60, 'chinese': '猫喜欢在花园里散步'*40, 'hindi': 'किताब पढ़ना '*50,
        'thai': 'ภาษาไทย'*60, 'code': 'self.weights[i][j] += rate*(target[j] - output[j]) '*30, 'data': 'QUJD'*3000,
        'address': 'https://example.org/' + 'a/b?c='*300, 'emoji': '👍🏽👨\u200d👩\u200d👧 '*200, 'marks': '…—'*400,
        'spaces': 'a\u00a0b\u3000c\u2003'*100,
        'table': '| cat | dog |\n'*80, 'sentences': 'It rained all day. We stayed at home. '*30}


@pytest.mark.parametrize('context', [16, 128])
@pytest.mark.parametrize('suffix', ['.txt', '.md', '.py', '.csv', '.json', '.html', '.rst'])
def test_no_passage_is_beyond_the_context(folder, tokenizer, context, suffix):
    for kind, text in HARD.items():
        content = json.dumps({'text': text, 'n': 1}) if suffix == '.json' else text
        entries = passages(write(folder/f'{kind}{suffix}', content), model_of(tokenizer, context))
        wordless = kind in ('marks', 'emoji') or kind == 'address' and suffix in ('.md', '.rst')
        assert entries or wordless, (kind, suffix)
        sizes = tokenizer.token_counts([e['text'] for e in entries])
        assert (sizes <= context).all(), (kind, suffix, sizes.max())


def test_nothing_of_a_long_text_is_lost(tokenizer):
    for kind in ('talk', 'chinese', 'hindi', 'thai', 'address', 'data'):
        parts = [t for t, _ in pack([(1, HARD[kind])], model_of(tokenizer, 32))]
        assert len(parts) > 3 and ''.join(parts).replace(' ', '') == HARD[kind].replace(' ', '')


def test_a_longer_context_gives_longer_passages(folder, tokenizer):
    path = write(folder/'a.txt', HARD['sentences']*5)
    found = [passages(path, model_of(tokenizer, n)) for n in (16, 64, 256)] + [passages(path)]
    sizes = [tokenizer.token_counts([e['text'] for e in f]).mean() for f in found]
    assert sizes[0] < sizes[1] < sizes[2]
    assert len(found[3]) > 5                                     # without a model a default length applies


def test_a_tokenizer_of_hugging_face_is_counted_too(tokenizer):
    class Fast:
        def __call__(self, texts, add_special_tokens): return dict(input_ids=tokenizer.encode_ordinary(texts))
        def convert_tokens_to_ids(self): pass
        def num_special_tokens_to_add(self): return 2
        def __len__(self): return 400
    model = type('Model', (), dict(tokenizer=Fast(), max_seq_length=32))()
    assert passage_length(model).room == 30
    assert (tokenizer.token_counts([t for t, _ in pack([(1, HARD['talk'])], model)]) <= 32).all()


def test_entries_of_the_documentation_are_cut_too(tokenizer):
    model = model_of(tokenizer, 32)
    cut = fit_entries([dict(text=HARD['talk'], name='talk', line=3), dict(text='short', name='s')], model)
    assert (tokenizer.token_counts([e['text'] for e in cut]) <= 32).all()
    assert {(e['name'], e.get('line')) for e in cut} == {('talk', 3), ('s', None)}


def test_the_text_of_a_passage_is_never_cut_while_encoding(folder, tokenizer):
    write(folder/'a.md', '# Head\n\n' + HARD['talk'] + '\n\n' + HARD['chinese'])
    model = model_of(tokenizer, 32)
    index = index_passages(model, folder)
    model.encode([e['text'] for e in index.entries], on_truncate='error')
    assert len(index) > 3                                          # of equal passages one


def test_a_page_in_a_script_that_the_model_does_not_know_is_cut_too(tokenizer):
    page = [(1, '龍鳳麟龜'*200)]
    assert len(tokenizer.encode_ordinary([page[0][1]])[0]) < 5              # one run of unknown characters
    assert len(list(pack(page, model_of(tokenizer, 32)))) > 20


# ---- which files

@pytest.mark.parametrize('suffix', sorted(set(FILE_KINDS) - {'.pdf', '.docx', '.ipynb'}))
def test_every_kind_gives_what_stands_in_it_packed_or_not(folder, suffix):
    content = '{"text": "%s"}' % WORDS if 'json' in suffix else WORDS
    plain = passages(write(folder/f'a{suffix}', content))
    packed = passages(write(folder/f'b{suffix}.gz', gzip.compress(content.encode())))
    assert WORDS in plain[0]['text'] and [e['text'] for e in plain] == [e['text'] for e in packed]
    assert sorted(names(folder)) == [f'a{suffix}', f'b{suffix}.gz']


def test_what_is_passed_over_is_counted_by_kind(folder):
    for name in ('a.png', 'b.png', 'c.svg', 'data.xyz', 'notes.md', 'app.min.js', 'README'): write(folder/name)
    write(folder/'empty.md', '')
    write(folder/'fake.txt', b'\x89PNG\r\n\0\0')
    write(folder/'void.md', '---\n')
    report = ReadingReport()
    for source in source_files(folder, report): read_source(source, report=report)
    assert report.passed == {'.png': 2, '.svg': 1, '.xyz': 1, 'made by tools': 1, 'empty': 1, 'PNG': 1}
    assert report.lines() == [report.lines()[0], '1 file gave no passage: void.md']


def test_without_the_extra_the_files_that_need_it_are_counted(folder, monkeypatch):
    write(folder/'a.pdf', b'%PDF-1.4')
    write(folder/'notes.md')
    monkeypatch.setattr('rt_embedding.input_files.find_spec', lambda name: None)
    report = ReadingReport()
    assert [p.name for p in source_files(folder, report)] == ['notes.md']
    assert report.lines() == ["passed over: 1 .pdf (pip install 'rt_embedding[files]')"]


def git(folder, *args): subprocess.run(['git', '-C', str(folder), *args], check=True, capture_output=True)


def test_gitignore_is_read_as_git_reads_it(folder):
    git(folder, 'init', '-q')
    rules = '*.log.txt|/build/|!keep.log.txt|docs/**/out|# no.md|\\#odd.md|trail.md |sub/*.rst|'
    write(folder/'.gitignore', rules.replace('|', '\n'))
    write(folder/'deep/.gitignore', '!*.log.txt\nlocal.md\n')
    write(folder/'.git/info/exclude', 'private.md\n')
    for name in ('a.log.txt', 'keep.log.txt', 'build/x.md', 'src/build/x.md', 'docs/a/b/out/x.md', 'docs/out.md',
                 'no.md', '#odd.md', 'trail.md', 'sub/a.rst', 'sub/deeper/a.rst', 'deep/a.log.txt', 'deep/local.md',
                 'local.md', 'private.md', 'deep/private.md', 'docs/out/x.md'): write(folder/name)
    listed = subprocess.run(['git', '-C', str(folder), 'ls-files', '-co', '--exclude-standard', '-z'], check=True,
                            capture_output=True, text=True).stdout.split('\0')
    assert names(folder) == sorted(n for n in listed if n and not n.rpartition('/')[2].startswith('.'))
    assert names(folder/'deep') == ['a.log.txt']                      # the rules of the repository hold below it, too
    assert names(folder/'build') == ['x.md']                          # unless they exclude what was named
    assert 'build/x.md' in names(folder, gitignore=False)


@pytest.mark.skipif(os.name != 'posix', reason='links and modes of POSIX')
def test_links_pipes_and_odd_names(folder):
    write(folder/'notes.md')
    (folder/'circle').symlink_to(folder)
    (folder/'self.md').symlink_to(folder/'self.md')
    (folder/'gone.md').symlink_to(folder/'none.md')
    (folder/'link.md').symlink_to(folder/'notes.md')
    os.mkfifo(folder/'pipe.md')
    odd = ['line\nbreak.md', 'tab\t.md', ' .md', '-rf.md', '%s{0}.md', '名前.md', 'a'*240 + '.md', '\x1b[31m.md']
    for name in odd: write(folder/name)
    with open(os.fsencode(folder) + b'/caf\xe9.md', 'w') as f: f.write('a few words')
    report = ReadingReport()
    found = source_files(folder, report)
    assert {'notes.md', 'link.md', *odd} < {p.name for p in found} and len(found) == 11
    assert report.passed == {'broken link': 2, 'no regular file': 1}
    entries = [e for p in found for e in read_source(p, report=report)]
    assert len(entries) == 11
    encode = lambda texts: [[1.]]*len(texts)
    update_index(folder.parent/'index', encode, folder)
    assert len(SemanticIndex.load(folder.parent/'index').entries) == 11


def test_a_very_deep_tree_and_a_very_long_line(folder):
    here = os.getcwd()
    deep = folder
    for _ in range(150): deep = deep/'dir'
    write(deep/'a.md')
    write(folder/'long.txt', 'word '*400_000)
    write(folder/'endless.py', 'x'*1_000_000)
    assert len(source_files(folder)) == 3 and os.getcwd() == here
    assert len(passages(folder/'long.txt')) > 5000 and len(passages(folder/'endless.py')) > 1000


@pytest.mark.skipif(os.name != 'posix' or os.geteuid() == 0, reason='root may read everything')
def test_what_may_not_be_read_is_said(folder):
    write(folder/'notes.md')
    write(folder/'closed/a.md')
    (folder/'closed').chmod(0)
    report = ReadingReport()
    assert [p.name for p in source_files(folder, report)] == ['notes.md']
    (folder/'closed').chmod(0o755)
    assert report.lines() == ['1 file that cannot be read: closed']


def test_a_file_that_goes_while_it_is_read_costs_only_itself(folder, tokenizer, monkeypatch):
    write(folder/'a.md', 'we walk along the river')
    write(folder/'b.md', 'we look at the old bridge')
    def read(source, *args):
        (folder/'a.md').unlink(missing_ok=True)
        return read_source(source, *args)
    monkeypatch.setattr('rt_embedding.input_files.read_source', read)
    index = index_passages(model_of(tokenizer, 32), folder)
    assert [e['text'] for e in index.entries] == ['we look at the old bridge']


@pytest.mark.parametrize('suffix', sorted(set(FILE_KINDS)))
def test_damaged_files_give_passages_or_one_error(folder, suffix):
    contents = [b'', b'\n', b'{', b'\xff\xfe', b'\xff\xfea', b'PK\x03\x04', b'%PDF-1.7\n', b'[[[[', b'"a', b'\0'*9,
                b'\xc3', 'é'.encode('utf-16')[:-1], b'<', b'# ', b'.. x::', b'\\begin{verbatim}']
    for i, content in enumerate(contents):
        try: found = passages(write(folder/f'{i}{suffix}', content))
        except InputError as e: assert '\n' not in str(e)
        else: assert all(e['text'] for e in found)


# ---- an index of a folder

def encode(texts): return [[1., len(t) % 7] for t in texts]


def unit(texts):
    import numpy as np
    v = np.array(encode(texts), np.float32).reshape(-1, 2)
    return v/np.linalg.norm(v, axis=1, keepdims=True)


def test_a_moved_folder_is_named_again_without_encoding(folder):
    for i in range(5): write(folder/f'n{i}.md', f'note number {i}')
    index = folder.parent/'index'
    update_index(index, unit, folder)
    with pytest.raises(InputError, match='now asked for'): update_index(index, unit, folder.parent)
    folder.rename(folder.parent/'new')
    with pytest.raises(InputError, match='name its new place'): update_index(index, unit)
    _, counts = update_index(index, unit, folder.parent/'new')
    assert (counts['unchanged'], counts['encoded'], counts['removed']) == (5, 0, 0)
    assert {e['file'] for e in SemanticIndex.load(index).entries} == {f"{(folder.parent/'new').as_posix()}/n{i}.md"
                                                                      for i in range(5)}
    assert update_index(index, unit)[1]['unchanged'] == 5


def test_an_index_remembers_that_ignored_files_are_wanted(folder):
    write(folder/'.gitignore', 'b.md\n')
    git(folder, 'init', '-q')
    write(folder/'a.md', 'one note')
    write(folder/'b.md', 'another note')
    for name, ignore, n in (('x', None, 1), ('y', False, 2)):
        assert len(update_index(folder.parent/name, unit, folder, gitignore=ignore)[0]) == n
        assert update_index(folder.parent/name, unit)[1]['unchanged'] == n


def test_the_command_says_what_it_passed_over(folder, tokenizer):
    model_of(tokenizer, 32).save_pretrained(folder.parent/'model')
    for name in ('a.png', 'b.png', 'notes.md', 'secret.md'): write(folder/name)
    write(folder/'old.txt', 'Ein Café am Fluss'.encode('cp1252'))
    write(folder/'.gitignore', 'secret.md\n')
    git(folder, 'init', '-q')
    args = ('words', '--input', folder, '--model', folder.parent/'model', '--json')
    code, out, err = run('rt_search', *args)
    assert code == 0 and len(json.loads(out)) == 2
    assert 'passed over: 2 .png, 1 ignored by git' in err and '1 file read as cp1252, which is a guess: old.txt' in err
    code, out, err = run('rt_search', *args, '--ignored')
    assert code == 0 and 'ignored by git' not in err
    refused(run('rt_search', 'words', '--model', folder.parent/'model', '--ignored'), 'give --input or --update')
