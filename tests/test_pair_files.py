"One file means the same to every command: training, evaluation, report, rt_corpus and rt_quickstart read pairs alike."
import bz2
import csv
import gzip
import io
import json
import lzma
from functools import partial

import pytest

from helpers import run
from rt_embedding.files import InputError
from rt_embedding.runningtext import load_pairs
from rt_embedding.tables import sniff

PAIRS = [(f'question number {i} about things', f'the answer to question {i} is here') for i in range(60)]
SOME_NEGATIVES = [p if i % 3 else (*p, f'a wrong answer number {i}') for i, p in enumerate(PAIRS)]
TSV = '\n'.join('\t'.join(p) for p in PAIRS)

QUOTED = [(f'{a}, or "not"', f'{b}\nand a second line') for a, b in PAIRS]
NEGATIVE = [(*p, f'a wrong answer number {i}') for i, p in enumerate(PAIRS)]
TWO_NEGATIVES = [(*p, f'a wrong answer {k} number {i}') for i, p in enumerate(PAIRS) for k in (1, 2)]


def objects(*names, rows=PAIRS): return [dict(zip(names, row, strict=True)) for row in rows]


def json_lines(rows): return '\n'.join(json.dumps(row) for row in rows)


def as_csv(rows, header, delimiter=','):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([header, *rows])
    return out.getvalue()


def with_labels(yes, no, neutral=None):
    "Rows with labels: every pair, a wrong answer to every question, and some rows that say nothing."
    rows = [(*p, yes) for p in PAIRS] + [(a, wrong, no) for a, _, wrong in NEGATIVE]
    return rows if neutral is None else rows + [(a, 'a text that says nothing', neutral) for a, _ in PAIRS[:7]]


