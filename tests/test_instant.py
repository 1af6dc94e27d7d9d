"""A bag answers from its table: the same vectors as its own arithmetic, changed weights noticed, and commands that
need no PyTorch do not load it. Whole processes; the cells of chapters 04, 04b, 04e, 13a and 99 test the parts."""
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import COMMANDS, ENV, refused, run
from hypothesis import given, settings
from hypothesis import strategies as st

from rt_embedding import EmbeddingModel
from rt_embedding.light import open_encoder
from rt_embedding.search import SemanticIndex
from rt_embedding.static import StaticTable, fold, load_table, table_of
from rt_embedding.testing import tiny_texts, tiny_tokenizer
from rt_embedding.tokenizer import SentencePieceTokenizer
from rt_embedding.vectors import cut_vectors

TEXTS = tiny_texts(60)


@pytest.fixture(scope='module')
def tokenizer(tmp_path_factory):
    return SentencePieceTokenizer(tiny_tokenizer(120, path=tmp_path_factory.mktemp('tokenizer')/'tiny.model'))


def bag_model(tokenizer, pooling='weighted_mean', spread=1., seed=0, **changes):
    "A model without blocks whose LayerNorm and pooling weights are not the first ones."
    torch.manual_seed(seed)
    sizes = dict(embedding_dim=24, context_window=24, hidden_dim=32) | changes
    model = EmbeddingModel(len(tokenizer), **sizes, n_layers=0, n_heads=2, pooling=pooling, tokenizer=tokenizer).eval()
    with torch.no_grad():
        model.norm.weight.normal_(1, .3)
        model.norm.bias.normal_()
        if pooling == 'weighted_mean': model.pooling_logit.normal_(0, spread)
    return model


def own_vectors(model, texts, dim=None):
    "By the model's own arithmetic, which the table must not change."
    ids, mask = model.tokenizer.pad(model.tokenizer.encode_batch(texts, max_length=model.config.context_window))
    with torch.inference_mode(): v = model.embed(ids, mask).numpy()
    return v if dim is None else cut_vectors(v, dim)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=40) | st.sampled_from(TEXTS), min_size=1, max_size=12),
       pooling=st.sampled_from(['mean', 'weighted_mean']), spread=st.sampled_from([.1, 3., 20.]),
       dim=st.sampled_from([None, 1, 5, 24]), batch_size=st.integers(1, 9), seed=st.integers(0, 3))
def test_vectors_are_the_models(tokenizer, texts, pooling, spread, dim, batch_size, seed):
    model = bag_model(tokenizer, pooling, spread, seed)
    expected = own_vectors(model, texts, dim)
    quiet = dict(truncate_dim=dim, batch_size=batch_size, on_truncate='ignore')
    for encoder in (model, fold(model), table_of(model)):
        np.testing.assert_allclose(encoder.encode(texts, **quiet), expected, atol=1e-6)
        np.testing.assert_allclose(encoder.encode(texts[0], **quiet), expected[0], atol=1e-6)


@pytest.mark.parametrize('change', ['step', 'data', 'load', 'mask', 'tokenizer'])
def test_changed_weights_are_noticed(tokenizer, change):
    model = bag_model(tokenizer)
    before = model.encode(TEXTS*5)  # more tokens than rows: the whole table is made
    if change == 'step':
        optimizer = torch.optim.AdamW(model.parameters(), lr=.1)
        ids, mask = tokenizer.pad(tokenizer.encode_batch(TEXTS[:8]))
        (model(ids, mask)*torch.randn(8, 24)).sum().backward()
        optimizer.step()
    elif change == 'data': model.projection.weight.data[:, :] = torch.randn(24, 32)
    elif change == 'load': model.load_state_dict(bag_model(tokenizer, seed=5).state_dict())
    elif change == 'mask': model.pooling_logit.data = torch.zeros(120)
    else: model.projection.weight = torch.nn.Parameter(torch.randn(24, 32))
    after = model.encode(TEXTS*5)
    assert abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after[:60], own_vectors(model, TEXTS), atol=1e-6)


def test_training_sees_no_table(tokenizer):
    "Gradients come from the model itself, and `encode` between two steps changes nothing in them."
    gradients = []
    for encodes in (False, True):
        model = bag_model(tokenizer).train()
        if encodes: model.encode(TEXTS)
        ids, mask = tokenizer.pad(tokenizer.encode_batch(TEXTS[:8]))
        model(ids, mask).sum().backward()
        assert model.training and model.token_embedding.weight.grad is not None
        gradients.append(model.projection.weight.grad.clone())
    assert torch.equal(*gradients)


def test_refusals_and_warnings_are_those_of_a_model(tokenizer):
    model, deep = bag_model(tokenizer), bag_model(tokenizer).add_layers(1, n_heads=2)
    long = ['the cat '*40, 'a dog']
    for arguments, options in (((['fine', None],), {}), ((['a'],), dict(truncate_dim=25)),
                               ((['a'],), dict(batch_size=0)), ((['a'],), dict(precision='int4')),
                               ((long,), dict(on_truncate='error')), ((['a'],), dict(on_truncate='shout'))):
        said = []
        for encoder in (model, deep):
            with pytest.raises(ValueError) as e: encoder.encode(*arguments, **options)
            said.append(str(e.value))
        assert said[0] == said[1]
    heard = []
    for encoder in (model, deep, fold(model)): list(encoder.encode_stream(long, on_truncate=heard.append))
    assert heard[0] == heard[1] == heard[2] and '1 of 2 texts' in heard[0]


