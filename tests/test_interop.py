"Commands meet the world: many files in several processes, a model from a hub, figures for TensorBoard."
import os
import signal
import sys

import numpy as np
import pytest
from helpers import ENV, SMALL, run, sentences, start, wait_until

from rt_embedding.bulk import read_manifest
from rt_embedding.encoder import EmbeddingModel
from rt_embedding.tokenizer import SentencePieceTokenizer


@pytest.fixture(scope='module')
def model(tokenizer, tmp_path_factory):
    tok = SentencePieceTokenizer(tokenizer)
    folder = tmp_path_factory.mktemp('model')/'m'
    EmbeddingModel(len(tok), embedding_dim=16, context_window=32, hidden_dim=64, n_layers=2, n_heads=2,
                   tokenizer=tok).save_pretrained(folder)
    return folder


@pytest.fixture(scope='module')
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp('texts')
    for i in range(6): (folder/f'{i}.txt').write_text('\n'.join(sentences(1500, i)), encoding='utf-8')
    return folder


def test_a_damaged_file_is_named_and_the_others_are_finished(model, texts, tmp_path):
    bad = tmp_path/'bad.txt'
    bad.write_bytes(b'good\nbad \xff\n')
    code, out, err = run('rt_embed', '--model', model, '--input', texts/'0.txt', bad, '--output', tmp_path/'v',
                         '--workers', 2)
    assert code == 2 and 'bad.txt, line 2' in err and 'Traceback' not in err, err
    assert sorted(p.name for p in (tmp_path/'v').glob('*.npy')) == ['0.txt.npy']
    bad.write_text('good\nnow, too\n', encoding='utf-8')
    code, out, err = run('rt_embed', '--model', model, '--input', texts/'0.txt', bad, '--output', tmp_path/'v',
                         '--workers', 2)
    assert code == 0 and '2 texts of 1 file' in out and '1 finished before' in out, (out, err)
    assert np.load(tmp_path/'v'/'bad.txt.npy').shape == (2, 16)


def _alive(pid):
    try: os.kill(pid, 0)
    except ProcessLookupError: return False
    return True


@pytest.mark.skipif(sys.platform == 'win32', reason='signals')
@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGKILL])
def test_stopped_anywhere_it_goes_on_to_the_same_vectors(model, texts, tmp_path, how):
    folder = tmp_path/'v'
    p = start('rt_embed', '--model', model, '--input', texts, '--output', folder, '--workers', 2, '--batch_size', 1,
              start_new_session=True)
    wait_until(lambda: read_manifest(folder)[1], p)  # an array may be there a moment before its record
    children = [int(c)
                for c in open(f'/proc/{p.pid}/task/{p.pid}/children').read().split()] if sys.platform == 'linux' else []
    p.send_signal(how)
    p.communicate(timeout=60)
    assert p.returncode == (130 if how == signal.SIGINT else -how)
    wait_until(lambda: not any(map(_alive, children)), seconds=60)  # no orphans
    before = read_manifest(folder)[1]
    assert 0 < len(before) < 6
    for name in before: assert np.load(folder/name).shape == (1500, 16)          # whole, or not there
    code, out, err = run('rt_embed', '--model', model, '--input', texts, '--output', folder)
    assert code == 0, err
    assert not list(folder.rglob('*.tmp')) and len(read_manifest(folder)[1]) == 6
    m = EmbeddingModel.from_pretrained(model)
    for i in range(6):
        np.testing.assert_allclose(np.load(folder/texts.name/f'{i}.txt.npy'), m.encode(sentences(1500, i)), atol=1e-5)


def test_commands_take_a_model_from_the_hub(model, texts, tmp_path, monkeypatch):
    pytest.importorskip('huggingface_hub')
    from rt_embedding.testing import practice_hub
    for name, value in dict(HF_HOME=tmp_path/'cache', HF_HUB_DISABLE_PROGRESS_BARS='1', NO_PROXY='127.0.0.1').items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(tmp_path)
    with practice_hub() as hub:
        EmbeddingModel.from_pretrained(model).push_to_hub('ada/toy')
        for name in ('HF_HOME', 'HF_ENDPOINT', 'HF_TOKEN', 'HF_HUB_DISABLE_PROGRESS_BARS'):
            monkeypatch.setitem(ENV, name, os.environ[name])
        code, out, err = run('rt_embed', '--model', 'ada/toy', '--input', texts/'0.txt', '--output', tmp_path/'v.npy')
        assert code == 0, err
        np.testing.assert_allclose(np.load(tmp_path/'v.npy'),
                                   EmbeddingModel.from_pretrained(model).encode(sentences(1500, 0)), atol=1e-5)
        asked = len(hub.requests)
        code, out, err = run('rt_embed', '--model', 'models/toy', '--input', texts/'0.txt', '--output',
                             tmp_path/'w.npy')
        assert code == 2 and 'models/toy is not a folder' in err and len(hub.requests) == asked, err


def test_training_writes_tensorboard_events(corpus, tokenizer, tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from rt_embedding.logging import read_metrics
    code, _, err = run('rt_train_mlm', '--corpus', corpus, '--tokenizer', tokenizer, '--output_dir', tmp_path/'run',
                       *SMALL, '--max_steps', 6, '--log_every', 2, '--tensorboard')
    assert code == 0, err
    found = EventAccumulator(str(tmp_path/'run'/'tensorboard')).Reload()
    kept = [(r['step'], r['loss_nats']) for r in read_metrics(tmp_path/'run'/'logs'/'metrics.jsonl', 'train')]
    assert [e.step for e in found.Scalars('train/loss_nats')] == [s for s, _ in kept] == [2, 4, 6]
    np.testing.assert_allclose([e.value for e in found.Scalars('train/loss_nats')], [v for _, v in kept], rtol=1e-6)
    assert 'validation/perplexity' in found.Tags()['scalars']
