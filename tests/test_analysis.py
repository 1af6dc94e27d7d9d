"rt_analyse as users meet it: a whole report from a text or from pairs, two models side by side, one clear line for bad input."
import json

import numpy as np
import pytest

from conftest import paraphrases, run, sentences
from test_commands import refused

ALWAYS = {'analysis.json', 'analysis.md', 'analysis.html', 'similarities.png', 'map_pca.png', 'map_tsne.png', 'heatmap.png', 'truncation.png',
          'layers.png', 'tokens.png'}


@pytest.fixture(scope='module')
def model(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('analysis')
    (folder/'pairs.tsv').write_text(''.join(f'{a}\t{b}\n' for a, b in paraphrases(200)), encoding='utf-8')
    code, _, err = run('rt_train_contrastive', '--pairs', folder/'pairs.tsv', '--tokenizer', tokenizer, '--output_dir', folder/'run', '--batch_size', 16,
                       '--max_steps', 4, '--preset', 'tiny', '--embedding_dim', 16, '--context_window', 16, '--device', 'cpu')
    assert code == 0, err
    return folder/'run'


def png_size(path):
    "Width and height from the header; anything else than a PNG fails."
    head = path.read_bytes()[:24]
    assert head[:8] == b'\x89PNG\r\n\x1a\n', path
    return int.from_bytes(head[16:20], 'big'), int.from_bytes(head[20:24], 'big')


def report_of(folder):
    "What a whole report holds, checked."
    assert {p.name for p in folder.iterdir()} == ALWAYS
    assert not [p for p in folder.parent.iterdir() if p.name.endswith(('.tmp', '.old'))]
    assert all(min(png_size(p)) > 200 for p in folder.glob('*.png'))
    text = (folder/'analysis.md').read_text(encoding='utf-8')
    assert all(f']({p.name})' in text for p in folder.glob('*.png'))
    page = (folder/'analysis.html').read_text(encoding='utf-8')
    assert page.count('data:image/png;base64,') == len(list(folder.glob('*.png'))) and 'src="http' not in page
    return json.loads((folder/'analysis.json').read_text(encoding='utf-8'))


def test_report_of_a_text_equals_the_vectors_of_rt_embed(model, corpus, tmp_path):
    lines = sentences(60, seed=5) + ['Escaped <b> & "quoted" words stand here as text.']
    (tmp_path/'text.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    code, out, err = run('rt_analyse', '--model', model, '--input', tmp_path/'text.txt', '--output_dir', tmp_path/'report')
    assert code == 0 and 'analysis.md' in out, err
    report = report_of(tmp_path/'report')
    assert report['n_texts'] == 61 and set(report['tasks']) == {'sentence with noise', 'adjacent sentences'}
    assert run('rt_embed', '--model', model, '--input', tmp_path/'text.txt', '--output', tmp_path/'v.npy')[0] == 0
    v = np.load(tmp_path/'v.npy').astype(float)
    cosines = (v @ v.T)[np.triu_indices(len(v), 1)]
    p = np.linalg.svd(v, compute_uv=False)
    p /= p.sum()
    measures = report['models']['run']['measures']
    assert measures['mean_cosine'] == pytest.approx(cosines.mean(), abs=1e-4)
    assert measures['uniformity'] == pytest.approx(np.log(np.exp(4*cosines - 4).mean()), abs=1e-3)
    assert measures['effective_rank'] == pytest.approx(np.exp(-(p*np.log(p)).sum()), rel=1e-3)
    page = (tmp_path/'report'/'analysis.html').read_text(encoding='utf-8')
    assert '&lt;b&gt; &amp;' in page and '<b>' not in page


def test_pairs_two_models_and_before_training(model, tmp_path):
    flags = ['--input', model.parent/'pairs.tsv', '--output_dir', tmp_path/'report', '--limit', 60]
    code, _, err = run('rt_analyse', '--model', model, model/'best', '--untrained', *flags)
    assert code == 0, err
    report = report_of(tmp_path/'report')
    assert list(report['models']) == ['run untrained', 'run', 'best'] and set(report['tasks']) == {'pairs'}
    assert report['n_texts'] == 2*report['tasks']['pairs'] <= 120
    first, trained, again = report['models'].values()
    assert trained == again                                                                  # a run stands for its best model
    assert first['measures']['alignment, pairs'] != trained['measures']['alignment, pairs']
    assert 'tokens' not in first and 'layers' in trained
    before = (tmp_path/'report'/'analysis.json').read_bytes()
    assert run('rt_analyse', '--model', model, model/'best', '--untrained', *flags)[0] == 0   # replaces its own report, with the same numbers
    report_of(tmp_path/'report')
    assert (tmp_path/'report'/'analysis.json').read_bytes() == before


def test_bad_input_is_one_line_and_writes_nothing(model, tmp_path):
    (tmp_path/'few.txt').write_text('only one short sentence here\n'*30)
    (tmp_path/'latin.txt').write_bytes('four words are gut\nfünf wörter sind schön hier\n'.encode('latin-1'))
    (tmp_path/'bad.tsv').write_text('left\tright\nonly left\n')
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine'/'notes.txt').write_text('mine')
    pairs, out = model.parent/'pairs.tsv', tmp_path/'out'
    for flags, contains in (
            (['--input', tmp_path/'none.txt'], 'none.txt'), (['--input', tmp_path/'few.txt'], ['few.txt', '20']),
            (['--input', tmp_path/'latin.txt'], ['latin.txt', '2']), (['--input', tmp_path/'bad.tsv'], ['bad.tsv', 'line 2']),
            (['--model', tmp_path/'nowhere'], 'nowhere'), (['--model', tmp_path/'mine'], 'mine'), (['--limit', 5], ['limit', '5']),
            (['--output_dir', tmp_path/'mine'], 'notes.txt'), (['--output_dir', tmp_path/'few.txt'], 'few.txt')):
        refused('rt_analyse', *['--model', model, '--input', pairs, '--output_dir', out, *flags], contains=contains)
    assert not out.exists() and [p.name for p in (tmp_path/'mine').iterdir()] == ['notes.txt']


def test_a_model_of_nan_is_refused(model, tmp_path):
    import shutil
    from safetensors.torch import load_file, save_file
    shutil.copytree(model/'last', tmp_path/'sick')
    weights = load_file(tmp_path/'sick'/'model.safetensors')
    save_file({k: v*float('nan') for k, v in weights.items()}, tmp_path/'sick'/'model.safetensors', metadata={'format': 'pt'})
    refused('rt_analyse', '--model', tmp_path/'sick', '--input', model.parent/'pairs.tsv', '--output_dir', tmp_path/'out', contains='NaN')
    assert not (tmp_path/'out').exists()


def test_help_explains_every_flag():
    code, out, err = run('rt_analyse', '--help')
    assert code == 0 and all(f in out for f in ('--model', '--input', '--output_dir', '--untrained', '--limit', '--seed')) and 'None' not in out, err
