"Kill a training anywhere, go on, and compare every bit with a run that was never stopped."
import json
import random
import signal
import time

import pytest
import torch
from safetensors.torch import load_file

from conftest import SMALL, run, start

FLAGS = ['--max_steps', 24, '--batch_size', 8, '--save_every', 4, '--eval_every', 6, '--log_every', 2, '--dropout', 0.1, *SMALL]
TIMES = {'time_s', 'tokens_per_s', 'elapsed_s', 'time', 'timestamp'}


def final(folder):
    "Weights, optimiser state and the metrics that do not depend on the clock."
    last = sorted((folder/'checkpoints').glob('step-*'))[-1]
    metrics = [json.loads(l) for l in (folder/'logs'/'metrics.jsonl').read_text(encoding='utf-8').splitlines()]
    metrics = [{k: v for k, v in m.items() if k not in TIMES} for m in metrics if m['event'] in ('train', 'validation')]
    return last.name, load_file(last/'model.safetensors'), torch.load(last/'optimizer.pt', weights_only=True), metrics


def same(a, b):
    if torch.is_tensor(a): return torch.equal(a, b)
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def command(tokenizer, corpus, folder): return ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *FLAGS]


@pytest.fixture(scope='module')
def uninterrupted(tokenizer, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')/'run'
    code, _, err = run('rt_train_mlm', *command(tokenizer, corpus, folder))
    assert code == 0, err
    return folder


def kill_and_resume(args, folder, seed, how=signal.SIGKILL, kills=3):
    "Kill at moments spread over start, steps, evaluation and checkpoint writing; go on until the run ends."
    rng, killed = random.Random(seed), 0
    for _ in range(60):
        p = start('rt_train_mlm', *args)
        if killed < kills:
            steps = rng.randrange(1, 24)  # wait until the log shows progress, then a little longer
            end = time.time() + 120
            while p.poll() is None and time.time() < end:
                log = folder/'logs'/'metrics.jsonl'
                if log.exists() and log.read_bytes().count(b'"train"') >= steps//2: break
                time.sleep(0.005)
            time.sleep(rng.random()*0.05)
            if p.poll() is None:
                p.send_signal(how)
                killed += 1
        _, err = p.communicate(timeout=300)
        if p.returncode == 0: return killed
        assert p.returncode in (-how, 130), err
    raise AssertionError('the run never ended')


def test_killed_runs_end_in_the_same_bits(uninterrupted, tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    assert kill_and_resume(command(tokenizer, corpus, folder), folder, seed=1) >= 1
    assert same(final(uninterrupted), final(folder))


def test_interrupt_saves_and_says_how_to_go_on(uninterrupted, tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    kill_and_resume(command(tokenizer, corpus, folder), folder, seed=2, how=signal.SIGINT, kills=2)
    assert same(final(uninterrupted), final(folder))


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(10, 27))
def test_many_kills(uninterrupted, tokenizer, corpus, tmp_path, seed):
    folder = tmp_path/'run'
    kill_and_resume(command(tokenizer, corpus, folder), folder, seed)
    assert same(final(uninterrupted), final(folder))


def test_damaged_checkpoint_is_refused_by_name_and_the_one_before_used(uninterrupted, tokenizer, corpus, tmp_path):
    import shutil
    folder = tmp_path/'run'
    shutil.copytree(uninterrupted, folder)
    newest = sorted((folder/'checkpoints').glob('step-*'))[-1]
    data = bytearray((newest/'model.safetensors').read_bytes())
    data[len(data)//2] ^= 1
    (newest/'model.safetensors').write_bytes(data)
    code, out, err = run('rt_train_mlm', *command(tokenizer, corpus, folder))
    assert code == 0, err
    assert newest.name in out + err and 'damaged' in out + err
    assert same(final(uninterrupted)[:3], final(folder)[:3])


def test_no_step_is_logged_twice(uninterrupted):
    steps = [m['step'] for m in final(uninterrupted)[3] if m['event'] == 'train']
    assert steps == list(range(2, 25, 2))


def test_second_training_in_one_folder_is_refused(tokenizer, corpus, tmp_path):
    from filelock import FileLock
    folder = tmp_path/'run'
    folder.mkdir()
    with FileLock(folder/'.lock'):
        code, _, err = run('rt_train_mlm', *command(tokenizer, corpus, folder))
    assert code == 2 and 'in use' in err and 'Traceback' not in err
