"""Test sets in the forms in which they are published, runs of other systems, scores that no order of a file can change,
and the search for leaks: each with the right value."""
import csv
import gzip
import io
import json
import unicodedata

import numpy as np
import pytest

from rt_embedding.encoder import EmbeddingModel
from rt_embedding.evaluate_command import evaluate, rt_evaluate
from rt_embedding.evaluation import (
    bag_of_words_encoder, evaluate_bm25, evaluate_pairs, evaluate_retrieval, evaluate_sts)
from rt_embedding.leaks import find_leaks
from rt_embedding.measures import MEASURES, Bootstrap
from rt_embedding.overlap import TestSetFilter
from rt_embedding.own_tests import collect_tasks
from rt_embedding.places import places_of
from rt_embedding.retrieval_sets import RetrievalData, read_retrieval, read_run, run_data
from rt_embedding.testing import tiny_tokenizer
from rt_embedding.testsets import STSData, read_labelled, read_sts
from rt_embedding.tokenizer import SentencePieceTokenizer

FEW = Bootstrap(5)
SCORES = [4.8, 3.5, 2.5, 1.2, 0.8, 0.0, 5.0, 3.0, 2.0, 1.0, 4.0, 1.6]
FIRST = ['a dog bites a man', 'a man, who reads "the paper"', 'she said: "no', "it's late", 'snow fell', 'a nap'] * 2
SECOND = [f'{t} {i}' for i, t in enumerate(['a hound', 'a paper', 'never"', 'early, or late', 'rain', 'a sleep'] * 2)]
ROWS = list(zip(SCORES, FIRST, SECOND))


def lines(rows): return '\n'.join('\t'.join(map(str, row)) for row in rows) + '\n'


def as_csv(rows, **how):
    out = io.StringIO()
    csv.writer(out, lineterminator='\n', **how).writerows(rows)
    return out.getvalue()


def objects(names, rows): return [dict(zip(names, row)) for row in rows]


def json_lines(names, rows): return ''.join(json.dumps(o) + '\n' for o in objects(names, rows))


def indexed(start=1, step=1): return [(start + step*i, *row) for i, row in enumerate(ROWS)]


