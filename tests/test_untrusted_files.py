"A folder from the net: nothing in it is executed, nothing it says is believed, and each trick ends in one line."
import contextlib
import json
import os
import pickle
import resource
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from rt_embedding import EmbeddingModel, InputError, SentencePieceTokenizer
from rt_embedding.files import sha256_file
from rt_embedding.batches import make_batch
from rt_embedding.corpus import TokenShards, build_shards
from rt_embedding.checkpoints import checkpoints, read_optimizer, save_checkpoint, verify_checkpoint

from helpers import sentences

if sys.platform == 'win32': pytest.skip('links, pipes and limits of Unix', allow_module_level=True)


@pytest.fixture(scope='module')
def original(tokenizer, tmp_path_factory):
    torch.manual_seed(0)
    t = SentencePieceTokenizer(tokenizer)
    model = EmbeddingModel(len(t), embedding_dim=8, hidden_dim=16, n_layers=1, n_heads=2, tokenizer=t)
    return model.save_pretrained(tmp_path_factory.mktemp("original")/'model')


@pytest.fixture
def folder(original, tmp_path): return Path(shutil.copytree(original, tmp_path/'model'))


SPARE = 512 << 20  # bytes of address space that a refusal may ask for; the files below promise gigabytes, or a terabyte


@contextlib.contextmanager
def little_memory():
    "Whoever asks for more memory than SPARE gets a MemoryError (where /proc tells how much is in use)."
    if sys.platform != 'linux':
        yield
        return
    in_use = int(Path('/proc/self/statm').read_text().split()[0])*os.sysconf('SC_PAGE_SIZE')
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + SPARE, before[1]))
    try: yield
    finally: resource.setrlimit(resource.RLIMIT_AS, before)


def refused(read, *words):
    "Assert an InputError of one line that holds all `words`, raised without asking for memory."
    with pytest.raises(InputError) as e, little_memory(): read()
    assert '\n' not in str(e.value) and len(str(e.value)) < 1000
    for word in words: assert word in str(e.value), (word, str(e.value))


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_the_limit_on_memory_bites():
    with pytest.raises(MemoryError), little_memory(): bytes(2*SPARE)


def configured(folder, **changes):
    config = json.loads((folder/'config.json').read_text())
    config.update(changes)
    (folder/'config.json').write_text(json.dumps({k: v for k, v in config.items() if v is not ...}))
    return lambda: EmbeddingModel.from_pretrained(folder)


@pytest.mark.parametrize('changes,contains', [
    (dict(hidden_dim=10**6, n_heads=1000, n_layers=12, feedforward_dim=10**6), 'asks for'),  # 7 * 10**13 parameters
    (dict(vocab_size=10**9, hidden_dim=1000, n_heads=1), 'asks for'),              # 10**12
    (dict(hidden_dim=10**400), 'too large'),
    (dict(n_layers=10**6), 'n_layers'), (dict(context_window=10**9), 'context_window'),
    (dict(rope_base=10**400), 'rope_base'), (dict(dropout=float('nan')), 'dropout'),
    (dict(hidden_dim=None), 'hidden_dim'), (dict(hidden_dim=[16]), 'hidden_dim'), (dict(hidden_dim='16'), 'hidden_dim'),
    (dict(n_layers=True), 'n_layers'), (dict(n_layers=1.0), 'n_layers'),
    (dict(pooling='os.system'), 'pooling'), (dict(use_temperature='yes'), 'use_temperature'),
    (dict(temperature_init=0), 'temperature_init'),
    (dict(format_version=2), 'update rt_embedding'), (dict(format_version='1'), 'format'),
    (dict(format_version=...), 'format'), (dict(hidden_dim=...), 'hidden_dim'),
    (dict(auto_map='modeling.Evil'), 'auto_map'), (dict(tokenizer_sha256='0'*64), 'not the tokenizer'),
])
def test_a_configuration_that_lies_is_refused_before_memory_is_taken(folder, monkeypatch, changes, contains):
    read = configured(folder, **changes)
    if 'tokenizer_sha256' not in changes:
        monkeypatch.setattr(EmbeddingModel, '__init__', lambda self, *a, **k: pytest.fail('allocated'))
    refused(read, 'config.json' if 'format_version' not in changes and 'asks for' not in contains
            and 'tokenizer' not in contains else 'model', contains)


