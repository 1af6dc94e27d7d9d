"rt_corpus wikipedia on files of the hub's format: the real reader, killed and resumed, and refused clearly."
import contextlib
import io
import json
import random
import signal

import pytest

from helpers import ENV, refused, run, start, wait_until

pytest.importorskip('datasets', reason="the Wikipedia reader needs the extra `data`: pip install 'rt_embedding[data]'")
pytest.importorskip('sentencex', reason="the Wikipedia reader needs the extra `data`: pip install 'rt_embedding[data]'")


def articles(n, first=0):
    "Records as the hub has them: prose, headings, table rows, boilerplate that repeats."
    for i in range(first, first + n):
        rng = random.Random(i)
        body = [f'The town of Number {rng.randrange(10**5)} lies {rng.choice(["north", "south", "east"])} of the old '
                f'river and has a school built in {1500 + k}. '
                f'It was mentioned by Dr. Brown in a letter of that year.' for k in range(rng.randint(3, 9))]
        yield dict(id=str(i), url=f'https://example.org/{i}', title=f'Town {i}',
                   text='\n\n'.join(['History', *body, '| 12 || 13 || 14', 'References']))


@pytest.fixture(scope='module')
def dump(tmp_path_factory):
    "Three Parquet files of several row groups, and the same articles as JSON lines."
    import pyarrow as pa
    import pyarrow.parquet as pq
    folder = tmp_path_factory.mktemp('wiki')
    for k in range(3):
        rows = list(articles(2000, 2000*k))
        pq.write_table(pa.Table.from_pylist(rows), folder/f'train-{k}.parquet', row_group_size=700)
        (folder/f'train-{k}.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n', encoding='utf-8')
    return folder


def said(*args):
    "Exit code and standard error of the command in this process."
    from rt_embedding.sources import rt_corpus
    with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
        code = rt_corpus([str(a) for a in args])
    return code, err.getvalue()


def parquet(dump): return sorted(dump.glob('*.parquet'))


@pytest.fixture(scope='module')
def whole(dump):
    code, out, err = run('rt_corpus', 'wikipedia', '--files', *parquet(dump), '--output', dump/'whole.txt',
                         '--dedup_mb', 2)
    assert code == 0 and '6,000 articles' in out, err
    return (dump/'whole.txt').read_bytes()


def test_one_sentence_a_line_each_once(dump, whole):
    lines = whole.decode('utf-8').splitlines()
    assert len(lines) == len(set(lines)) > 20_000
    assert all(s.startswith('The town of Number ') or s == 'It was mentioned by Dr. Brown in a letter of that year.'
               for s in lines)
    assert lines.count('It was mentioned by Dr. Brown in a letter of that year.') == 1
    # nothing left beside it
    assert {p.name for p in dump.iterdir()} - {'whole.txt'} == {f'train-{k}.{e}' for k in range(3)
                                                                for e in ('parquet', 'jsonl')}


def test_json_lines_give_the_same(dump, whole, tmp_path):
    code, err = said('wikipedia', '--files', *sorted(dump.glob('*.jsonl')), '--output', tmp_path/'c.txt', '--dedup_mb',
                     2)
    assert code == 0 and (tmp_path/'c.txt').read_bytes() == whole, err


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGINT])
def test_killed_twice_and_resumed_is_the_same_file(dump, whole, tmp_path, how):
    out, state = tmp_path/'c.txt', tmp_path/'c.txt.state'
    flags = ['wikipedia', '--files', *parquet(dump), '--output', out, '--dedup_mb', 2]
    articles_read = lambda: json.loads(state.read_text())['counts']['articles'] if state.exists() else 0
    done = 0
    for _ in range(2):
        p = start('rt_corpus', *flags)
        wait_until(lambda done=done: articles_read() > done, p)
        p.send_signal(how)
        _, err = p.communicate(timeout=60)
        now = articles_read()
        assert p.returncode != 0 and not out.exists() and 0 < now < 6000, (p.returncode, now, err)
        if how == signal.SIGINT: assert p.returncode == 130 and 'goes on there' in err and 'Traceback' not in err, err
        done = now
    code, _, err = run('rt_corpus', *flags)
    assert code == 0 and out.read_bytes() == whole, err
    assert [p.name for p in tmp_path.iterdir()] == ['c.txt']


def test_max_sentences_and_another_setting(dump, whole, tmp_path):
    flags = ['wikipedia', '--files', *parquet(dump), '--output', tmp_path/'c.txt', '--dedup_mb', 2]
    # stops early, and still ends politely: Arrow's threads once aborted here
    code, _, err = run('rt_corpus', *flags, '--max_sentences', 50)
    assert code == 0 and (tmp_path/'c.txt').read_bytes() == b''.join(whole.splitlines(True)[:50]), err
    (tmp_path/'c.txt.state').write_text(json.dumps(dict(settings=dict(files=[[p.name, p.stat().st_size]
        for p in parquet(dump)], language='de', max_sentences=0, dedup_mb=2))))
    code, err = said(*flags)
    assert code == 2 and 'c.txt.state' in err and "'de'" in err, err


