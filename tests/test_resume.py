"Kill a training anywhere, go on, and compare every bit with a run that was never stopped."
import os
import random
import shlex
import shutil
import signal
import sys

import pytest
import torch
from filelock import FileLock
from rt_embedding import EmbeddingModel, InputError, SentencePieceTokenizer
from rt_embedding.checkpoints import checkpoints, newest_checkpoint, save_checkpoint, verify_checkpoint

from helpers import ENV, SMALL, final, refused, run, same, sentences, start, steps_logged, wait_for_steps, wait_until

if sys.platform == 'win32': pytest.skip('needs signals', allow_module_level=True)

FLAGS = ['--max_steps', 24, '--batch_size', 8, '--save_every', 4, '--eval_every', 6, '--log_every', 2, '--dropout', 0.1,
         *SMALL]

def ending(folder):
    """What must not depend on how often a run was stopped: the newest checkpoint, best and last model, and the
    figures; not where else it was saved."""
    made = final(folder)
    newest = max(k for k in made if k.startswith('step-') and '/' not in k)
    return {newest: made[newest], 'metrics': [m for m in made['metrics'] if m['event'] in ('train', 'validation')],
            **{k: made[k] for k in ('best/model.safetensors', 'last/model.safetensors', f'{newest}/model.safetensors')}}


def command(tokenizer, corpus, folder):
    return ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *FLAGS]


