"The report (10e, 10f) from Python: functions as models, missing extras, hostile texts, each kind of bad input."
import json
import os
import re
from unittest import mock

import numpy as np
import pytest

from rt_embedding import report
from rt_embedding.files import InputError
from rt_embedding.description import PICTURES
from rt_embedding.encoder import EmbeddingModel
from rt_embedding.evaluation import bag_of_words_encoder
from rt_embedding.report import analyse, rt_analyse
from rt_embedding.testing import tiny_pairs, tiny_tokenizer
from rt_embedding.tokenizer import SentencePieceTokenizer

OF_VECTORS = 'similarities', 'map_pca', 'map_tsne', 'heatmap', 'truncation', 'lengths'  # they need no open model
COUNTING = bag_of_words_encoder(64)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "Running text, pairs, and two models that were never trained: `wide` and `narrow`."
    from pydoc_data.topics import topics
    folder = tmp_path_factory.mktemp('report')
    pages = [topics[name] for name in ('debugger', 'import', 'string-methods')]
    paragraphs = [' '.join(p.split()) for page in pages for p in page.split('\n\n')]
    (folder/'plain.txt').write_text('\n'.join(p for p in paragraphs if p[:1].isupper()), encoding='utf-8')
    (folder/'pairs.tsv').write_text(''.join(f'{a}\t{b}\n' for a, b in tiny_pairs()), encoding='utf-8')
    tokenizer = SentencePieceTokenizer(tiny_tokenizer(150, path=folder/'tiny.model'))
    for name, dim in (('wide', 32), ('narrow', 16)):
        model = EmbeddingModel(len(tokenizer), dim, 24, 32, n_layers=1, n_heads=2, tokenizer=tokenizer)
        model.save_pretrained(folder/name)
    return folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch): monkeypatch.chdir(folder)


def test_any_function_is_a_model_and_the_same_seed_gives_the_same_numbers(folder):
    results = [analyse({'a & b': COUNTING}, 'plain.txt', 'one', max_texts=100) for _ in range(2)]  # replaces the first
    assert results[0] == results[1]
    pictures = {f'{kind}.png' for kind in OF_VECTORS}
    assert set(os.listdir('one')) == {'analysis.json', 'analysis.md', 'analysis.html'} | pictures
    assert results[0]['n_texts'] <= 100 and set(results[0]['tasks']) == {'sentence with noise', 'adjacent sentences'}
    page = (folder/'one'/'analysis.html').read_text(encoding='utf-8')
    assert '<h3>' not in page.split('<script')[0] and 'a &amp; b' in page
    assert results[0]['models']['a & b']['verdicts'] == []


def test_without_matplotlib_there_are_no_pictures_but_the_rest(folder, capsys):
    with mock.patch('rt_embedding.description.import_extra', side_effect=InputError('this needs matplotlib')):
        without = analyse(COUNTING, 'plain.txt', 'bare', max_texts=100)
    assert 'no pictures: this needs matplotlib' in capsys.readouterr().out
    assert sorted(os.listdir('bare')) == ['analysis.html', 'analysis.json', 'analysis.md']
    assert without == analyse(COUNTING, 'plain.txt', 'full', max_texts=100)


def test_stopped_in_the_middle_the_old_report_stays_whole(folder):
    analyse(COUNTING, 'plain.txt', 'kept', max_texts=50)
    before = {p.name: p.read_bytes() for p in (folder/'kept').iterdir()}
    with mock.patch.object(report, 'as_page', side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        analyse(COUNTING, 'plain.txt', 'kept', max_texts=60)
    assert before == {p.name: p.read_bytes() for p in (folder/'kept').iterdir()}
    assert not [p for p in os.listdir() if p.endswith('.tmp')]


def test_a_collapsed_model_gets_a_report(folder):
    def ones(texts): return np.ones((len(texts), 4))
    found = analyse(ones, 'plain.txt', 'same', max_texts=50, compare=COUNTING)
    of = found['models']['model']
    assert of['measures']['hubness'] is None and of['verdicts'][0].startswith('collapsed')
    assert list(found['models']) == ['model', 'model (2)']
    assert 'undefined' in (folder/'same'/'analysis.md').read_text(encoding='utf-8')
    assert 'hubness' not in found['comparisons']['model (2) minus model']['differences']


def test_five_hostile_texts_twice_each(folder):
    evil = ['He said "stop" & left </script><script>alert(1)</script> the room', "it's 5 < 6 and 7 > 2 in every case",
            '<img src=x onerror=alert(1)> is only a text of ours', 'a fourth text of some words stands here',
            'שלום to all of you who read this']
    (folder/'five.txt').write_text('\n'.join(evil*2), encoding='utf-8')
    five = analyse('wide', 'five.txt', 'five', compare='narrow')
    assert five['n_texts'] == five['tasks']['sentence with noise'] == 5
    page = (folder/'five'/'analysis.html').read_text(encoding='utf-8')
    assert page.count('<script') == page.count('</script>') == 2 and '<img src=x' not in page and 'Only 5 texts' in page
    assert set(json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])['texts']) == set(evil)
    pictures = {f'{p.kind}{n}.png' for p in PICTURES.values() for n in ('', '-2')}
    assert set(os.listdir('five')) == {'analysis.json', 'analysis.md', 'analysis.html'} | pictures


@pytest.mark.parametrize('flags, complaint', [
    (['--input', 'short.txt'], 'at least 5 are needed'), (['--max_texts', '3'], 'max_texts must be'),
    (['--seed', '-1'], 'seed must'),
    (['--model', 'none'], 'is not a folder'), (['--compare', 'none'], 'is not a folder'),
    (['--input', 'nowhere.txt'], 'does not exist'), (['--input', 'bad.tsv'], 'line 2'),
    (['--output', 'mine'], 'holds other files (notes.txt)'), (['--output', 'pairs.tsv'], 'is a file'),
    (['--sentences', 'a b', ' '], 'must not be empty'),
    (['--sentences', *map(str, range(13))], 'at most 12 sentences to look at, got 13'),
    (['--device', 'abacus'], 'abacus'), (['--batch_size', '0'], 'batch_size'),
    (['--model', *['wide']*5], '1 to 4 models, got 5')])
def test_bad_input_is_one_line(folder, capsys, flags, complaint):
    (folder/'short.txt').write_text('only one short sentence here\n'*50)
    (folder/'bad.tsv').write_text('left\tright\nonly left\n')
    (folder/'mine').mkdir(exist_ok=True)
    (folder/'mine'/'notes.txt').write_text('mine')
    code = rt_analyse(['--model', 'wide', '--input', 'pairs.tsv', '--output', 'out', *flags])
    said = capsys.readouterr().err
    assert code == 2 and said.count('\n') == 1 and complaint in said, said
    assert not (folder/'out').exists() and os.listdir('mine') == ['notes.txt']


def test_vectors_without_a_direction_are_refused():
    for value, complaint in ((np.nan, 'NaN'), (0, 'all zeros')):
        def sick(texts, v=value): return np.full((len(texts), 4), v)
        with pytest.raises(InputError, match=complaint): analyse(sick, 'plain.txt', 'out')
    with pytest.raises(InputError, match='saved RT models only'):
        analyse(COUNTING, 'plain.txt', 'out', untrained=True)
    assert not os.path.exists('out')


def test_without_scipy_a_comparison_says_so_before_it_computes():
    def never(texts): raise AssertionError('nothing should be encoded')
    with mock.patch.dict('sys.modules', {'scipy.stats': None}), pytest.raises(InputError, match='viz'):
        analyse(never, 'plain.txt', 'out', compare=never)
