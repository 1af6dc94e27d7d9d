"Two processes train like one; a killed pair goes on with the same bits; nobody is left waiting."
import json
import random
import shutil
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from helpers import CLOCKS, ENV, SMALL, paraphrases, python_line, refused, run, same, start, steps_logged, wait_until

psutil = pytest.importorskip('psutil')
TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', '2', '--no-python']
ACCELERATE = [sys.executable, '-m', 'accelerate.commands.launch', '--multi_gpu', '--num_machines', '1',
              '--num_processes', '2', '--mixed_precision', 'no',
              # spawns two processes, whatever --device says
              '--dynamo_backend', 'no', '--main_process_port', '0', '--no_python']
FLAGS = ['--max_steps', 24, '--batch_size', 9, '--save_every', 4, '--eval_every', 6, '--log_every', 2, *SMALL]


def launched(name, *args, launcher=TORCHRUN): return start(name, *args, launcher=launcher)


def end(p, timeout=240):
    "Wait for a launcher; nothing that it started may outlive the test."
    children = psutil.Process(p.pid).children(recursive=True) if p.poll() is None else []
    try: out, err = p.communicate(timeout=timeout)
    finally:
        for child in children:
            if child.is_running(): child.kill()
        if p.poll() is None: p.kill()
    return p.returncode, out, err


def figures_and_state(folder):
    """The newest checkpoint's name, weights and optimizer state, and the figures of the log that do not depend on the
    clock."""
    last = sorted((folder/'checkpoints').glob('step-*'))[-1]
    records = [json.loads(line) for line in (folder/'logs'/'metrics.jsonl').read_text(encoding='utf-8').splitlines()]
    figures = [{k: v for k, v in r.items() if k not in CLOCKS} for r in records
               if r['event'] in ('train', 'validation')]
    return last.name, load_file(last/'model.safetensors'), torch.load(last/'optimizer.pt', weights_only=True), figures


def mlm(tokenizer, corpus, folder, *more):
    return ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *FLAGS, *more]


def close(a, b, tolerance=2e-4):
    "Runs that differ by rounding: losses of all steps, and the weights at the end."
    # ranks turn at the least difference; processes pad less
    jumpy = {'event', 'val_accuracy', 'val_mrr', 'masked_accuracy', 'padding_share'}
    (name, weights, _, metrics), (other, others, _, more) = figures_and_state(a), figures_and_state(b)
    assert name == other and len(metrics) == len(more) > 10
    for m, n in zip(metrics, more):
        assert m.keys() == n.keys() and all(m[k] == pytest.approx(n[k], rel=1e-3, abs=1e-4) for k in m
                                            if m[k] is not None and k not in jumpy), (m, n)
    assert m['tokens'] == n['tokens'] if 'tokens' in m else True
    assert max(float((weights[k] - others[k]).abs().max()) for k in weights) < tolerance


@pytest.fixture(scope='module')
def pair(tokenizer, corpus, tmp_path_factory):
    "Two processes with dropout, from start to end."
    folder = tmp_path_factory.mktemp('pair')/'run'
    code, out, err = end(launched('rt_train_mlm', *mlm(tokenizer, corpus, folder, '--dropout', 0.1)))
    assert code == 0, err
    assert out.count('sentences to learn from') == 1 and out.count('validation loss') == 1  # rank 0 speaks
    assert len(list((folder/'logs').glob('*.log'))) == 1
    return folder


def test_two_processes_train_mlm_like_one(tokenizer, corpus, tmp_path):
    code, _, err = run('rt_train_mlm', *mlm(tokenizer, corpus, tmp_path/'one'))
    assert code == 0, err
    code, _, err = end(launched('rt_train_mlm', *mlm(tokenizer, corpus, tmp_path/'two')))
    assert code == 0, err
    close(tmp_path/'one', tmp_path/'two')


def test_killed_pair_ends_soon_and_goes_on_with_the_same_bits(pair, tokenizer, corpus, tmp_path):
    args = mlm(tokenizer, corpus, tmp_path/'run', '--dropout', 0.1)
    lines = lambda: steps_logged(tmp_path/'run')

    p = launched('rt_train_mlm', *args)                        # Ctrl-C reaches the launcher: all save
    wait_until(lambda: lines() >= 2, p)
    p.send_signal(signal.SIGINT)
    code, _, err = end(p)
    assert code != 0 and 'everything is saved' in err, err
    stopped = json.loads((sorted((tmp_path/'run'/'checkpoints').glob('step-*'))[-1]/'state.json').read_text())['step']
    assert stopped >= 4

    p, before = launched('rt_train_mlm', *args), lines()       # rank 1 is killed: rank 0 says so and ends
    wait_until(lambda: lines() > before or lines() >= 11, p)
    victim = [c for c in psutil.Process(p.pid).children(recursive=True) if c.environ().get('RANK') == '1']
    if victim: victim[0].kill()
    code, _, err = end(p, timeout=60)
    assert code != 0 and 'another process of this training has ended' in err, err
    assert 'rank 0 of 2' in err

    code, _, err = end(launched('rt_train_mlm', *args))
    assert code == 0, err
    assert same(figures_and_state(pair), figures_and_state(tmp_path/'run'))