@pytest.fixture(scope='module')
def uninterrupted(tokenizer, corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')/'run'
    code, _, err = run('rt_train_mlm', *command(tokenizer, corpus, folder))
    assert code == 0, err
    return folder


def kill_and_resume(args, folder, seed, how=signal.SIGKILL, kills=3, name='rt_train_mlm'):
    "Kill after a random number of logged steps (test_kills.py has the places between them); go on until the run ends."
    rng, killed = random.Random(seed), 0
    for _ in range(60):
        p = start(name, *args)
        if killed < kills:
            records = rng.randrange(1, 24)//2
            wait_until(lambda p=p, records=records: p.poll() is not None or steps_logged(folder) >= records)
            if p.poll() is None:
                p.send_signal(how)
                killed += 1
        _, err = p.communicate(timeout=300)
        if p.returncode == 0: return killed
        assert p.returncode in (-how, 130), err
    raise AssertionError('the run never ended')


def test_killed_runs_end_in_the_same_bits(uninterrupted, tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    assert kill_and_resume(command(tokenizer, corpus, folder), folder, seed=1, kills=1) == 1
    assert same(ending(uninterrupted), ending(folder))


def test_interrupt_saves_and_says_how_to_go_on(uninterrupted, tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    kill_and_resume(command(tokenizer, corpus, folder), folder, seed=2, how=signal.SIGINT, kills=1)
    assert same(ending(uninterrupted), ending(folder))


def wide(tokenizer, corpus, tmp_path):
    "Runs large enough that PyTorch shares each kernel among its threads: MLM, and pairs with learnt pooling weights."
    (tmp_path/'pairs.tsv').write_text(''.join(f'{s}\t{s.split(" number")[0]}\n' for s in sentences(1300, seed=3)),
                                      encoding='utf-8')
    flags = ['--device', 'cpu', '--max_steps', 6, '--save_every', 2, '--eval_every', 3, '--log_every', 1]
    sizes = dict(hidden_dim=256, n_layers=1, n_heads=4, embedding_dim=256, context_window=32)
    torch.manual_seed(0)
    read = SentencePieceTokenizer(tokenizer)
    EmbeddingModel(len(read), tokenizer=read, pooling='weighted_mean',
                   **sizes | dict(hidden_dim=64, n_layers=0)).save_pretrained(tmp_path/'weighted')
    return {'rt_train_mlm': lambda folder: ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder,
                                            '--preset', 'tiny', '--batch_size', 128, *flags,
                                            *(x for k, v in sizes.items() for x in (f'--{k}', v))],
            'rt_train_contrastive': lambda folder: ['--model', tmp_path/'weighted', '--pairs', tmp_path/'pairs.tsv',
                                                    '--output_dir', folder,
                                                    # all texts at once: an index is shared among threads above 32,768
                                                    # tokens
                                                    '--batch_size', 1024, '--chunk_size', 2048, *flags]}


TWO = {**ENV, 'OMP_NUM_THREADS': '2', 'GOMP_SPINCOUNT': '0'}  # waiting threads sleep: tests share the machine


def test_a_killed_run_with_windows_reads_all_and_ends_in_the_same_bits(tokenizer, tmp_path):
    """Lines of 60 words, a context of 16: without windows most of the text is never read, and the command says so; with
    them it says nothing, and a run that was killed goes on as if it had not been."""
    words = sentences(240)
    (tmp_path/'long.txt').write_text('\n'.join(' '.join(words[i::24]) for i in range(24)), encoding='utf-8')
    args = [*command(tokenizer, tmp_path/'long.txt', tmp_path/'whole'), '--windows']
    code, out, err = run('rt_train_mlm', *args)
    assert code == 0 and 'never read' not in err, err
    args[args.index(tmp_path/'whole')] = tmp_path/'killed'
    assert kill_and_resume(args, tmp_path/'killed', seed=2, kills=1) == 1
    assert same(ending(tmp_path/'whole'), ending(tmp_path/'killed'))
    args.remove('--windows')
    refused(run('rt_train_mlm', *args), 'windows')
    args[args.index(tmp_path/'killed')] = tmp_path/'cut'
    code, out, err = run('rt_train_mlm', *args)
    assert code == 0 and err.count('of all tokens are never read; --windows cuts them') == 1, err


@pytest.mark.parametrize('name', ['rt_train_mlm', 'rt_train_contrastive'])
def test_two_threads_give_the_same_bits_again(tokenizer, corpus, tmp_path, name):
    """Threads that add in the order of their arrival would round differently each time, and no killed run could end
    alike."""
    args, ends = wide(tokenizer, corpus, tmp_path)[name], []
    for k in 'ab':
        if k == 'b':  # killed after some steps, and gone on
            p = start(name, *args(tmp_path/k), env=TWO)
            wait_for_steps(p, tmp_path/k, 3)
            p.kill()
            p.communicate()
        code, _, err = run(name, *args(tmp_path/k), env=TWO)
        assert code == 0, err
        ends.append(ending(tmp_path/k))
    assert same(*ends)


@pytest.mark.slow
@pytest.mark.parametrize('seed', range(10, 14))
def test_many_kills(uninterrupted, tokenizer, corpus, tmp_path, seed):
    folder = tmp_path/'run'
    kill_and_resume(command(tokenizer, corpus, folder), folder, seed)
    assert same(ending(uninterrupted), ending(folder))


@pytest.mark.slow
def test_many_kills_of_a_contrastive_run(tokenizer, tmp_path):
    (tmp_path/'pairs.tsv').write_text(''.join(f'{s}\t{s.split(" number")[0]}\n' for s in sentences(200, seed=3)),
                                      encoding='utf-8')
    args = lambda folder: ['--pairs', tmp_path/'pairs.tsv', '--tokenizer', tokenizer, '--output_dir', folder, *FLAGS]
    code, _, err = run('rt_train_contrastive', *args(tmp_path/'whole'))
    assert code == 0, err
    for seed in range(3):
        kill_and_resume(args(tmp_path/f'run{seed}'), tmp_path/f'run{seed}', seed, name='rt_train_contrastive')
        assert same(ending(tmp_path/'whole'), ending(tmp_path/f'run{seed}'))


def newest(folder): return sorted((folder/'checkpoints').glob('step-*'))[-1]


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data)//2] ^= 1
    path.write_bytes(data)


def cut(path): os.truncate(path, path.stat().st_size//2)


def half_copied(path):
    "As `cp -r` leaves a folder when it is interrupted: the first files whole, one cut, the rest not there."
    files = sorted(path.parent.iterdir())
    k = files.index(path)
    cut(path)
    for later in files[k + 1:]: later.unlink()


@pytest.mark.parametrize('damage,name', [(flip, 'model.safetensors'), (flip, 'state.json'), (cut, 'optimizer.pt'),
                                         (cut, 'checksums.json'), (half_copied, 'model.safetensors')])
def test_damaged_checkpoint_is_refused_by_name_and_the_one_before_used(uninterrupted, tokenizer, corpus, tmp_path,
                                                                       capsys, damage, name):
    folder = tmp_path/'run'
    shutil.copytree(uninterrupted, folder)
    bad = newest(folder)
    damage(bad/name)
    said = []
    found, state = newest_checkpoint(folder, said.append)
    assert found.name == 'step-00000020' and state['step'] == 20
    assert len(said) == 1 and bad.name in said[0] and 'not a whole checkpoint' in said[0] and '\n' not in said[0]


def test_a_run_with_a_damaged_checkpoint_goes_on_to_the_same_end(uninterrupted, tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    shutil.copytree(uninterrupted, folder)
    flip(newest(folder)/'model.safetensors')
    code, out, err = run('rt_train_mlm', *command(tokenizer, corpus, folder))
    assert code == 0, err
    assert 'step-00000024' in out + err and 'damaged' in out + err
    assert same(final(uninterrupted), final(folder))  # the damaged one was written again


def test_no_whole_checkpoint_is_an_error_not_a_new_beginning(uninterrupted, tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    shutil.copytree(uninterrupted, folder)
    for c in (folder/'checkpoints').glob('step-*'): cut(c/'model.safetensors')
    with pytest.raises(InputError, match='none of the 2 checkpoints'): newest_checkpoint(folder, lambda line: None)
    assert len(list((folder/'checkpoints').glob('step-*'))) == 2  # nothing was thrown away


def test_old_checkpoints_go_only_when_the_new_one_is_whole(tmp_path):
    model = EmbeddingModel(50, embedding_dim=8, hidden_dim=16, n_layers=1, n_heads=2)
    optimizer = torch.optim.AdamW(model.parameters())
    save = lambda step, keep=2: save_checkpoint(model, optimizer, dict(step=step), tmp_path, keep)
    for step in (16, 20, 24): save(step)
    assert [c.name for c in checkpoints(tmp_path)] == ['step-00000020', 'step-00000024']
    class Failing:
        def state_dict(self): raise OSError(28, 'No space left on device')
    with pytest.raises(OSError): save_checkpoint(model, Failing(), dict(step=28), tmp_path)
    assert [verify_checkpoint(c)['step'] for c in checkpoints(tmp_path)] == [20, 24]
    save(8)  # a run that had to go back: what is newer must not push out what it saves now
    assert [c.name for c in checkpoints(tmp_path)] == ['step-00000008', 'step-00000020', 'step-00000024']
    save(28, keep=1)
    assert [c.name for c in checkpoints(tmp_path)] == ['step-00000028']


def test_no_step_is_logged_twice(uninterrupted):
    steps = [m['step'] for m in final(uninterrupted)['metrics'] if m['event'] == 'train']
    assert steps == list(range(2, 25, 2))


LONG = ['--max_steps', 100_000, '--log_every', 1, '--batch_size', 4, *SMALL]


@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_names_the_line_that_goes_on(tokenizer, corpus, tmp_path, how):
    folder = tmp_path/'a run'
    args = ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *LONG]
    p = start('rt_train_mlm', *args)
    wait_for_steps(p, folder)
    p.send_signal(how)
    _, err = p.communicate(timeout=120)
    assert p.returncode == 130 and 'Traceback' not in err, err
    line, = [l for l in err.splitlines() if 'go on with: ' in l]
    # may be pasted as it is
    assert how.name in line and shlex.split(line.split('go on with: ')[1]) == ['rt_train_mlm', *map(str, args)]
    step = int(newest(folder).name[5:])
    assert f'step {step:,} of' in line and step >= 2
    if how == signal.SIGINT: return
    p = start('rt_train_mlm', *args)  # and it does go on from there
    wait_until(lambda: any(f'going on at step {step:,} ' in f.read_text() for f in (folder/'logs').glob('*.log')), p)
    p.kill()
    p.communicate()


SLOW_SAVE = """
import sys, time
from rt_embedding import checkpoints, mlm
real = checkpoints.torch_save
def slow(value, path):
    print('saving', flush=True)
    time.sleep(60)
    real(value, path)
checkpoints.torch_save = slow
sys.exit(mlm.rt_train_mlm(sys.argv[1:]))
"""


def test_a_second_interrupt_stops_at_once_and_leaves_no_unfinished_file(tokenizer, corpus, tmp_path):
    import subprocess
    folder = tmp_path/'run'
    p = subprocess.Popen([sys.executable, '-c', SLOW_SAVE,
                          *map(str, ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *LONG])],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)
    wait_for_steps(p, folder)
    p.send_signal(signal.SIGINT)
    while 'saving' not in p.stdout.readline(): pass  # the first one is being obeyed, which takes a minute here
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=40)
    assert p.returncode == 130, err
    assert not list(folder.glob('checkpoints/*')) and (folder/'config.json').exists()


def test_second_training_in_one_folder_is_refused_until_the_first_is_dead(tokenizer, corpus, tmp_path):
    folder = tmp_path/'run'
    args = ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *LONG]
    first = start('rt_train_mlm', *args)
    wait_for_steps(first, folder)
    refused(run('rt_train_mlm', *args), 'in use')
    first.kill()
    first.communicate()
    with FileLock(folder/'.lock', timeout=0): pass  # the lock of the dead is nobody's