@pytest.fixture(scope='module')
def run_folder(tokenizer, tmp_path_factory):
    "A run as rt_quickstart leaves it: a model and an index of what it encoded."
    folder = tmp_path_factory.mktemp('run')
    model = bag_model(tokenizer)
    model.save_pretrained(folder/'model')
    SemanticIndex.build(model, TEXTS).save(folder/'index')
    return folder


LOADED = """import atexit, sys
atexit.register(lambda: print("loaded", sorted(sys.modules.keys() & {"torch", "scipy"}), file=sys.stderr))
"""


def loaded(name, *args, cwd=None):
    "Run a command through its door: (exit code, standard output, what it had loaded)."
    module, function = COMMANDS[name]
    code = f'{LOADED}from {module} import {function}\nsys.argv[0] = "{name}"\nsys.exit({function}())'
    done = subprocess.run([sys.executable, '-c', code, *map(str, args)], capture_output=True, text=True, env=ENV,
                          cwd=cwd)
    return done.returncode, done.stdout, done.stderr.strip().splitlines()[-1]


def test_a_question_needs_no_pytorch_and_hears_of_changed_weights(run_folder, tokenizer):
    code, out, what = loaded('rt_search', TEXTS[7], '--run', run_folder, '--k', 1, '--json')
    assert code == 0 and json.loads(out)[0]['entry']['text'] == TEXTS[7]
    assert what == 'loaded []'
    kept = (run_folder/'model'/'model.safetensors').read_bytes()
    bag_model(tokenizer, seed=9).save_pretrained(run_folder/'model')
    refused(run('rt_search', TEXTS[7], '--run', run_folder), 'made by another model')
    (run_folder/'model'/'model.safetensors').write_bytes(kept)
    assert loaded('rt_search', TEXTS[7], '--run', run_folder)[0] == 0


def test_bulk_embedding_needs_no_pytorch(run_folder, tmp_path):
    (tmp_path/'texts.txt').write_text('\n'.join(TEXTS), encoding='utf-8')
    model = EmbeddingModel.from_pretrained(run_folder)
    expected = own_vectors(model, TEXTS)
    for output in ('one.npy', 'many'):
        code, _, what = loaded('rt_embed', '--model', run_folder, '--input', 'texts.txt', '--output', output,
                               cwd=tmp_path)
        assert code == 0 and 'torch' not in what
        written = tmp_path/output if output.endswith('npy') else tmp_path/output/'texts.txt.npy'
        np.testing.assert_allclose(np.load(written), expected, atol=1e-6)


def test_a_saved_table_serves_commands_too(run_folder, tmp_path):
    table = fold(EmbeddingModel.from_pretrained(run_folder), 'float16').save(tmp_path/'table')
    code, out, what = loaded('rt_search', TEXTS[3], '--run', run_folder, '--model', table, '--k', 1, '--json')
    assert code == 0 and json.loads(out)[0]['entry']['text'] == TEXTS[3] and what == 'loaded []'


def test_models_with_blocks_work_as_before(tokenizer, tmp_path):
    deep = bag_model(tokenizer).add_layers(1, n_heads=2)
    deep.save_pretrained(tmp_path/'model')
    found = open_encoder(tmp_path/'model')
    assert type(found) is EmbeddingModel and np.array_equal(found.encode(TEXTS), deep.encode(TEXTS))
    SemanticIndex.build(deep, TEXTS).save(tmp_path/'index')
    code, out, what = loaded('rt_search', TEXTS[5], '--run', tmp_path, '--k', 1, '--json')
    assert code == 0 and json.loads(out)[0]['entry']['text'] == TEXTS[5] and 'torch' in what


def test_broken_folders_are_one_line(run_folder, tokenizer, tmp_path):
    bag = bag_model(tokenizer)
    weights, config = tmp_path/'model'/'model.safetensors', tmp_path/'model'/'config.json'

    def asked(): return run('rt_search', 'a cat', '--run', run_folder, '--model', tmp_path/'model')
    bag.save_pretrained(tmp_path/'model')
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-50])
    refused(asked(), 'not a whole safetensors file')
    weights.write_bytes(whole)
    config.write_text(json.dumps(json.loads(config.read_text()) | dict(embedding_dim=16)))
    refused(asked(), 'do not belong together')
    bag.save_pretrained(tmp_path/'model')
    tiny_tokenizer(110, path=tmp_path/'model'/'tokenizer.model')
    refused(asked(), 'not the tokenizer')
    table = fold(bag).save(tmp_path/'table')
    array = (table/'table.npy').read_bytes()
    (table/'table.npy').write_bytes(array[:-4])
    refused(run('rt_search', 'a cat', '--run', run_folder, '--model', table), 'wrong size')
    assert isinstance(load_table(fold(bag).save(tmp_path/'again')), StaticTable)


@pytest.mark.parametrize('name', COMMANDS)
def test_help_loads_nothing_heavy(name):
    code, out, what = loaded(name, '--help')
    assert code == 0 and 'usage' in out and what == 'loaded []'