STSB = [('main-captions', 'MSRvid', '2012test', f'{i:04}', *row) for i, row in enumerate(ROWS)]
STS_FORMS = {
    'ours.tsv': lines(ROWS),
    'ours_note.tsv': lines((*row, 'by us') for row in ROWS),
    'sts-dev.csv': lines(STSB),
    'sts-licence.csv': lines((*row, 'a licence', 'http://x.org') if i % 2 else row for i, row in enumerate(STSB)),
    'sts-years.csv': lines((*row[:2], '2012', *row[3:]) for row in STSB),
    'stsbenchmark.tsv': lines([('split', 'genre', 'dataset', 'year', 'sid', 'score', 'sentence1', 'sentence2'),
                               *(('test', *row) for row in STSB)]),
    'glue_dev.tsv': lines([('index', 'genre', 'filename', 'year', 'old_index', 'source1', 'source2', 'sentence1',
                            'sentence2', 'score'),
                           *((i, 'main', 'f', '2012', i, 'none', 'none', a, b, s)
                             for i, (s, a, b) in enumerate(ROWS))]),
    'SICK.txt': lines([('pair_ID', 'sentence_A', 'sentence_B', 'entailment_label', 'relatedness_score',
                        'entailment_AB', 'entailment_BA', 'SemEval_set'),
                       *((i, a, b, 'NEUTRAL', s, 'x', 'y', 'TRIAL') for i, (s, a, b) in enumerate(ROWS, 1))]),
    'SICK_annotated.txt': lines([('pair_ID', 'sentence_A', 'sentence_B', 'relatedness_score', 'entailment_judgment'),
                                 *((3*i, a, b, s, 'NEUTRAL') for i, (s, a, b) in enumerate(ROWS, 1))]),
    'sick_no_header.txt': lines((i, a, b, s, 'NEUTRAL') for i, (s, a, b) in enumerate(ROWS, 1)),
    'hf.jsonl': json_lines(['score', 'sentence1', 'sentence2'], ROWS),
    'hf_spaced.jsonl': json_lines(['score', 'sentence1', 'sentence2'], ROWS).replace('{', '{ '),
    'hf_label.jsonl': json_lines(['label', 'sentence1', 'sentence2', 'idx'], [(*r, i) for i, r in enumerate(ROWS)]),
    'hf_similarity.jsonl': json_lines(['similarity_score', 'sentence1', 'sentence2'], ROWS),
    'array.json': json.dumps(objects(['score', 'sentence1', 'sentence2'], ROWS), indent=1),
    'header.csv': as_csv([('sentence1', 'sentence2', 'score'), *((a, b, s) for s, a, b in ROWS)]),
    'header_semicolon.csv': as_csv([('sentence1', 'sentence2', 'score'), *((a, b, s) for s, a, b in ROWS)],
                                   delimiter=';'),
    'no_header.csv': as_csv([(a, b, s) for s, a, b in ROWS], quoting=csv.QUOTE_NONNUMERIC),
    'pandas.csv': as_csv([('', 'sentence1', 'sentence2', 'score'),
                          *((i, a, b, s) for i, (s, a, b) in enumerate(ROWS))]),
    'pandas.tsv': as_csv([('sentence1', 'sentence2', 'score'), *((a, b, s) for s, a, b in ROWS)], delimiter='\t'),
    'pandas_all.tsv': as_csv([('sentence1', 'sentence2', 'score'), *((a, b, s) for s, a, b in ROWS)], delimiter='\t',
                             quoting=csv.QUOTE_ALL),
    'behind.tsv': lines((a, b, s) for s, a, b in ROWS),
    'index.tsv': lines(indexed()),
    'index0.tsv': lines(indexed(0)),
    'ids.tsv': lines((i, a, b, s) for i, (s, a, b) in zip((7*k % 97 for k in range(1, 13)), ROWS)),
    'lists.json': json.dumps([[s, a, b] for s, a, b in ROWS]),
    'columns.json': json.dumps(dict(zip(('score', 'sentence1', 'sentence2'), map(list, zip(*ROWS))))),
    'pandas.json': json.dumps({n: dict(enumerate(c)) for n, c in zip(('score', 'sentence1', 'sentence2'), zip(*ROWS))}),
    'viewer.json': json.dumps(dict(rows=[dict(row_idx=i, row=o) for i, o in enumerate(
        objects(['score', 'sentence1', 'sentence2'], ROWS))])),
    'examples.jsonl': json_lines(['texts', 'label'], [([a, b], s) for s, a, b in ROWS]),
    'capitals.tsv': lines([('Score', 'Sentence 1', 'Sentence 2'), *ROWS]),
    'comment.tsv': '# from a friend\n' + lines([('score', 'sentence1', 'sentence2'), *ROWS]),
    'mark.tsv': '\ufeff' + lines([('score', 'sentence1', 'sentence2'), *ROWS]),
}


@pytest.mark.parametrize('packed', [False, True], ids=['plain', 'gz'])
@pytest.mark.parametrize('name', STS_FORMS)
def test_every_published_form_of_a_similarity_test(tmp_path, name, packed):
    path, said = tmp_path/(name + '.gz'*packed), []
    data = STS_FORMS[name].encode()
    path.write_bytes(gzip.compress(data) if packed else data)
    found = read_sts(path, say=said.append)
    assert found.scores == SCORES and found.first == FIRST and found.second == SECOND
    assert found.name == name.rsplit('.', 1)[0]
    assert len(said) == (not name.startswith('ours')), said  # what was recognised is said