FILES = {
    'header.csv': (as_csv(PAIRS, ('anchor', 'positive')), PAIRS),
    'quoted.csv': (as_csv(QUOTED, ('anchor', 'positive')), QUOTED),
    'quoted.txt': (as_csv(QUOTED, ('query', 'answer')), QUOTED),                    # the header counts, not the name
    'spaces.txt': (as_csv(QUOTED, ('anchor', 'positive')).replace('anchor,positive', 'anchor, positive'), QUOTED),
    'semicolon.csv': (as_csv(NEGATIVE, ('sent0', 'sent1', 'hard_neg'), ';'), NEGATIVE),
    'pandas.csv': (as_csv([(i, *p) for i, p in enumerate(PAIRS)], ('', 'anchor', 'positive')), PAIRS),
    'pandas.tsv': ('\n'.join(f'{i}\t{a}\t{b}' for i, (a, b) in enumerate(PAIRS)), PAIRS),
    'header.tsv': ('Anchor\tPositive\tNegative\n' + '\n'.join('\t'.join(p) for p in NEGATIVE), NEGATIVE),
    'comment.tsv': ('# from the web\n' + TSV, PAIRS),
    'comment.txt': ('# from the web\n# and cleaned\n' + TSV, PAIRS),
    'array.json': (json.dumps(objects('anchor', 'positive')), PAIRS),
    'array.txt': (json.dumps(objects('anchor', 'positive', 'negative', rows=NEGATIVE), indent=2), NEGATIVE),
    'lists.json': (json.dumps(PAIRS, indent=1), PAIRS),
    'long.jsonl': ('\n'.join(json.dumps(o, indent=1) for o in objects('query', 'positive')), PAIRS),
    'numbered.jsonl': (json_lines(dict(anchor=a, positive=b, negative_1=f'a wrong answer 1 number {i}',
                                       negative_2=f'a wrong answer 2 number {i}')
                                  for i, (a, b) in enumerate(PAIRS)), TWO_NEGATIVES),
    'nested.jsonl': (json_lines(dict(query=a, pos=[b], neg=[f'a wrong answer {k} number {i}' for k in (1, 2)])
                                for i, (a, b) in enumerate(PAIRS)), TWO_NEGATIVES),
    'sets.jsonl': (json_lines(dict(set=p) for p in PAIRS), PAIRS),
    'simcse.csv': (as_csv(NEGATIVE, ('sent0', 'sent1', 'hard_neg')), NEGATIVE),
    'duplicates.tsv': ('\n'.join('\t'.join(map(str, row)) for row in [
        ('id', 'question1', 'question2', 'is_duplicate'),
        *((i, *row) for i, row in enumerate(with_labels(1, 0)))]), NEGATIVE),
    'labels.jsonl': (json_lines(objects('sentence1', 'sentence2', 'label', rows=with_labels(1, 0))), NEGATIVE),
    'labels.tsv': ('\n'.join('\t'.join(map(str, row)) for row in with_labels(1, 0)), NEGATIVE),
    'label_lists.jsonl': (json_lines(with_labels(1, 0)), NEGATIVE),
    'words.csv': (as_csv(with_labels('entailment', 'contradiction', 'neutral'), ('premise', 'hypothesis', 'label')),
                  NEGATIVE),
    'numbers.jsonl': (json_lines(objects('premise', 'hypothesis', 'label', rows=with_labels(0, 2, 1))), NEGATIVE),
    'scores_0_1.csv': (as_csv(with_labels('1.0', '0.0'), ('sentence1', 'sentence2', 'score')), NEGATIVE),
    'packed.csv.gz': (as_csv(QUOTED, ('anchor', 'positive')), QUOTED),
    'packed.json.xz': (json.dumps(objects('anchor', 'positive')), PAIRS),
    'packed.tsv.bz2': (TSV, PAIRS),
    'plain.tsv': (TSV, PAIRS),
    'all_quoted.tsv': ('\n'.join(f'"{a}, ""so"" he said"\t"{b}"' for a, b in PAIRS),
                       [(f'{a}, "so" he said', b) for a, b in PAIRS]),
    'moses.txt': ('\n'.join(' ||| '.join(p) for p in PAIRS), PAIRS),
    'mac.tsv': (TSV.replace('\n', '\r'), PAIRS),
    'excel.csv': ('sep=;\n' + as_csv(PAIRS, ('query', 'answer'), ';'), PAIRS),
    'tabs.csv': ('query\tanswer\n' + TSV, PAIRS),
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
    pack = {'.gz': gzip.compress, '.xz': lzma.compress, '.bz2': bz2.compress}.get(path.suffix, bytes)
    path.write_bytes(pack(content.encode()))
    return path, expected


def test_load_pairs(file):
    path, expected = file
    assert load_pairs(path) == load_pairs(path, 'pairs') == expected


def test_evaluation(file):
    from rt_embedding.own_tests import collect_tasks
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
    expected = [tuple(' '.join(text.split()) for text in p) for p in expected]     # a line holds one text
    assert load_pairs(tmp_path/'written.tsv') == expected
    assert (tmp_path/'corpus').read_text(encoding='utf-8').splitlines() == [text for p in expected for text in p]


def test_quickstart(file):
    from rt_embedding.adaptation import _from_text
    path, expected = file
    sentences, pairs, held_out, _ = _from_text(str(path), 0)
    known = {text for p in expected for text in p[:2]}
    assert set(sentences) <= known
    assert {*pairs, *held_out} <= {p[:2] for p in expected} and len({*pairs, *held_out}) == 60


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


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-be', 'utf-16-le'])
def test_utf16_with_a_mark(tmp_path, encoding):
    mark = '' if encoding == 'utf-16' else '\ufeff'
    (tmp_path/'wide.tsv').write_bytes((mark + TSV).encode(encoding))
    assert load_pairs(tmp_path/'wide.tsv') == PAIRS


@pytest.mark.parametrize('suffix', ['.parquet', '.dat', '.parquet.gz'])
def test_parquet(tmp_path, suffix):
    pyarrow = pytest.importorskip('pyarrow')
    from pyarrow import parquet
    columns = dict(zip(('anchor', 'positive', 'negative'), map(list, zip(*NEGATIVE, strict=True)), strict=True))
    columns['negative'][0] = None
    path = tmp_path/f'x{suffix}'
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), out)
    path.write_bytes(gzip.compress(out.getvalue()) if suffix.endswith('.gz') else out.getvalue())
    assert load_pairs(path) == load_pairs(path, 'pairs') == [PAIRS[0], *NEGATIVE[1:]]
    from rt_embedding.own_tests import collect_tasks
    assert len(collect_tasks(pairs=str(path))[0].queries) == 60
    with pytest.raises(InputError, match='holds a table'): load_pairs(path, 'dropout')


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'pyarrow', None)
    monkeypatch.setitem(__import__('sys').modules, 'pyarrow.parquet', None)
    (tmp_path/'x.parquet').write_bytes(b'PAR1')
    with pytest.raises(InputError, match=r"this needs `pyarrow`: pip install 'rt_embedding\[data\]'"):
        load_pairs(tmp_path/'x.parquet')


