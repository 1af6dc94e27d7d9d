"Commands meet the world: many files in several processes, a model from a hub, figures for TensorBoard."
import json
import os
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import ENV, SMALL, refused, run, sentences, start, wait_until

from rt_embedding.bulk import read_manifest
from rt_embedding.encoder import EmbeddingModel
from rt_embedding.files import InputError
from rt_embedding.static import fold
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


@pytest.fixture(scope='module')
def bag(tokenizer, tmp_path_factory):
    tok = SentencePieceTokenizer(tokenizer)
    m = EmbeddingModel(len(tok), embedding_dim=16, context_window=64, hidden_dim=32, n_layers=0,
                       pooling='weighted_mean', tokenizer=tok)
    with torch.no_grad():
        for p in (m.pooling_logit, m.norm.weight, m.norm.bias): p.add_(torch.randn_like(p)*.3)
    return m.eval()


def test_tables_dicts_sets_and_bytes_are_no_list_of_texts(bag):
    pd = pytest.importorskip('pandas')
    table = pd.DataFrame(dict(text=['a', 'b'], id=[1, 2]))
    nothing = table, table.to_dict(), dict(text='a'), {'a', 'b'}, frozenset('a'), b'a', bytearray(b'a'), 5, 2.5, None
    for bad in nothing:
        for encode in (bag.encode, fold(bag).encode, bag.tokenizer.encode_ordinary, bag.embed_documents,
                       lambda t: list(bag.encode_stream(t))):
            with pytest.raises(InputError, match='not a list of texts'): encode(bad)
    for good in (table['text'], table['text'].to_numpy(), ('a', 'b'), iter('ab'), dict(a=1, b=2).keys()):
        np.testing.assert_allclose(bag.encode(good), bag.encode(['a', 'b']), atol=1e-6)


def test_a_folder_means_the_same_through_both_doors(bag, tmp_path, monkeypatch):
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    st = pytest.importorskip('sentence_transformers')
    from rt_embedding.st import to_sentence_transformers
    texts = sentences(20)
    options = dict(prompts=dict(query='ask '), default_prompt_name='query', truncate_dim=8, similarity_fn_name='dot')
    to_sentence_transformers(bag, **options).save_pretrained(str(tmp_path/'m'))
    ours = EmbeddingModel.from_pretrained(tmp_path/'m')
    theirs = st.SentenceTransformer(str(tmp_path/'m'), trust_remote_code=True, device='cpu')
    for name in ('encode', 'encode_query', 'encode_document'):
        np.testing.assert_allclose(getattr(ours, name)(texts),
                                   getattr(theirs, name)(texts, normalize_embeddings=True), atol=1e-5)
    again = EmbeddingModel.from_pretrained(ours.save_pretrained(tmp_path/'again'))
    assert again.settings == ours.settings and again.truncate_dim == 8
    file = _written(tmp_path/'t.txt', texts)
    code, _, err = run('rt_embed', '--model', tmp_path/'again', '--input', file, '--output', tmp_path/'v.npy')
    assert code == 0, err
    np.testing.assert_allclose(np.load(tmp_path/'v.npy'), ours.encode(texts), atol=1e-5)
    chain = json.loads((tmp_path/'again'/'modules.json').read_text())
    dense = dict(idx=1, name='1', path='1_Dense', type='sentence_transformers.models.Dense')
    (tmp_path/'again'/'modules.json').write_text(json.dumps([*chain, dense]))
    refused(run('rt_embed', '--model', tmp_path/'again', '--input', tmp_path/'t.txt', '--output', tmp_path/'w.npy'),
            'adds Dense behind the model')


def test_search_puts_the_prompts_of_both_sides_before_the_texts(bag, tmp_path):
    from rt_embedding.light import open_encoder
    from rt_embedding.search import SemanticIndex
    model = EmbeddingModel.from_pretrained(bag.save_pretrained(tmp_path/'m'))
    plain = SemanticIndex.build(model, sentences(20)).save(tmp_path/'plain')
    model.prompts = dict(query='ask ', document='text ')
    model.save_pretrained(tmp_path/'m')
    opened, texts = open_encoder(tmp_path/'m'), sentences(20)
    for index in (built := SemanticIndex.build(opened, texts), SemanticIndex.load(built.save(tmp_path/'i'), opened)):
        np.testing.assert_allclose(index.vectors, model.encode_document(texts), atol=1e-6)
        np.testing.assert_allclose(index.encode(texts[:2]), model.encode_query(texts[:2]), atol=1e-6)
    with pytest.raises(InputError, match='made by another model'): SemanticIndex.load(plain, opened)