def test_parquet_and_utf16(tmp_path):
    pa = pytest.importorskip('pyarrow')
    from pyarrow import parquet
    columns = dict(zip(('score', 'sentence1', 'sentence2'), map(list, zip(*ROWS))))
    parquet.write_table(pa.table(columns), tmp_path/'dev.parquet')
    (tmp_path/'dev.tsv').write_bytes(lines(ROWS).encode('utf-16'))
    for name in ('dev.parquet', 'dev.tsv'):
        found = read_sts(tmp_path/name, say=len)
        assert (found.scores, found.first) == (SCORES, FIRST)


@pytest.mark.parametrize('text, words', [
    (lines((i, a, b) for i, (_, a, b) in enumerate(ROWS, 1)), ['only counts', 'score, sentence1, sentence2']),
    (lines((3*i, a, b) for i, (_, a, b) in enumerate(ROWS, 1)), ['only counts']),
    (lines((s, a, b, s) for s, a, b in ROWS), ['is the score in column 1 or 4?']),
    (lines([('Wert', 'Satz', 'Satz'), *ROWS]), ['line 1: score must be a number', 'name the columns']),
    (lines([('index', 'sentence1', 'sentence2'), *((i, a, b) for i, (_, a, b) in enumerate(ROWS))]),
     ['which columns are the score?']),
    (json_lines(['score', 'similarity', 'sentence1', 'sentence2'], [(s, *r) for s, r in zip(SCORES, ROWS)]),
     ['Found score, similarity']),
    (json_lines(['label', 'sentence1', 'sentence2'], [(-1, a, b) for _, a, b in ROWS]), ['all 12 scores are -1.0']),
    (json_lines(['label', 'sentence1', 'sentence2'], [('neutral', a, b) for _, a, b in ROWS]),
     ['score must be a number', "'neutral'"]),
    (json_lines(['score', 'sentence1', 'sentence2'], [(1, None, 'x'), *ROWS]), ['line 1', 'empty']),
    (lines((a, b, 'V', s) for s, a, b in ROWS), ['name the columns']),
    ('\n', ['no rows']), ('4\ta\n', ['line 1: 2 columns'])])
def test_what_is_ambiguous_or_wrong_is_refused_with_the_remedy(tmp_path, text, words):
    path = tmp_path/('x.jsonl' if text.startswith('{') else 'x.tsv')
    path.write_text(text)
    with pytest.raises(ValueError) as caught: read_sts(path)
    for word in words: assert word in str(caught.value)


def test_a_part_is_chosen_and_said(tmp_path):
    header = ('split', 'score', 'sentence1', 'sentence2')
    parts = ['train']*6 + ['dev']*3 + ['test']*3
    path, said = tmp_path/'stsbenchmark.tsv', []
    path.write_text(lines([header, *((p, *row) for p, row in zip(parts, ROWS))]))
    assert read_sts(path, say=said.append).scores == SCORES[9:] and 'part test: 3 of 12 rows' in said[0]
    assert read_sts(path, 'validation', say=len).scores == SCORES[6:9]
    assert len(read_sts(path, 'all', say=len).scores) == 12
    with pytest.raises(ValueError, match='choose one of train, dev, test, all'): read_sts(path, 'held-out')
    assert len(collect_tasks(sts=path, split='train')[0].scores) == 6


@pytest.mark.parametrize('text', [
    lines((i % 2, f'text {i}') for i in range(8)), lines((f'text {i}', i % 2) for i in range(8)),
    as_csv([('text', 'label'), *((f'text {i}', i % 2) for i in range(8))]),
    lines([('label', 'text'), *((i % 2, f'text {i}') for i in range(8))]),
    json_lines(['text', 'label', 'label_text'], [(f'text {i}', 'no', i % 2) for i in range(8)])])
def test_labelled_texts_in_any_form(tmp_path, text):
    path = tmp_path/'labelled'
    path.write_text(text)
    found = read_labelled(path, say=len)
    assert found.labels == ['0', '1']*4 and found.documents == [f'text {i}' for i in range(8)]


# -- retrieval