@pytest.mark.parametrize('name, left_out', [
    ('labels.jsonl', {'label 0, used as a hard negative': 60}),
    ('words.csv', {'label contradiction, used as a hard negative': 60, 'label neutral': 7}),
    ('numbers.jsonl', {'label 2, used as a hard negative': 60, 'label 1': 7})])
def test_what_is_no_pair_is_said_once_by_every_command(tmp_path, capsys, name, left_out):
    from rt_embedding.description import read_texts
    from rt_embedding.adaptation import _from_text
    from rt_embedding.sources import make_corpus
    from rt_embedding.own_tests import collect_tasks
    path = tmp_path/name
    path.write_text(FILES[name][0], encoding='utf-8')
    assert load_pairs(path).left_out == left_out
    write = partial(make_corpus, str(path), str(tmp_path/'corpus'), overwrite=True)
    for read in (lambda: collect_tasks(pairs=str(path)), lambda: read_texts(path, 1000, 0),
                 lambda: _from_text(str(path), 0), write,
                 lambda: write(max_lines=9),
                 lambda: write(pairs_output=str(tmp_path/'pairs'))):
        read()
        line, = (line for line in capsys.readouterr().out.splitlines() if line.startswith('not read as pairs'))
        assert all(f'{n} × {reason} (first: {path}, ' in line for reason, n in left_out.items())


def test_a_negative_without_a_positive_is_left_out(tmp_path):
    (tmp_path/'x.jsonl').write_text(
        '{"sentence1": "a dog", "sentence2": "stocks", "label": 0}\n'
        '{"sentence1": "a cat", "sentence2": "a pet", "label": 1}\n', encoding='utf-8')
    found = load_pairs(tmp_path/'x.jsonl')
    assert found == [('a cat', 'a pet')] and found.left_out == {'label 0, its anchor has no positive': 1}
    assert found.first == {'label 0, its anchor has no positive': f"{tmp_path/'x.jsonl'}, line 1"}


@pytest.mark.parametrize('name, content, message', [
    ('x.tsv', '5.0\ta dog\ta hound\n', 'holds scores, not pairs.*--sts'),
    ('x.tsv', 'a dog\ta hound\t4.5\n', 'holds scores'),
    ('x.csv', 'sentence1,sentence2,score\na dog,a hound,4.5\n', 'holds scores'),
    ('x.jsonl', '{"sentence1": "a dog", "sentence2": "a hound", "score": 0.9}\n', 'holds scores'),
    ('x.tsv', 'a dog\tstocks\t0\n', r'holds no pair \(not read as pairs: 1 × label 0, its anchor has no positive'),
    ('x.jsonl', '{"sentence1": "a dog", "sentence2": "stocks", "label": 0}\n', 'holds no pair'),
    ('x.jsonl', '{"premise": "a dog", "hypothesis": "a pet", "label": 1}\n', 'mean different things'),
    ('x.csv', 'sentence1,sentence2,label\na,b,maybe\n', "the label 'maybe' is unknown"),
    ('x.csv', 'id,heading,words\n1,a,b\n', 'line 1: a CSV file of pairs needs a header'),
    ('x.csv', '"id","words"\n"1","a, b"\n', 'line 1: a CSV file of pairs needs a header'),
    ('x.tsv', '1\ta fine film\n0\ta dull one\n', 'a number and a text in each row, no pairs.*--labelled'),
    ('x.csv', 'anchor,positive\na,b,c\n', 'line 2: 3 columns, but the header has 2'),
    ('x.csv', 'anchor,positive\n\na,"b\n', 'begins in line 3 is not CSV'),
    ('x.csv', 'anchor,positive\n"a\nb",c\nd,\n', 'line 4: positive is empty'),
    ('x.json', '[{"anchor": "a", "positive": "b"}', 'not JSON'),
    ('x.json', '[{"anchor": "a", "positive": "b"}, {"anchor": "a"}]', 'row 2: has the keys anchor; needs'),
    ('x.jsonl', '{"set": ["alone"]}\n', 'a set needs at least 2 texts'),
    ('x.tsv', 'a\tb\nc\0\td\n', 'line 2: a NUL byte')])
