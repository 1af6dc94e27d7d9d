"The disk is full, read-only, or gone: one clear line, and every checkpoint that was whole stays whole."
import os
import shutil
import subprocess
import sys

import pytest
from rt_embedding.checkpoints import checkpoints, newest_checkpoint, verify_checkpoint

from helpers import ENV, SMALL, ended, refused, run, start, wait_for_steps

if sys.platform == 'win32': pytest.skip('needs limits and permissions of Unix', allow_module_level=True)

FLAGS = ['--max_steps', 100_000, '--log_every', 1, '--save_every', 2, '--batch_size', 4, *SMALL]


LIMITED = """
import resource, sys, torch
from pathlib import Path
from rt_embedding import EmbeddingModel, SentencePieceTokenizer
from rt_embedding.checkpoints import checkpoints, save_checkpoint, verify_checkpoint
run = Path(sys.argv[2])
tokenizer = SentencePieceTokenizer(sys.argv[1])
model = EmbeddingModel(len(tokenizer), embedding_dim=128, hidden_dim=128, n_layers=1, n_heads=2, tokenizer=tokenizer)
optimizer = torch.optim.AdamW(model.parameters())
sum(p.sum() for p in model.parameters()).backward()
optimizer.step()
for step in (1, 2): first = save_checkpoint(model, optimizer, dict(step=step), run)
size = {f.name: f.stat().st_size for f in first.iterdir()}
assert size['tokenizer.model'] < size['model.safetensors'] < size['optimizer.pt'], size
for name in size:
    if size[name] < 10_000: continue
    resource.setrlimit(resource.RLIMIT_FSIZE, (size[name] - 1, resource.RLIM_INFINITY))
    try: save_checkpoint(model, optimizer, dict(step=3), run)
    except OSError as e: print(Path(e.filename or '').name, e.errno)
    assert [verify_checkpoint(c)['step'] for c in checkpoints(run)] == [1, 2]
    assert not list((run/'checkpoints').glob('.*'))   # nor is the unfinished file left, which would keep the disk full
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,)*2)
save_checkpoint(model, optimizer, dict(step=3), run)   # with room again it goes on
"""


def test_no_room_for_a_file(tokenizer, tmp_path):
    "Three writers (Python, Rust, C++) meet the same limit; each must say so as an OSError that names the file."
    import errno
    r = subprocess.run([sys.executable, '-c', LIMITED, str(tokenizer), str(tmp_path)], capture_output=True, text=True,
                       env=ENV, timeout=120)
    assert r.returncode == 0, r.stderr
    lines = r.stdout.split('\n')[:-1]
    assert sorted(lines) == sorted(f'{name} {errno.EFBIG}'
                                   for name in ('tokenizer.model', 'model.safetensors', 'optimizer.pt')) or \
        sorted(l.split()[-1] for l in lines) == [str(errno.EFBIG)]*3, (lines, r.stderr)
    assert [verify_checkpoint(c)['step'] for c in checkpoints(tmp_path)] == [2, 3]


def test_a_full_disk(tokenizer, corpus, tmp_path):
    "A real one, of a megabyte and a half."
    disk = tmp_path/'disk'
    disk.mkdir()
    if shutil.which('mount') is None or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1536k', 'tmpfs', disk],
                                                       capture_output=True).returncode:
        pytest.skip('only root may mount a small disk')
    try:
        refused(run('rt_train_mlm', '--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', disk/'run', *FLAGS),
                'no space left', 'free some space',
                'the last good checkpoint is', 'step-')
        folder, state = newest_checkpoint(disk/'run', pytest.fail)
        assert state['step'] >= 2 and not [p for p in (disk/'run').rglob('.*') if p.suffix == '.tmp']
    finally: subprocess.run(['umount', '-l', disk], check=True)


def test_a_read_only_folder(tokenizer, corpus, tmp_path):
    closed = tmp_path/'closed'
    closed.mkdir()
    root = os.geteuid() == 0  # may write whatever the permissions say, but not on a read-only disk
    if root:
        if shutil.which('mount') is None or subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro', 'tmpfs', closed],
                                                           capture_output=True).returncode:
            pytest.skip('cannot mount')
    else: closed.chmod(0o555)
    try:
        refused(run('rt_train_mlm', '--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', closed/'run', *FLAGS),
                'closed',
                *(['read-only', 'write elsewhere'] if root
                  else ['permission denied', 'choose a place you may read and write']))
        assert not list(closed.iterdir())
    finally:
        if root: subprocess.run(['umount', '-l', closed], check=True)
        else: closed.chmod(0o755)


@pytest.mark.parametrize('how', ['removed', 'moved'])
def test_the_folder_goes_away_under_the_run(tokenizer, corpus, tmp_path, how):
    folder = tmp_path/'run'
    p = start('rt_train_mlm', '--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', folder, *FLAGS)
    wait_for_steps(p, folder, 5)
    # at one moment; removing takes time, in which the run may put new files into it
    os.rename(folder, tmp_path/'elsewhere')
    if how == 'removed': shutil.rmtree(tmp_path/'elsewhere')
    refused(ended(p), 'metrics.jsonl was removed or moved while the run was writing to it')
    assert not folder.exists()  # nothing is written to a place that was taken away
    if how == 'moved':
        for c in checkpoints(tmp_path/'elsewhere'): verify_checkpoint(c)
        assert len(checkpoints(tmp_path/'elsewhere')) >= 1


def test_a_folder_that_is_replaced_is_never_away(tmp_path):
    "Where the system can exchange two folders, whoever looks finds one of them; elsewhere two renames do it."
    import threading
    from rt_embedding import files
    folder = tmp_path/'model'
    with files.atomic_folder(folder) as tmp: (tmp/'weights').write_text('0')
    for name in ('a', 'b'): (tmp_path/name).mkdir()
    can = files._exchange(tmp_path/'a', tmp_path/'b')
    away, done = [], threading.Event()
    def look():
        while not done.is_set():
            if not folder.is_dir(): away.append(1)
    watcher = threading.Thread(target=look)
    watcher.start()
    for i in range(100):
        with files.atomic_folder(folder, overwrite=True) as tmp: (tmp/'weights').write_text(str(i))
        assert (folder/'weights').read_text() == str(i)
    done.set()
    watcher.join()
    assert not (can and away)
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a', 'b', 'model']


def test_no_room_for_an_export(tokenizer, tmp_path):
    import resource

    from rt_embedding import EmbeddingModel, SentencePieceTokenizer
    t = SentencePieceTokenizer(tokenizer)
    EmbeddingModel(len(t), embedding_dim=16, hidden_dim=16, n_layers=0, n_heads=2,
                   tokenizer=t).save_pretrained(tmp_path/'model')
    def limit(): resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
    refused(run('rt_export', '--model', tmp_path/'model', '--output', tmp_path/'e', '--format', 'model2vec',
                preexec_fn=limit), 'model.safetensors', 'ulimit -f')
    assert [p.name for p in tmp_path.iterdir()] == ['model']