DOCUMENTS = [f'document number {i} about the {w}' for i, w in enumerate('sun moon sea wind rain snow'.split())]
QUERIES = ['the sun', 'the moon', 'the sea', 'nothing']
JUDGED = [('q0', 'd0', 2), ('q0', 'd1', 1), ('q1', 'd1', 1), ('q2', 'd2', 1)]
GAINS = [{0: 2, 1: 1}, {1: 1}, {2: 1}, {}]


def write(folder, files):
    for name, text in files.items():
        path = folder/name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith('.gz') else text.encode())
    return folder


CORPUS = {
    'corpus.tsv': lines((f'd{i}', '', d) for i, d in enumerate(DOCUMENTS)),
    'corpus.jsonl.gz': json_lines(['_id', 'title', 'text', 'metadata'],
                                  [(f'd{i}', 'document', d[9:], {}) for i, d in enumerate(DOCUMENTS)]),
    'collection.tsv': lines((f'd{i}', d) for i, d in enumerate(DOCUMENTS)),
    'docs.tsv.gz': lines((f'd{i}', f'https://x.org/{i}', 'document', d[9:]) for i, d in enumerate(DOCUMENTS)),
    'corpus/part-0.jsonl': json_lines(['id', 'contents'], [(f'd{i}', d) for i, d in enumerate(DOCUMENTS)]),
    'corpus.csv': as_csv([('doc_id', 'title', 'text'), *((f'd{i}', '', d) for i, d in enumerate(DOCUMENTS))])}
ASKED = {'queries.tsv': lines((f'q{i}', q) for i, q in enumerate(QUERIES)),
         'queries.jsonl': json_lines(['_id', 'text'], [(f'q{i}', q) for i, q in enumerate(QUERIES)]),
         'queries.test.tsv': lines((f'q{i}', q) for i, q in enumerate(QUERIES))}
QRELS = {'qrels.tsv': lines(JUDGED),
         'qrels/test.tsv': lines([('query-id', 'corpus-id', 'score'), *JUDGED]),
         'qrels/test.tsv.gz': lines([('corpus-id', 'query-id', 'score'), *((d, q, g) for q, d, g in JUDGED)]),
         'qrels.txt': ''.join(f'{q} 0 {d} {g}\n' for q, d, g in JUDGED),
         'qrels.test.tsv': lines((q, 0, d, g) for q, d, g in JUDGED),
         'qrels/test.jsonl': json_lines(['query-id', 'corpus-id', 'score'], JUDGED)}


@pytest.mark.parametrize('corpus, asked, qrels', [
    *((c, 'queries.tsv', 'qrels.tsv') for c in CORPUS), *(('corpus.tsv', a, 'qrels.tsv') for a in ASKED),
    *(('corpus.jsonl.gz', 'queries.jsonl', q) for q in QRELS)])
def test_every_published_form_of_a_retrieval_test(tmp_path, corpus, asked, qrels):
    write(tmp_path/'set', {corpus: CORPUS[corpus], asked: ASKED[asked], qrels: QRELS[qrels]})
    said = []
    found = read_retrieval(tmp_path/'set', say=said.append)
    assert (found.name, found.queries, found.documents, found.gains) == ('set', QUERIES, DOCUMENTS, GAINS)
    assert not said


def test_other_parts_and_unknown_ids(tmp_path):
    dev = lines([('query-id', 'corpus-id', 'score'), ('q0', 'd3', 1), ('q0', 'd99', 1), ('q77', 'd0', 1)])
    folder = write(tmp_path/'beir', {'corpus.jsonl.gz': CORPUS['corpus.jsonl.gz'],
                                     'queries.jsonl': ASKED['queries.jsonl'],
                                     'qrels/test.tsv': QRELS['qrels/test.tsv'], 'qrels/dev.tsv': dev})
    said = []
    assert read_retrieval(folder, say=said.append).gains == GAINS and not said
    assert read_retrieval(folder, 'validation', said.append).gains == [{3: 1}, {}, {}, {}]
    assert len(said) == 2 and "1 unknown queries were left out (first: 'q77')" in said[0] and "'d99'" in said[1]
    with pytest.raises(ValueError, match='choose one of dev, test'): read_retrieval(folder, 'train')