def test_without_a_launcher_the_survivor_ends_too(tokenizer, corpus, tmp_path):
    import socket
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    args = [sys.executable, '-c', python_line('rt_train_mlm'),
            *map(str, mlm(tokenizer, corpus, tmp_path/'run', '--max_steps', 100000))]
    ranks = [subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=ENV | dict(RANK=str(r), LOCAL_RANK=str(r), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1',
                                             MASTER_PORT=str(port))) for r in range(2)]
    try:
        wait_until((tmp_path/'run'/'logs'/'metrics.jsonl').exists, ranks[1])
        ranks[1].send_signal(signal.SIGKILL)
        _, err = ranks[0].communicate(timeout=60)
        assert ranks[
            0].returncode == 2 and 'another process of this training has ended' in err and 'Traceback' not in err, err
    finally:
        for p in ranks: p.kill()


PAIRS = ['--batch_size', 17, '--chunk_size', 6, '--matryoshka_dims', '8', '--max_steps', 12, '--save_every', 4,
         '--eval_every', 6, '--log_every', 1, '--validation_candidates', 8,
         '--gradient_accumulation_steps', 2, '--epochs', 9, *SMALL]


@pytest.fixture(scope='module')
def pairs(tmp_path_factory):
    "Pairs, some of them with a hard negative, some with a text in common."
    found, path = paraphrases(160), tmp_path_factory.mktemp('pairs')/'pairs.tsv'
    rows = [p if i % 3 else (*p, found[(i + 7) % len(found)][1])
            for i, p in enumerate(found)] + [(a, found[(i + 3) % 160][1]) for i, (a, _) in enumerate(found[:30])]
    path.write_text('\n'.join(map('\t'.join, rows)) + '\n', encoding='utf-8')
    return path


def test_two_processes_train_pairs_like_one_by_accelerate_launch(tokenizer, pairs, tmp_path):
    pytest.importorskip('accelerate')
    args = ['--tokenizer', tokenizer, '--pairs', pairs, *PAIRS]
    code, _, err = run('rt_train_contrastive', *args, '--output_dir', tmp_path/'one')
    assert code == 0, err
    code, _, err = end(launched('rt_train_contrastive', *args, '--output_dir', tmp_path/'two', launcher=ACCELERATE))
    assert code == 0, err
    close(tmp_path/'one', tmp_path/'two', 2e-3)
    assert json.loads((tmp_path/'two'/'checkpoints'/'step-00000012'/'state.json').read_text())['processes'] == 2


@pytest.mark.slow
@pytest.mark.parametrize('name', ['rt_train_mlm', 'rt_train_contrastive'])
def test_shards_train_like_one_and_go_on(name, tokenizer, corpus, pairs, tmp_path):
    common = (['--corpus', corpus, *FLAGS] if name == 'rt_train_mlm' else ['--pairs', pairs, *PAIRS]) + ['--tokenizer',
        tokenizer, '--n_layers', 2]
    code, _, err = run(name, *common, '--output_dir', tmp_path/'one')
    assert code == 0, err
    code, _, err = end(launched(name, *common, '--shard', '--output_dir', tmp_path/'two'))
    assert code == 0, err
    close(tmp_path/'one', tmp_path/'two', 2e-3)
    shutil.copytree(tmp_path/'two', tmp_path/'again')          # without its end: go on from the checkpoint before
    shutil.rmtree(sorted((tmp_path/'again'/'checkpoints').glob('step-*'))[-1])
    code, _, err = end(launched(name, *common, '--shard', '--output_dir', tmp_path/'again'))
    assert code == 0, err
    assert same(figures_and_state(tmp_path/'two'), figures_and_state(tmp_path/'again'))


@pytest.mark.slow
def test_another_number_of_processes_goes_on_and_says_so(tokenizer, corpus, tmp_path):
    args = mlm(tokenizer, corpus, tmp_path/'run')
    code, _, err = end(launched('rt_train_mlm', *args))
    assert code == 0, err
    shutil.copytree(tmp_path/'run', tmp_path/'alone')
    shutil.rmtree(sorted((tmp_path/'alone'/'checkpoints').glob('step-*'))[-1])
    code, _, err = run('rt_train_mlm', *mlm(tokenizer, corpus, tmp_path/'alone'))
    assert code == 0 and '2 processes so far, 1 now' in err, err
    close(tmp_path/'run', tmp_path/'alone')


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(4))
def test_pairs_of_processes_killed_anywhere(pair, tokenizer, corpus, tmp_path, seed):
    rng = random.Random(seed)
    for attempt in range(12):
        p = launched('rt_train_mlm', *mlm(tokenizer, corpus, tmp_path/'run', '--dropout', 0.1))
        if attempt < 3:
            wanted = rng.randrange(1, 11)
            wait_until(lambda p=p, wanted=wanted: p.poll() is not None or steps_logged(tmp_path/'run') >= wanted)
            ranks = [c for c in psutil.Process(p.pid).children(recursive=True) if 'RANK' in c.environ()]
            if ranks: rng.choice(ranks).kill()
        if end(p)[0] == 0: break
    assert same(figures_and_state(pair), figures_and_state(tmp_path/'run'))


def test_sharding_alone_is_refused(tokenizer, corpus, tmp_path):
    refused(run('rt_train_mlm', *mlm(tokenizer, corpus, tmp_path/'run', '--shard')), 'several processes')