def test_a_default_prompt_that_is_not_used_is_said(bag, tmp_path):
    from loguru import logger
    from rt_embedding.contrastive_training import _loaded_model
    model = EmbeddingModel.from_pretrained(bag.save_pretrained(tmp_path/'m'))
    said, sizes = [], dict.fromkeys(('context_window', 'dropout', 'embedding_dim', 'hidden_dim', 'n_layers', 'n_heads'))
    sink = logger.add(said.append, format='{message}')
    try:
        fold(model)
        model.prompts = dict(query='ask ')
        model.default_prompt_name = 'query'
        fold(model)
        _loaded_model(model.save_pretrained(tmp_path/'m'), None, sizes)
    finally: logger.remove(sink)
    assert [s.split(' the ')[0] for s in said] == ['A table does not know', 'Training does not know'], said
    assert all("default prompt 'ask '" in s for s in said)


def test_a_static_embedding_is_read(bag, tmp_path):
    st, modules = (pytest.importorskip(f'sentence_transformers{m}') for m in ('', '.models'))
    tokenizers = pytest.importorskip('tokenizers')
    from rt_embedding.light import open_encoder
    from rt_embedding.model2vec import SPECIAL_NAMES, fast_tokenizer
    pieces = tokenizers.Tokenizer.from_str(json.dumps(fast_tokenizer(bag.tokenizer)))
    pieces.add_special_tokens(list(SPECIAL_NAMES))
    static = modules.StaticEmbedding(pieces, embedding_dim=12)
    theirs = st.SentenceTransformer(modules=[static], device='cpu', prompts=dict(query='ask '))
    theirs.save_pretrained(str(tmp_path/'static'))
    ours, texts = open_encoder(tmp_path/'static'), [*sentences(20), 'an \u2230 sign']
    for name in ('encode', 'encode_query'):
        np.testing.assert_allclose(getattr(ours, name)(texts),
                                   getattr(theirs, name)(texts, normalize_embeddings=True), atol=1e-5)


def _written(path, texts):
    path.write_text('\n'.join(texts), encoding='utf-8')
    return path


def test_a_bag_goes_to_model2vec_and_back(bag, tmp_path):
    model2vec = pytest.importorskip('model2vec')
    bag.save_pretrained(tmp_path/'bag')
    texts = sentences(60)
    code, out, err = run('rt_export', '--model', tmp_path/'bag', '--output', tmp_path/'m2v', '--format', 'model2vec',
                         '--input', _written(tmp_path/'t.txt', texts))
    assert code == 0 and 'of 60 texts, 0 become other pieces' in out, (out, err)
    v = bag.encode(texts)
    np.testing.assert_allclose(model2vec.StaticModel.from_pretrained(tmp_path/'m2v').encode(texts), v, atol=1e-5)
    np.testing.assert_allclose(EmbeddingModel.from_pretrained(tmp_path/'m2v').encode(texts), v, atol=1e-5)
    file = tmp_path/'t.txt'
    code, out, err = run('rt_embed', '--model', tmp_path/'m2v', '--input', file, '--output', tmp_path/'v.npy')
    assert code == 0, err
    np.testing.assert_allclose(np.load(tmp_path/'v.npy'), v, atol=1e-5)
    refused(run('rt_export', '--model', tmp_path/'bag', '--output', tmp_path/'x', '--format', 'model2vec', '--int8'),
            '--int8 is for --format onnx')
    refused(run('rt_export', '--model', tmp_path/'bag', '--output', tmp_path, '--format', 'model2vec'),
            'something else')


def test_results_are_filed_by_the_weights(bag):
    names = {bag.checksum()}
    for change in (dict(prompts=dict(query='a ')), dict(truncate_dim=4)):
        other = bag.fresh_copy()
        other.load_state_dict(bag.state_dict())
        assert other.checksum() == bag.checksum()
        other.settings = replace(other.settings, **change)
        names.add(other.checksum())
    retrained = bag.fresh_copy()
    retrained.load_state_dict(bag.state_dict())
    with torch.no_grad(): retrained.pooling_logit[7] += 1e-4
    assert len(names | {retrained.checksum()}) == 4