def test_bad_input_is_one_line(dump, tmp_path):
    (tmp_path/'notes.txt').write_text('x')
    (tmp_path/'broken.parquet').write_bytes(b'PAR1 nothing else')
    (tmp_path/'other.jsonl').write_text('{"body": "no such column"}\n')
    out = ['--output', tmp_path/'out'/'c.txt']
    for flags, contains in ((['--files', tmp_path/'none.parquet'], 'none.parquet'),
                            (['--files', tmp_path/'notes.txt'], ['notes.txt', '.parquet']),
                            (['--files', tmp_path/'broken.parquet'], ['broken.parquet', 'cannot be read']),
                            (['--files', tmp_path/'other.jsonl'], ['no text', 'body']),
                            (['--max_sentences', -1], ['max_sentences', '-1']),
                            (['--pairs_output', 'p.tsv'], 'pairs_output'), (['--dedup_mb', 0], 'dedup_mb')):
        code, err = said('wikipedia', *out, *(flags if '--files' in flags else ['--files', *parquet(dump), *flags]))
        assert code == 2 and all(c in err.splitlines()[-1]
                                 for c in ([contains] if isinstance(contains, str) else contains)), (flags, err)
    code, err = said(dump/'whole.txt', '--max_sentences', 3, *out)
    assert code == 2 and 'wikipedia' in err, err
    assert not (tmp_path/'out').exists() or not list((tmp_path/'out').iterdir())                  # no torso, no lock


def test_without_network_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(ENV, 'HF_HUB_OFFLINE', '1')
    refused(run('rt_corpus', 'wikipedia', '--output', tmp_path/'c.txt'), 'wikimedia/wikipedia', '--files')
    assert not list(tmp_path.iterdir())


def test_what_the_hub_is_asked_for(dump, tmp_path, monkeypatch):
    "The network edge is faked; a run that goes on asks for the revision it began with."
    import datasets
    import huggingface_hub
    from rt_embedding.files import InputError
    from rt_embedding.sources import make_corpus
    asked, real, sha, broken = [], datasets.load_dataset, ['a' * 40], [True]

    def load(path, name=None, **kw):
        if path != 'wikimedia/wikipedia': return real(path, name, **kw)
        asked.append((name, kw['split'], kw['streaming'], kw['revision']))
        stream = real('parquet', data_files=[str(p) for p in parquet(dump)], split='train', streaming=True)
        if broken[0]:
            def after(article):
                if article['id'] == '1500': raise ConnectionError('reset by peer')
                return article
            return stream.map(after)
        return stream

    def names(path, revision): return ['20231101.simple', '20231101.ab']

    monkeypatch.setattr(datasets, 'load_dataset', load)
    monkeypatch.setattr(datasets, 'get_dataset_config_names', names)
    monkeypatch.setattr(huggingface_hub.HfApi, 'dataset_info', lambda self, name: type('Info', (), dict(sha=sha[0])))
    with pytest.raises(InputError, match='broke off after .* reset by peer'):
        make_corpus('wikipedia', tmp_path/'c.txt', language='simple', dedup_mb=2)
    assert asked == [('20231101.simple', 'train', True, 'a'*40)] and (tmp_path/'c.txt.state').exists()
    sha[0], broken[0] = 'b'*40, False                                            # the data set has moved on
    make_corpus('wikipedia', tmp_path/'s.txt', language='simple', dedup_mb=2)
    assert asked[-1][3] == 'b'*40
    with pytest.raises(InputError, match="language 'xx'"): make_corpus('wikipedia', tmp_path/'x.txt', language='xx')
    assert len(asked) == 2


def test_memory_does_not_grow(tmp_path):
    "Peak memory of the whole process over four times the articles."
    import pyarrow as pa
    import pyarrow.parquet as pq
    import subprocess
    import sys
    code = '''
import json, resource, sys
from rt_embedding.sources import make_corpus
make_corpus('wikipedia', sys.argv[1], files=sys.argv[2:], dedup_mb=2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
'''
    peaks = []
    for n in (1, 4):
        (tmp_path/str(n)).mkdir()
        for k in range(n):
            pq.write_table(pa.Table.from_pylist(list(articles(2000, 2000*k))), tmp_path/str(n)/f'{k}.parquet',
                           row_group_size=500)
        r = subprocess.run([sys.executable, '-c', code, tmp_path/f'{n}.txt', *sorted((tmp_path/str(n)).iterdir())],
                           capture_output=True, text=True, env=ENV)
        assert r.returncode == 0, r.stderr
        peaks.append(int(r.stdout.split()[-1])/1024)
    # MiB; the text is 6 MB longer, its sentences as Python objects several times that
    assert peaks[1] - peaks[0] < 10, peaks