def test_the_only_part_is_taken_and_said(tmp_path):
    said = []
    folder = write(tmp_path/'marco', {'collection.tsv': CORPUS['collection.tsv'],
                                      'queries.dev.tsv': ASKED['queries.tsv'],
                                      'qrels.dev.tsv': QRELS['qrels.test.tsv']})
    assert read_retrieval(folder, say=said.append).gains == GAINS and 'part dev, the only one' in said[0]
    with pytest.raises(ValueError, match='no judgements of the part test'): read_retrieval(folder, 'test')


def test_parquet_shards_of_a_retrieval_test(tmp_path):
    pa = pytest.importorskip('pyarrow')
    from pyarrow import parquet
    tables = {'corpus/part-0': (['_id', 'text'], [(f'd{i}', d) for i, d in enumerate(DOCUMENTS[:3])]),
              'corpus/part-1': (['_id', 'text'], [(f'd{i}', d) for i, d in enumerate(DOCUMENTS[3:], 3)]),
              'queries/part-0': (['_id', 'text'], [(f'q{i}', q) for i, q in enumerate(QUERIES)]),
              'qrels/test-00000-of-00001': (['query-id', 'corpus-id', 'score'], JUDGED)}
    for name, (names, rows) in tables.items():
        path = tmp_path/'hf'/f'{name}.parquet'
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.table(dict(zip(names, map(list, zip(*rows))))), path)
    found = read_retrieval(tmp_path/'hf')
    assert (found.queries, found.documents, found.gains) == (QUERIES, DOCUMENTS, GAINS)


@pytest.mark.parametrize('files, words', [
    ({'corpus.tsv': 'd0\ta\tb\tc\n'}, 'corpus.tsv, line 1: 4 columns'),
    ({'corpus.tsv': 'd0\ta\n', 'corpus.jsonl': '{}'}, 'corpus.jsonl and corpus.tsv: keep one'),
    ({'qrels.tsv': 'd0\tq0\t1\n'}, 'no query has a document with a gain above 0'),
    ({'qrels.tsv': 'q0\td0\n'}, '2 columns, expected query id'),
    ({'qrels.tsv': 'q0\td0\tyes\n'}, 'gain must be a number')])
def test_retrieval_files_that_are_refused(tmp_path, files, words):
    base = {'corpus.tsv': CORPUS['corpus.tsv'], 'queries.tsv': ASKED['queries.tsv'], 'qrels.tsv': QRELS['qrels.tsv']}
    with pytest.raises(ValueError, match=words): read_retrieval(write(tmp_path/'set', base | files), say=len)


def test_queries_that_are_documents_do_not_find_themselves(tmp_path):
    same = lambda texts: np.array([[t.split()[-1] == str(i) for i in range(12)] for t in texts], float)
    pairs = [(f'question {i}', f'answer {i}') for i in range(12)]
    both = [p for pair in pairs for p in (pair, pair[::-1])]
    assert evaluate_pairs(same, both, FEW)['mrr@10'] == 1
    assert evaluate_pairs(same, pairs, FEW)['mrr@10'] == 1
    # ArguAna: the same id, the text below a title
    texts = [f'the long argument number {i} in its own words {"abcdefghijkl"[i]*3}' for i in range(12)]
    folder = write(tmp_path/'arguana', {
        'corpus.jsonl': json_lines(['_id', 'title', 'text'],
                                   [(f'arg-{i:02}a', 'environment', t) for i, t in enumerate(texts)]),
        'queries.jsonl': json_lines(['_id', 'text'], [(f'arg-{i:02}a', t) for i, t in enumerate(texts)]),
        'qrels/test.tsv': lines([('query-id', 'corpus-id', 'score'),
                                 *((f'arg-{i:02}a', f'arg-{i ^ 1:02}a', 1) for i in range(12))])})
    said = []
    found = read_retrieval(folder, say=said.append)
    assert found.own_documents() == [{i} for i in range(12)] and '12 of 12 queries are documents' in said[0]
    # numbers as ids say nothing
    plain = write(tmp_path/'cranfield', {
        'corpus.tsv': lines((i, '', d) for i, d in enumerate(DOCUMENTS)), 'qrels.tsv': '0\t0\t1\n',
        'queries.tsv': lines((i, f'about {i}') for i in range(4))})
    assert read_retrieval(plain).own_documents() == [set()]*4