def test_what_is_no_file_of_pairs_is_refused(tmp_path, name, content, message):
    (tmp_path/name).write_text(content, encoding='utf-8')
    for source in ('auto', 'pairs'):
        with pytest.raises(InputError, match=message): load_pairs(tmp_path/name, source)


@pytest.mark.parametrize('text', [
    'Question, answer, and silence.\nThe day was long.', '# A title\n\nIt rained. We stayed in.',
    '# Build\n\n\tmake all\n\nThen wait. It is done.', '[1] See there. It is good.', 'query\nThe first. The second.'])
def test_prose_stays_prose(tmp_path, text):
    (tmp_path/'x.txt').write_text(text, encoding='utf-8')
    kind, lines = sniff(tmp_path/'x.txt')
    assert kind == 'text' and [line for _, line in lines] == text.split('\n')


# ---- running text: every command that reads lines reads the same ones

DOCUMENTS = {
    'documents.jsonl': (json_lines(dict(id=i, title=f'Title {i}', text=f'{a.capitalize()}.\n{b.capitalize()}.', stars=3)
                                   for i, (a, b) in enumerate(PAIRS)),
                        [line for i, (a, b) in enumerate(PAIRS)
                         for line in (f'Title {i}', f'{a.capitalize()}.', f'{b.capitalize()}.')]),
    'documents.csv': (as_csv([(i, b, f'{a}, "they said"', 0.5) for i, (a, b) in enumerate(PAIRS)],
                             ('id', 'title', 'body', 'score')),
                      [line for a, b in PAIRS for line in (b, f'{a}, "they said"')]),
    'labelled.tsv': ('sentence\tlabel\n' + '\n'.join(f'{a}\t{i % 2}' for i, (a, _) in enumerate(PAIRS)),
                     [a for a, _ in PAIRS]),
    'labelled.txt': ('\n'.join(f'{i % 2}\t{a}' for i, (a, _) in enumerate(PAIRS)), [a for a, _ in PAIRS]),
    'leipzig.txt': ('\n'.join(f'{i}\t{a}' for i, (a, _) in enumerate(PAIRS, 1)), [a for a, _ in PAIRS]),
    'ids.tsv': ('\n'.join(f'MED-{7*i}\t{a}' for i, (a, _) in enumerate(PAIRS)), [a for a, _ in PAIRS]),
    'two_kinds.jsonl': (json_lines(dict(text=a) if i % 2 else dict(body=a) for i, (a, _) in enumerate(PAIRS)),
                        [a for a, _ in PAIRS]),
    'column.csv': (as_csv([(f'{a}, {b}',) for a, b in PAIRS], ('text',)), [f'{a}, {b}' for a, b in PAIRS]),
    'texts.json': (json.dumps([a for a, _ in PAIRS], indent=1), [a for a, _ in PAIRS]),
    'texts.jsonl': (json_lines(a for a, _ in PAIRS), [a for a, _ in PAIRS]),
    'array.json.gz': (json.dumps([dict(text=a, meta=dict(n=1)) for a, _ in PAIRS]), [a for a, _ in PAIRS])}