def weights(folder, change):
    w = load_file(folder/'model.safetensors')
    change(w)
    save_file(w, folder/'model.safetensors')
    return lambda: EmbeddingModel.from_pretrained(folder)


@pytest.mark.parametrize('change,contains', [
    (lambda w: w.update(extra=torch.zeros(3)), 'do not belong together'),
    (lambda w: w.update(empty=torch.zeros(0)), 'does not fit'),
    (lambda w: w.pop('norm.bias'), 'do not belong together'),
    (lambda w: w.update({'norm.bias': w['norm.bias'][None]}), 'does not fit'),
    (lambda w: w.update({'projection.weight': w['projection.weight'].T.contiguous()}), 'does not fit'),
    (lambda w: w.update({'renamed': w.pop('norm.bias')}), 'does not fit'),
    (lambda w: w.update({'norm.bias': w['norm.bias'].long()}), 'a type that is none for weights'),
    (lambda w: w['norm.bias'].fill_(float('inf')), 'NaN or infinity'),
])
def test_weights_that_do_not_fit(folder, change, contains):
    refused(weights(folder, change), 'model.safetensors', contains)


@pytest.mark.parametrize('head', [b'', b'\0'*8, (2**63).to_bytes(8, 'little'), (2**64 - 1).to_bytes(8, 'little'),
                                  (10**8).to_bytes(8, 'little') + b'{', b'\x02' + b'\0'*7 + b'{}'])
def test_a_header_of_absurd_length(folder, head):
    (folder/'model.safetensors').write_bytes(head)
    refused(lambda: EmbeddingModel.from_pretrained(folder), 'model.safetensors')


@pytest.mark.parametrize('name', ['config.json', 'model.safetensors', 'tokenizer.model'])
def test_a_terabyte_of_nothing_is_not_read(folder, name):
    # a hole: it takes no room on the disk, and would take hours to read
    with open(folder/name, 'r+b') as f: f.truncate(1 << 40)
    refused(lambda: EmbeddingModel.from_pretrained(folder), name, 'more than')


@pytest.mark.parametrize('content', [b'', b'\0', b'not a model', b'{}', b'PK\x03\x04', b'\x0a\xff\xff\xff\xff\x0f',
                                     pickle.dumps(print)])
def test_a_tokenizer_that_is_none(folder, content):
    (folder/'tokenizer.model').write_bytes(content)
    refused(lambda: EmbeddingModel.from_pretrained(folder), 'tokenizer.model', 'not a SentencePiece model')


def test_a_tokenizer_whose_special_pieces_are_ordinary_text(folder, tokenizer):
    "Ids in the right order, but `<pad>` is a piece like any other: typed text would become padding."
    data = tokenizer.read_bytes()
    # of the protocol buffer: text, score 0, kind 3 = control, 4 = user's
    piece = lambda text, kind: bytes([0x0a, len(text)]) + text + bytes([0x15, 0, 0, 0, 0, 0x18, kind])
    old, new = piece(b'<pad>', 3), piece(b'<pad>', 4)
    assert data.count(old) == 1
    (folder/'tokenizer.model').write_bytes(data.replace(old, new))
    refused(lambda: SentencePieceTokenizer(folder/'tokenizer.model'), 'tokenizer.model', 'other special ids')


@pytest.mark.parametrize('name', ['config.json', 'model.safetensors', 'tokenizer.model'])
def test_links_out_of_the_folder_pipes_and_devices(folder, tmp_path, name):
    elsewhere = tmp_path/'private'
    shutil.move(folder/name, elsewhere)
    read = lambda: EmbeddingModel.from_pretrained(folder)
    for target in (elsewhere, Path('..')/'private'):  # even though what is there is a perfect file
        (folder/name).symlink_to(target)
        refused(read, name, 'link out of its folder')
        (folder/name).unlink()
    for target in ('/dev/zero', '/dev/random', name, 'nowhere'):
        (folder/name).symlink_to(target)
        # it points at nothing: a model without tokenizer
        if name == 'tokenizer.model' and target in (name, 'nowhere'): read()
        else: refused(read)
        (folder/name).unlink()
    os.mkfifo(folder/name)
    refused(read)