# -- ties

def test_the_order_of_a_file_has_no_say():
    blind = lambda texts: np.ones((len(texts), 3))  # an English model on Chinese text
    n = 200
    queries, documents = [f'q{i}' for i in range(n)], [f'd{i}' for i in range(n)]
    results = []
    for order in (range(n), range(n - 1, -1, -1), np.random.default_rng(0).permutation(n)):
        where = {d: k for k, d in enumerate(order)}
        data = RetrievalData('x', queries, [documents[d] for d in order], [{where[0]: 1, where[1]: 2}]*n)
        for score in (lambda d=data: evaluate_retrieval(blind, d, FEW), lambda d=data: evaluate_bm25(d, FEW)):
            results.append([score()[m] for m in MEASURES])
    assert np.allclose(results, results[0], atol=1e-12) and 0 < results[0][1] < .06
    assert np.isclose(results[0][list(MEASURES).index('recall@100')], .5)


def test_equal_to_ir_measures_where_there_are_no_ties():
    M = pytest.importorskip('ir_measures')
    rng = np.random.default_rng(3)
    scores = rng.permutation(60*300).reshape(60, 300)/2e4
    def some_gains(): return zip(rng.permutation(300)[:30].tolist(), rng.integers(0, 4, 30).tolist())
    gains = [dict(some_gains()) | {0: 1} for _ in range(60)]
    places = places_of([scores[:11], scores[11:]], gains)
    qrels = {f'q{q}': {f'd{d}': g for d, g in of.items()} for q, of in enumerate(gains)}
    run = {f'q{q}': {f'd{d}': float(s) for d, s in enumerate(row)} for q, row in enumerate(scores)}
    for theirs, ours in ((M.nDCG@10, places.ndcg(10)), (M.nDCG@100, places.ndcg(100)), (M.RR@10, places.mrr(10)),
                         (M.R@1, places.recall(1)), (M.R@10, places.recall(10)), (M.R@100, places.recall(100)),
                         (M.AP@100, places.map(100)), (M.AP@10, places.map(10))):
        found = {m.query_id: m.value for m in M.iter_calc([theirs], qrels, run)}
        assert np.allclose(ours, [found[f'q{q}'] for q in range(60)], atol=1e-9)


# -- the command

@pytest.fixture(scope='module')
def model(tmp_path_factory):
    "A small untrained transformer, and one that gives every text the same vector."
    here, tokenizer = tmp_path_factory.mktemp('models'), SentencePieceTokenizer(tiny_tokenizer())
    EmbeddingModel(len(tokenizer), 32, 64, 32, n_layers=1, n_heads=2, tokenizer=tokenizer).save_pretrained(here/'tiny')
    flat = EmbeddingModel(len(tokenizer), 32, 64, 32, n_layers=0, n_heads=2, tokenizer=tokenizer)
    flat.token_embedding.weight.data.fill_(.1)
    flat.save_pretrained(here/'flat')
    return here