def written(tmp_path, name, content):
    path = tmp_path/name
    path.write_bytes(PACK.get(path.suffix, bytes)(content.encode()))
    return path


PACK = {'.gz': gzip.compress, '.xz': lzma.compress, '.bz2': bz2.compress}
LINES = {name: (content, [' '.join(text.split()) for p in pairs for text in p])
         for name, (content, pairs) in FILES.items()} | DOCUMENTS


@pytest.fixture(scope='module')
def model(tokenizer):
    import torch
    from rt_embedding import EmbeddingModel, SentencePieceTokenizer
    torch.manual_seed(0)
    t = SentencePieceTokenizer(tokenizer)
    return EmbeddingModel(len(t), embedding_dim=8, hidden_dim=8, n_layers=0, n_heads=2, context_window=64,
                          tokenizer=t).eval()


def lines_of_tokenizer(path, tmp_path, model):
    from rt_embedding.tokenizer import _read_counts
    return _read_counts(path, None, 1 << 20, 0)


def lines_of_mlm(path, tmp_path, model):
    from rt_embedding.corpus import build_shards
    shards = build_shards(path, model.tokenizer, tmp_path/f'shards of {path.name}')
    return [row.tolist() for row in shards]


def lines_of_embed(path, tmp_path, model):
    import numpy as np
    from rt_embedding.bulk import embed_file
    embed_file(model, path, tmp_path/'vectors.npy', 64, 8)
    return np.load(tmp_path/'vectors.npy').round(5).tolist()


def lines_of_recipe(path, tmp_path, model):
    from rt_embedding.recipe import FileMaterial
    pairs = written(tmp_path, 'other pairs.tsv', TSV)
    return list(FileMaterial(path, pairs).sentences())


@pytest.mark.parametrize('read', [lines_of_tokenizer, lines_of_mlm, lines_of_embed, lines_of_recipe],
                         ids=lambda f: f.__name__)
@pytest.mark.parametrize('name', LINES)
def test_every_command_reads_the_same_lines(tmp_path, model, name, read):
    "A table gives what its texts would give in a plain file: no key, brace, id or label is taken for text."
    content, lines = LINES[name]
    path, plain = written(tmp_path, name, content), written(tmp_path, 'plain lines.md', '\n'.join(lines))
    assert read(path, tmp_path, model) == read(plain, tmp_path, model)


@pytest.mark.parametrize('name', DOCUMENTS)
def test_documents_are_running_text(tmp_path, name):
    from rt_embedding.sources import make_corpus
    content, lines = DOCUMENTS[name]
    path = written(tmp_path, name, content)
    with pytest.raises(InputError): load_pairs(path, 'pairs')
    make_corpus(str(path), str(tmp_path/'corpus'))
    assert (tmp_path/'corpus').read_text(encoding='utf-8').splitlines() == lines
    if name == 'documents.jsonl':                    # neighbours within a document, and no others
        assert load_pairs(path) == [(f'{a.capitalize()}.', f'{b.capitalize()}.') for a, b in PAIRS]
    else:
        message = 'a number and a text' if name in ('labelled.txt', 'ids.tsv') else 'no pairs'
        with pytest.raises(InputError, match=message): load_pairs(path)


@pytest.mark.parametrize('name', ['objects.jsonl', 'documents.csv'])
def test_what_was_done_to_a_table_is_said_once(tmp_path, name):
    path = written(tmp_path, name, LINES[name][0])
    code, _, err = run('rt_train_tokenizer', '--input', path, '--output', tmp_path/'t', '--vocab_size', 40)
    assert code == 0, err
    said = 'holds 60 pairs: the 120 texts in them are read as lines' if name == 'objects.jsonl' else \
        'is a table: of 60 rows the columns title, body is read as running text'
    assert err.count(said) == 1, err
    assert not {'{', '"anchor"'} & {line.split('\t')[0] for line in open(tmp_path/'t.vocab', encoding='utf-8')}