def test_a_link_within_the_folder_and_the_cache_of_the_hub_are_fine(folder, tmp_path):
    shutil.move(folder/'config.json', folder/'c')
    (folder/'config.json').symlink_to('c')
    EmbeddingModel.from_pretrained(folder)
    cache = tmp_path/'models--a--b'
    (cache/'blobs').mkdir(parents=True)
    (cache/'snapshots'/'rev').mkdir(parents=True)
    for name in ('config.json', 'model.safetensors', 'tokenizer.model'):
        shutil.copy(folder/name, cache/'blobs'/name)
        (cache/'snapshots'/'rev'/name).symlink_to(f'../../blobs/{name}')
    EmbeddingModel.from_pretrained(cache/'snapshots'/'rev')


def test_the_model_of_a_run_that_is_a_link_elsewhere(folder, tmp_path):
    (tmp_path/'run').mkdir()
    (tmp_path/'run'/'best').symlink_to(folder)
    refused(lambda: EmbeddingModel.from_pretrained(tmp_path/'run'), 'best', 'link out of its folder')


class Bomb:
    "Unpickled, it leaves a trace."
    def __init__(self, path): self.path = str(path)
    def __reduce__(self): return os.mkdir, (self.path,)


WATCHED, SEEN = [False], []  # an audit hook stays for ever; this one sleeps most of the time
sys.addaudithook(lambda event, args: SEEN.append(event) if WATCHED[0]
                 and event in ('pickle.find_class', 'exec', 'compile', 'import', 'subprocess.Popen', 'os.system',
                               'os.exec') else None)


def test_loading_executes_and_unpickles_nothing(folder, tmp_path):
    trace = tmp_path/'executed'
    for name in ('pytorch_model.bin', 'model.pkl', 'training_args.bin', 'optimizer.pt'):
        (folder/name).write_bytes(pickle.dumps(Bomb(trace)))
    for name in ('modeling.py', 'setup.py', '__init__.py', 'conftest.py', 'sitecustomize.py'):
        (folder/name).write_text(f'import os; os.mkdir({str(trace)!r})')
    EmbeddingModel.from_pretrained(folder).encode(['warm'])
    SEEN.clear()
    WATCHED[0] = True
    try:
        EmbeddingModel.from_pretrained(folder).encode(['text'])
        pickle.loads(pickle.dumps(os.getcwd))  # the hook sees this one
    finally: WATCHED[0] = False
    assert SEEN.count('pickle.find_class') == 1 and 'exec' not in SEEN and not trace.exists(), SEEN


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    model = EmbeddingModel(50, embedding_dim=8, hidden_dim=16, n_layers=1, n_heads=2)
    optimizer = torch.optim.AdamW(model.parameters())
    sum(p.sum() for p in model.parameters()).backward()
    optimizer.step()
    return save_checkpoint(model, optimizer, dict(step=4), tmp_path/'run'), optimizer


def signed(folder):
    "An attacker writes fitting checksums."
    (folder/'checksums.json').write_text(json.dumps({f.name: sha256_file(f) for f in folder.iterdir()
                                                     if f.name != 'checksums.json'}))


def test_an_optimiser_file_that_would_execute(checkpoint, tmp_path):
    folder, optimizer = checkpoint
    torch.save(dict(state={0: Bomb(tmp_path/'executed')}, param_groups=[]), folder/'optimizer.pt')
    signed(folder)
    verify_checkpoint(folder)
    refused(lambda: read_optimizer(folder, optimizer), 'optimizer.pt')
    (folder/'optimizer.pt').write_bytes(pickle.dumps(Bomb(tmp_path/'executed')))
    refused(lambda: read_optimizer(folder, optimizer), 'optimizer.pt')
    assert not (tmp_path/'executed').exists()