def test_equal_cosines_are_equal_whatever_the_batch(model):
    encoder = EmbeddingModel.from_pretrained(model/'tiny')
    texts = [f'the dog number {i} sleeps' for i in range(24)]
    marks = [5 - .1*i for i in range(20)] + [1., .5, 2., 0.]
    data = STSData('marks', marks, texts, texts[:20] + ['a b', 'c d e', 'f', 'gh'])
    found = [evaluate_sts(lambda t, b=b: encoder.encode(t, batch_size=b), data, FEW)['value'] for b in (1, 2, 3, 7, 48)]
    assert len(set(found)) == 1


def call(capsys, *argv):
    capsys.readouterr()
    code = rt_evaluate([str(a) for a in argv])
    return code, *capsys.readouterr()


def test_a_measure_that_is_undefined_everywhere_ends_with_an_error(model, tmp_path, capsys):
    (tmp_path/'a.tsv').write_text(lines(ROWS))
    few = ['--sts', tmp_path/'a.tsv', '--n_bootstrap', 5]
    code, out, err = call(capsys, '--model', model/'flat', *few, '--output', tmp_path/'report')
    assert code == 2 and 'undefined' in out and len(err.strip().splitlines()) == 1
    assert 'spearman is undefined on every test' in err and 'collapsed?' in err
    assert json.loads((tmp_path/'report/results.json').read_text())['results'][0]['value'] is None
    assert call(capsys, '--model', model/'flat', model/'tiny', *few)[0] == 0


def test_a_folder_with_code_of_its_own_is_one_line(model, tmp_path, capsys):
    pytest.importorskip('sentence_transformers')
    (tmp_path/'a.tsv').write_text(lines(ROWS))
    few = ['--sts', tmp_path/'a.tsv', '--n_bootstrap', 5]
    code, _, err = call(capsys, '--model', f'st:{model/"tiny"}', *few)
    assert code == 2 and '--trust_remote_code' in err.strip().splitlines()[-1] and 'Traceback' not in err
    assert call(capsys, '--model', f'st:{model/"tiny"}', '--trust_remote_code', *few)[0] == 0
    assert call(capsys, '--model', f'st:{tmp_path/"nowhere"}', *few)[0] == 2


RUN = ''.join(f'q{q} Q0 d{d} {r} {9 - r} us\n' for q in range(3) for r, d in enumerate((1, 0, 2), 1))


def test_a_run_file_is_scored_without_a_model(tmp_path, capsys):
    (tmp_path/'system.run').write_text(RUN + 'q9 Q0 d0 1 1 us\n')
    folder = write(tmp_path/'set', {'corpus.tsv': CORPUS['corpus.tsv'], 'queries.tsv': ASKED['queries.tsv'],
                                    'qrels/test.tsv': QRELS['qrels/test.tsv']})
    rows = evaluate(run=tmp_path/'system.run', retrieval=folder, n_bootstrap=5)
    assert '1 queries that are not judged were left out' in capsys.readouterr().out
    row = rows[-1]
    assert row['model'] == 'system' and row['task'] == 'set' and np.isclose(row['mrr@10'], (1 + 1 + 1/3)/3)
    code, out, _ = call(capsys, '--run', tmp_path/'system.run', '--retrieval', folder/'qrels/test.tsv',
                        '--n_bootstrap', 5)
    assert code == 0 and f"{row['ndcg@10']:.3f}" in out
    code, _, err = call(capsys, '--run', tmp_path/'system.run', '--sts', tmp_path/'system.run')
    assert code == 2
    M = pytest.importorskip('ir_measures')
    run, qrels = read_run(tmp_path/'system.run'), {}
    for q, d, g in JUDGED: qrels.setdefault(q, {})[d] = g
    assert np.isclose(row['ndcg@10'], M.calc_aggregate([M.nDCG@10], qrels, run)[M.nDCG@10])


def test_a_query_that_a_run_does_not_answer_counts_zero(tmp_path):
    (tmp_path/'r').write_text('q0 Q0 d0 1 1 us\n')
    (tmp_path/'qrels').write_text(lines(JUDGED))
    said = []
    data = run_data(read_run(tmp_path/'r'), tmp_path/'qrels', say=said.append)
    assert len(data.gains) == 3 and '2 judged queries without an answer count 0' in said[0]


