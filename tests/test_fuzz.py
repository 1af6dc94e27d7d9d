"""Damaged and hostile files, by the thousand: every reader reads them or refuses them in one line; none crashes, hangs
or takes the memory."""
import json
import math
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from rt_embedding import EmbeddingModel, EncoderConfig, InputError
from rt_embedding.files import read_json
from rt_embedding.configuration import parameter_count
from rt_embedding.retrieval_sets import read_retrieval
from rt_embedding.testsets import read_labelled, read_sts
from rt_embedding.runningtext import load_pairs
from rt_embedding.steps import TrainingConfig

from helpers import ENV

READERS = ['model', 'tokenizer', 'checkpoint', 'shards', 'run', 'pairs', 'evaluation']
PATIENCE_S = 120  # without a word from the child; a case that hangs in C++ is not reached by its own alarm
SLOW = 50, 1650  # cases of the slow set, for each reader


def survive(readers, folder, tokenizer, first, last):
    """Run `fuzz_worker.py` in a process of its own, since a crash inside SentencePiece or safetensors would end this
    one."""
    shutil.copy(tokenizer, folder/'tokenizer.model')
    p = subprocess.Popen([sys.executable, Path(__file__).with_name('fuzz_worker.py'), ','.join(readers), folder,
                          str(first), str(last)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
    lines, errors, newest, done = queue.Queue(), [], 'before the first case', {}
    threading.Thread(target=lambda: [lines.put(l) for l in (*p.stdout, None)], daemon=True).start()
    threading.Thread(target=lambda: errors.extend(p.stderr), daemon=True).start()
    try:
        while (line := lines.get(timeout=PATIENCE_S)) is not None:
            if line.startswith('done '): done[line.split()[1]] = json.loads(line.split(' ', 2)[2])
            else: newest = line.strip()
    except queue.Empty:
        p.kill()
        pytest.fail(f'hangs: {newest}')
    assert p.wait(timeout=60) == 0, f'{newest}: exit code {p.returncode}\n' + ''.join(errors)[-3000:]
    assert list(done) == readers
    for name, n in done.items():
        # the damage is real
        assert n['read'] + n['refused'] == last - first and n['refused'] > (last - first)/4, (name, n)
    return done


needs_unix = pytest.mark.skipif(sys.platform == 'win32', reason='alarms, limits and pipes of Unix')


@needs_unix
def test_damaged_files(tokenizer, tmp_path): survive(READERS, tmp_path, tokenizer, 0, 50)


@needs_unix
@pytest.mark.slow
@pytest.mark.parametrize('reader', READERS)
def test_damaged_files_by_the_thousand(tokenizer, tmp_path, reader):
    print(reader, survive([reader], tmp_path, tokenizer, *SLOW))


def test_the_slow_set_makes_enough_cases():
    """`survive` asserts that each reader made all of its cases; so the plan is what counts, in any order and any
    number of processes."""
    assert len(READERS)*(SLOW[1] - SLOW[0]) >= 10_000


json_values = st.recursive(st.none() | st.booleans() | st.integers(-10**30, 10**30) | st.floats() | st.text(max_size=8),
                           lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3),
                           max_leaves=8)
FIELDS = list(EncoderConfig.__dataclass_fields__)
quietly = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def accepts(make):
    "Whether it goes through; nothing but InputError may come instead."
    try: return True, make()
    except InputError as e:
        assert '\n' not in str(e)[:-1]
        return False, None


@quietly
@given(st.dictionaries(st.sampled_from(FIELDS),
                       json_values | st.integers(-2, 300) | st.sampled_from([0.1, 2.5, 'mean', 'weighted_mean'])))
def test_a_configuration_is_sound_or_refused(fields):
    "What gets through can be built: its size is finite, and no table it asks for is larger than the limit."
    ok, c = accepts(lambda: EncoderConfig(**dict(dict(vocab_size=50), **fields)))
    if not ok: return
    assert 0 < parameter_count(c) and c.hidden_dim % (2*c.n_heads) == 0 and math.isfinite(c.temperature_init)
    assert c.n_layers*c.context_window*c.hidden_dim//c.n_heads <= 1 << 27


@quietly
@given(st.dictionaries(st.sampled_from(['learning_rate', 'weight_decay', 'epochs', 'max_steps', 'warmup_ratio',
                                        'max_grad_norm', 'beta1', 'seed', 'log_every']),
                                        st.integers(-3, 10**20) | st.floats()))
def test_training_settings_are_sound_or_refused(fields):
    ok, c = accepts(lambda: TrainingConfig(**fields))
    if ok: assert c.learning_rate > 0 and math.isfinite(c.learning_rate) and 0 <= c.warmup_ratio < 1 and c.seed >= 0


@pytest.fixture(scope='module')
def place(tmp_path_factory): return tmp_path_factory.mktemp('place')


@quietly
@given(content=st.binary(max_size=200) | json_values.map(lambda v: json.dumps(v).encode()))
def test_any_json(place, content):
    (place/'x.json').write_bytes(content)
    ok, value = accepts(lambda: read_json(place/'x.json'))
    if ok: assert isinstance(value, dict)


anything = st.text(st.characters(codec='utf-8') | st.sampled_from('\t\t\t\n\r{}[]"0123456789.\u2028\x00\ufeff'),
                   max_size=300)


@quietly
@given(text=anything, source=st.sampled_from(['auto', 'pairs', 'adjacent', 'dropout']),
       suffix=st.sampled_from(['tsv', 'gz', 'xz']))
def test_any_text_as_pairs(place, text, source, suffix):
    path = place/f'pairs.{suffix}'
    path.write_bytes(text.encode())
    ok, pairs = accepts(lambda: load_pairs(path, source))
    if ok: assert pairs and all(2 <= len(p) <= 3 and p[0].strip() and p[1].strip() for p in pairs)


@quietly
@given(texts=st.tuples(anything, anything, anything))
def test_any_text_as_evaluation(place, texts):
    for name, text in zip(('corpus.tsv', 'queries.tsv', 'qrels.tsv'), texts): (place/name).write_bytes(text.encode())
    accepts(lambda: read_retrieval(place))
    for read in (read_sts, read_labelled): accepts(lambda read=read: read(place/'corpus.tsv'))


@quietly
@given(name=st.text(max_size=20) | st.sampled_from(['../../x', '/etc/passwd', '\x00', 'a'*300, '.', '~']))
def test_any_name_of_a_model(name):
    ok, _ = accepts(lambda: EmbeddingModel.from_pretrained(name))
    assert not ok