def test_an_optimiser_file_that_unpacks_to_gigabytes(checkpoint):
    folder, optimizer = checkpoint
    with zipfile.ZipFile(folder/'optimizer.pt') as z: parts = {n: z.read(n) for n in z.namelist()}
    with zipfile.ZipFile(folder/'optimizer.pt', 'w', zipfile.ZIP_DEFLATED) as z:
        for n, data in parts.items(): z.writestr(n, data if not n.endswith('/data/0') else bytes(20_000_000))
    assert (folder/'optimizer.pt').stat().st_size < 100_000
    refused(lambda: read_optimizer(folder, optimizer), 'compressed')


@pytest.mark.parametrize('change', [
    lambda s: s['state'][0].update(exp_avg=torch.zeros(3)), lambda s: s['state'][0].pop('exp_avg_sq'),
    lambda s: s['state'].update({99: s['state'][0]}),
    lambda s: s['state'][0].update(exp_avg=torch.full_like(s['state'][0]['exp_avg'], float('nan'))),
    lambda s: s['state'].update({0: None}), lambda s: s.pop('state'),
    lambda s: s['state'][0].update(step=torch.tensor(float('inf'))), lambda s: s['state'][0].update(evil=1)])
def test_an_optimiser_file_that_does_not_fit(checkpoint, change):
    folder, optimizer = checkpoint
    saved = torch.load(folder/'optimizer.pt', weights_only=True)
    change(saved)
    torch.save(saved, folder/'optimizer.pt')
    refused(lambda: read_optimizer(folder, optimizer), 'optimizer.pt')


def test_the_settings_of_the_optimiser_are_those_of_the_run_not_of_the_file(checkpoint):
    folder, optimizer = checkpoint
    saved = torch.load(folder/'optimizer.pt', weights_only=True)
    saved['param_groups'][0].update(lr=1e9, betas=(0., 0.), weight_decay=-5.)
    torch.save(saved, folder/'optimizer.pt')
    assert read_optimizer(folder, optimizer)['param_groups'] == optimizer.state_dict()['param_groups']


@pytest.mark.parametrize('names', [['../outside'], ['/dev/zero'], ['/etc/passwd'], ['..'], ['.'], ['a/../state.json'],
                                   ['state.json\0'], ['~'], []])
def test_path_tricks_among_the_checksums(checkpoint, names):
    """A name is only looked up among the files of the folder; and a file without checksum is as bad as a checksum
    without file."""
    folder, _ = checkpoint
    (folder.parent.parent/'outside').write_text('x')
    sums = json.loads((folder/'checksums.json').read_text())
    for n in names: sums[n] = '0'*64
    if not names: del sums['optimizer.pt']
    (folder/'checksums.json').write_text(json.dumps(sums))
    refused(lambda: verify_checkpoint(folder), folder.name, 'not a whole checkpoint')


@pytest.mark.parametrize('state', [dict(step='4'), dict(step=5), dict(step=-4), dict(step=4.0), dict(step=None), {},
                                   [4], dict(step=10**30)])
def test_a_state_that_cannot_be(checkpoint, state):
    folder, _ = checkpoint
    (folder/'state.json').write_text(json.dumps(state))
    signed(folder)
    refused(lambda: verify_checkpoint(folder), folder.name)


@pytest.mark.parametrize('change', [dict(tokens=-1), dict(tokens='many'), dict(loss_sum=float('nan')),
                                    dict(best_loss=[]), dict(last=3), dict(skipped=0.5), dict(bad_in_a_row=10**400),
                                    dict(step=1000)])
def test_a_state_that_is_not_of_this_run(tmp_path, change):
    "The loop itself refuses to go on with it."
    from rt_embedding.steps import Objective, TrainingConfig
    from rt_embedding.training import train
    class Task(Objective):
        def n_batches(self, epoch): return 3
        def batch(self, epoch, index): return dict(ids=torch.tensor([[2, 7 + index, 3]]))
        def count(self, batch): return 1
        tokens = count
        def loss(self, model, batch): return model.embed(batch['ids']).sum()
        def evaluate(self, model): return dict(val_loss=1.)
    go = lambda: train(EmbeddingModel(50, embedding_dim=8, hidden_dim=16, n_layers=1, n_heads=2), Task(),
                       TrainingConfig(max_steps=6, save_every=3, device='cpu'), tmp_path/'run', progress=False)
    go()
    for folder in checkpoints(tmp_path/'run'):
        state = json.loads((folder/'state.json').read_text()) | change
        if folder.name.endswith('3') and 'step' in change:
            shutil.rmtree(folder)
            continue
        (folder/'state.json').write_text(json.dumps(state))
        signed(folder)
    if 'step' in change: folder.rename(folder.with_name('step-00001000'))
    refused(go, 'state.json', next(iter(change)))


