"The model in the box: it loads by name, offline, both ways, and fits into a small package; and rt_adapt as a command."
import json

import numpy as np
import pytest
from helpers import paraphrases, refused, run

from rt_embedding import EmbeddingModel, load_table
from rt_embedding.folders import PACKAGED
from rt_embedding.testing import tiny_texts


def test_the_general_model_is_whole_small_and_the_same_both_ways():
    table, texts = load_table('general', verify=True), tiny_texts(20)
    np.testing.assert_allclose(EmbeddingModel.from_pretrained('general').encode(texts), table.encode(texts), atol=1e-5)
    assert sum(f.stat().st_size for f in (PACKAGED/'general').iterdir()) <= 8e6
    a, b, c = table.encode(['A man is driving a car.', 'A man drives an automobile.', 'The soup is boiling.'])
    assert a @ b > .5 > a @ c


def test_rt_adapt_learns_and_keeps(tmp_path):
    text = tmp_path/'my.tsv'
    text.write_text('\n'.join(map('\t'.join, paraphrases(400))), encoding='utf-8')
    code, out, err = run('rt_adapt', '--pairs', text, '--output_dir', tmp_path/'run', '--steps', 20, '--batch_size', 64)
    assert code == 0, err
    scores = json.loads((tmp_path/'run'/'results.json').read_text(encoding='utf-8'))['scores']
    assert scores['adapted']['mrr'] > scores['general']['mrr'] and scores['adapted']['kept'] > .9
    assert EmbeddingModel.from_pretrained(tmp_path/'run').encode('a dog').shape == (640,)
    assert 'general is the model that comes with the package' in err


@pytest.mark.parametrize('flags, words', [
    (['--corpus', 'nowhere.txt'], 'nowhere.txt'), (['--interpolation', '2'], 'lie in 0..1'),
    (['--model', 'no_such_model'], 'or general, which comes with the package'),
    (['--packages', 'numpy', '--pairs', 'x.tsv'], 'leave one of the two out')])
def test_rt_adapt_refuses(tmp_path, flags, words):
    refused(run('rt_adapt', *flags, '--output_dir', tmp_path/'run'), words)
    assert not (tmp_path/'run').exists()