# -- leaks

TEXTS = [f'the quick animal number {i} jumps over some lazy thing called {w}' for i, w in
         enumerate('caf\u00e9 dog sun moon sea wind rain snow fire ice'.split()*8)]
LEAKY = STSData('leaky', [i % 5 for i in range(40)], TEXTS[:40], TEXTS[40:])
PARAGRAPHS = [' '.join(t.capitalize() + '.' for t in TEXTS[i:i + 8]) for i in range(0, 80, 8)]
PAIRS = list(zip(LEAKY.first, LEAKY.second))
TRAINING = {
    'lines.txt': '\n'.join(TEXTS), 'pairs.tsv': lines(PAIRS),
    'triples.tsv': lines((*p, 'something else') for p in PAIRS),
    'pairs.jsonl': json_lines(['anchor', 'positive'], PAIRS), 'query.jsonl': json_lines(
        ['query', 'pos', 'neg'], [(a, [b], ['x y z']) for a, b in PAIRS]),
    'array.json': json.dumps(PAIRS, indent=1), 'pairs.csv': as_csv([('anchor', 'positive'), *PAIRS]),
    'paragraphs.txt': '\n'.join(PARAGRAPHS), 'one_line.txt': ' '.join(PARAGRAPHS),
    'wrapped.txt': '\n\n'.join(p.replace(' over ', '\nover ') for p in PARAGRAPHS),
    'nfd.txt': unicodedata.normalize('NFD', '\n'.join(TEXTS)), 'upper.txt': '\n'.join(TEXTS).upper(),
    'inside.txt': '\n'.join(f'yesterday {t} and then it slept' for t in TEXTS), 'lines.txt.gz': '\n'.join(TEXTS)}


@pytest.mark.parametrize('name', TRAINING)
def test_a_test_that_was_trained_on_is_found_in_every_form(tmp_path, name):
    write(tmp_path, {f'data/{name}': TRAINING[name]})
    assert find_leaks([LEAKY], tmp_path/'data'/name).found == dict(leaky=80)
    assert find_leaks([LEAKY], tmp_path/'data').found == dict(leaky=80)  # the folder, whatever the suffix


def test_what_cannot_be_read_is_never_clean(model, tmp_path, capsys):
    write(tmp_path, {'clean.txt': 'nothing of it\nstands here\n', 'a.tsv': lines(ROWS)})
    (tmp_path/'data.bin').write_bytes(bytes(range(256)))
    report = find_leaks([LEAKY], [tmp_path/'clean.txt', tmp_path/'data.bin'])
    assert report.read == 1 and list(report.unread) == [str(tmp_path/'data.bin')] and report.found == dict(leaky=0)
    few = ['--model', model/'tiny', '--sts', tmp_path/'a.tsv', '--n_bootstrap', 5, '--training']
    code, out, _ = call(capsys, *few, tmp_path/'data.bin')
    assert 'NOT looked into' in out and '0 of 24' not in out
    code, out, _ = call(capsys, *few, tmp_path/'clean.txt')
    assert code == 0 and '0 of 24 in a' in out
    assert call(capsys, *few, tmp_path/'nowhere')[0] == 2


def test_the_filter_keeps_paragraphs_with_test_sentences_out():
    unseen = TestSetFilter([LEAKY])
    kept = ['a clean line', 'the quick animal jumps']
    assert list(unseen.sentences([*kept, *PARAGRAPHS, *TEXTS])) == kept and unseen.removed == 90


def test_baselines_are_as_before_where_nothing_ties():
    data = RetrievalData('x', QUERIES[:3], DOCUMENTS, GAINS[:3])
    assert np.isclose(evaluate_bm25(data, FEW)['mrr@10'], 1)
    assert np.isclose(evaluate_retrieval(bag_of_words_encoder(), data, FEW)['mrr@10'], 1)