def test_shards_with_ids_that_no_text_has(tokenizer, tmp_path):
    t = SentencePieceTokenizer(tokenizer)
    shards = build_shards(iter(sentences(30)), t, tmp_path/'shards', source='toy')
    make_batch(shards, np.arange(5), 12)
    # special, or beyond the vocabulary: an index out of the table in the middle of a training
    for bad in (0, 2, 4, 200, 65535):
        ids = np.fromfile(tmp_path/'shards'/'ids.bin', '<u2')
        keep, ids[3] = ids[3], bad
        ids.tofile(tmp_path/'shards'/'ids.bin')
        refused(lambda: make_batch(TokenShards(tmp_path/'shards'), np.arange(5), 12), 'ids.bin',
                'token ids outside the vocabulary')
        ids[3] = keep
        ids.tofile(tmp_path/'shards'/'ids.bin')


def saved_table(folder, **config):
    "A saved table whose config.json says something else."
    from rt_embedding.static import fold
    t = SentencePieceTokenizer(folder/'tokenizer.model')
    model = EmbeddingModel(len(t), embedding_dim=8, hidden_dim=16, n_layers=0, n_heads=2, tokenizer=t)
    path = fold(model).save(folder/'table')
    (path/'config.json').write_text(json.dumps(json.loads((path/'config.json').read_text()) | config))
    return path


@pytest.mark.parametrize('config', [
    dict(context_window='16'), dict(context_window=1e400), dict(context_window=10**40), dict(context_window=[16]),
    dict(files=['table.npy', 'weights.npy', 'tokenizer.model']), dict(files={'table.npy': 1}), dict(format_version='1'),
    dict(files={'table.npy': dict(size='1', sha256='')})])
def test_a_table_whose_configuration_lies(folder, config):
    from rt_embedding.static import load_table
    path = saved_table(folder, **config)
    refused(lambda: load_table(path), 'no folder of a StaticTable')


def test_a_table_of_other_numbers_or_somewhere_else(folder):
    from rt_embedding.static import load_table
    path = saved_table(folder)
    good = (path/'weights.npy').read_bytes()
    for wrong in (np.ones(200, np.int64), np.ones(200, np.float64)):
        np.save(path/'weights.npy', wrong)
        config = json.loads((path/'config.json').read_text())
        config['files']['weights.npy']['size'] = (path/'weights.npy').stat().st_size
        (path/'config.json').write_text(json.dumps(config))
        refused(lambda: load_table(path), 'weights.npy', 'not float32')
    (path/'weights.npy').unlink()
    (folder/'elsewhere.npy').write_bytes(good)
    os.symlink(folder/'elsewhere.npy', path/'weights.npy')
    refused(lambda: load_table(path), 'link out of its folder')


@pytest.mark.parametrize('settings', [
    dict(prompts=dict(a='b'), default_prompt_name=['a']), dict(default_prompt_name={}), dict(truncate_dim=True),
    dict(prompts=dict(a='x'*100_000), default_prompt_name='a')])
def test_settings_that_lie(folder, settings):
    (folder/'config_sentence_transformers.json').write_text(json.dumps(settings))
    refused(lambda: EmbeddingModel.from_pretrained(folder), 'config_sentence_transformers.json')


def test_a_name_that_a_file_says_twice(folder):
    text = (folder/'config.json').read_text().strip()
    (folder/'config.json').write_text(text[:-1] + ', "context_window": 4}')
    refused(lambda: EmbeddingModel.from_pretrained(folder), 'config.json', 'stands there twice')
