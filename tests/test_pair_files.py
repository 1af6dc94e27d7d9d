"One file means the same to every command: training, evaluation, report, rt_corpus and rt_quickstart read pairs alike."
import gzip
import json

import pytest

from rt_embedding.commands import InputError
from rt_embedding.pairfiles import load_pairs

PAIRS = [(f'question number {i} about things', f'the answer to question {i} is here') for i in range(60)]
SOME_NEGATIVES = [p if i % 3 else (*p, f'a wrong answer number {i}') for i, p in enumerate(PAIRS)]
TSV = '\n'.join('\t'.join(p) for p in PAIRS)

FILES = {
    'plain.tsv': (TSV, PAIRS),
    'columns.txt': (TSV, PAIRS),                                                    # the tabs count, not the name
    'mixed.tsv': ('\n'.join('\t'.join(p) for p in SOME_NEGATIVES), SOME_NEGATIVES),
    'empty_third.tsv': ('\n'.join('\t'.join((*p, '')) for p in PAIRS), PAIRS),
    'objects.jsonl': ('\n'.join(json.dumps(dict(anchor=a, positive=b)) for a, b in PAIRS), PAIRS),
    'spaced.jsonl': ('\n'.join(f'{{ "query": {json.dumps(a)}, "answer": {json.dumps(b)} }}' for a, b in PAIRS), PAIRS),
    'lists.txt': ('\n'.join(json.dumps(p) for p in SOME_NEGATIVES), SOME_NEGATIVES),
    'packed.tsv.gz': (TSV, PAIRS),
    'marked.tsv': ('\ufeff\n' + TSV + '\n\n', PAIRS)}


@pytest.fixture(params=FILES)
def file(request, tmp_path):
    content, expected = FILES[request.param]
    path = tmp_path/request.param
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == '.gz' else content.encode())
    return path, expected


def test_load_pairs(file):
    path, expected = file
    assert load_pairs(path) == load_pairs(path, 'pairs') == expected


def test_evaluation(file):
    from rt_embedding.testsets import collect_tasks
    path, expected = file
    task, = collect_tasks(pairs=str(path))
    found = {(query, task.documents[n]) for query, gains in zip(task.queries, task.gains) for n in gains}
    assert found == {p[:2] for p in expected}


def test_report(file):
    from rt_embedding.description import read_texts
    path, expected = file
    _, tasks = read_texts(path, 1000, 0)
    assert set(tasks) == {'pairs'} and set(tasks['pairs']) == {p[:2] for p in expected}


def test_corpus(file, tmp_path):
    from rt_embedding.sources import make_corpus
    path, expected = file
    make_corpus(str(path), str(tmp_path/'corpus'), str(tmp_path/'written.tsv'))
    assert load_pairs(tmp_path/'written.tsv') == expected
    assert (tmp_path/'corpus').read_text(encoding='utf-8').splitlines() == [text for p in expected for text in p]


def test_quickstart(file):
    from rt_embedding.quickstart import _from_text
    path, expected = file
    sentences, pairs, held_out, _ = _from_text(str(path), 0)
    known = {text for p in expected for text in p[:2]}
    assert set(sentences) <= known
    assert {*pairs, *held_out} <= {p[:2] for p in expected} and len(pairs) + len(held_out) == 60


@pytest.mark.parametrize('source', ['adjacent', 'dropout'])
@pytest.mark.parametrize('name', ['objects.jsonl', 'spaced.jsonl', 'lists.txt'])
def test_json_is_never_prose(tmp_path, name, source):
    (tmp_path/name).write_text(FILES[name][0], encoding='utf-8')
    with pytest.raises(InputError, match='holds JSON, not running text'): load_pairs(tmp_path/name, source)


@pytest.mark.parametrize('content, message', [
    ('a\tb\nonly one\n', 'line 2: 1 column, needs 2'), ('a\tb\tc\td\n', 'line 1: 4 columns'),
    ('a\tb\n\tright side only\n', 'line 2: column 1 of 2 is empty'),
    ('a\tb\nleft side only\t \n', 'line 2: column 2 of 2 is empty'), ('\n\n', 'holds no pair'),
    ('same\tone\nSame\ttwo\n', 'anchors of all 2 pairs are identical'), ('a\ta\nb\tb\n', "source='dropout'"),
    ('{"a": 1}\n', 'has the keys a; needs'), ('{"anchor": \n', 'line 1: not JSON'),
    ('["a", 2]\n', 'every column must be text')])
def test_what_is_wrong_is_named_with_its_place(tmp_path, content, message):
    (tmp_path/'bad.tsv').write_text(content, encoding='utf-8')
    for source in ('auto', 'pairs'):
        with pytest.raises(InputError, match=message): load_pairs(tmp_path/'bad.tsv', source)
