"""A process that trains and dies when it is told to. `python kill_worker.py tokenizer corpus pairs` reads jobs from
stdin, a JSON object a line, forks a child for each, and answers with a line: how the child ended. Forking saves the
two seconds that importing torch takes.

A fault is [name, n]: the child kills itself with SIGKILL at the n-th time that it comes to that place. No exception
handler, no `finally`, no flush runs after that, just as when the power fails."""
import json
import os
import shutil
import signal
import sys
import time

import torch
import torch._dynamo  # for all children
from rt_embedding import checkpoints, contrastive_training, encoder, logging, mlm, saving, training


def die(): os.kill(os.getpid(), signal.SIGKILL)


def at(owner, name, n, when):
    "Replace a function by one that dies before or after its n-th call, or does `when(real, *args)` and dies."
    real, calls = getattr(owner, name), [0]
    def dying(*args, **kw):
        calls[0] += 1
        if calls[0] != n: return real(*args, **kw)
        if when == 'after': real(*args, **kw)
        elif callable(when): when(real, *args, **kw)
        die()
    setattr(owner, name, dying)


def half_written(real, value, path, **kw):
    "The file is there, its second half is not."
    real(value, path, **kw)
    with open(path, 'r+b') as f: f.truncate(os.path.getsize(path)//2)


def half_a_line(real, self, event, values):
    self._file.write(json.dumps(dict(event=event, time_s=1., **values))[:40])
    self._file.flush()


def half_removed(real, folder, **kw): os.unlink(sorted(os.scandir(folder), key=lambda e: e.name)[0])


def in_epoch(owner, n):
    "Die when the first batch of epoch n is asked for."
    real = owner.batch
    owner.batch = lambda self, epoch, index: die() if (epoch, index) == (n, 0) else real(self, epoch, index)


ADAM, LOG = torch.optim.AdamW, logging.TrainingLogger
# place -> how often a run of either task comes there, at least, and a function of (objective, n) that prepares the
# death
FAULTS = {
    'step, after the backward pass': (24, lambda o, n: at(torch.Tensor, 'backward', n, 'after')),
    'step, before the update': (24, lambda o, n: at(ADAM, 'step', n, 'before')),
    'step, after the update': (24, lambda o, n: at(ADAM, 'step', n, 'after')),
    'between two epochs': (1, lambda o, n: in_epoch(o, n)),
    'validation, before': (4, lambda o, n: at(o, 'evaluate', n, 'before')),
    'validation, after': (4, lambda o, n: at(o, 'evaluate', n, 'after')),
    'best or last, before': (4, lambda o, n: at(encoder.EmbeddingModel, 'save_pretrained', n, 'before')),
    'best or last, after': (4, lambda o, n: at(encoder.EmbeddingModel, 'save_pretrained', n, 'after')),
    'log, half a line': (22, lambda o, n: at(LOG, '_record', n, half_a_line)),
    'log, after a line': (22, lambda o, n: at(LOG, '_record', n, 'after')),
    'weights half written': (10, lambda o, n: at(saving, 'save_file', n, half_written)),
    'checkpoint, before': (6, lambda o, n: at(training, 'save_checkpoint', n, 'before')),
    'checkpoint, optimiser half written': (6, lambda o, n: at(checkpoints, 'torch_save', n, half_written)),
    'checkpoint, before a checksum': (36, lambda o, n: at(checkpoints, 'sha256_file', n, 'before')),
    'checkpoint, after': (6, lambda o, n: at(training, 'save_checkpoint', n, 'after')),
    'folder renamed, before': (10, lambda o, n: at(os, 'rename', n, 'before')),
    'folder renamed, after': (10, lambda o, n: at(os, 'rename', n, 'after')),
    'file renamed, before': (5, lambda o, n: at(os, 'replace', n, 'before')),
    'file renamed, after': (5, lambda o, n: at(os, 'replace', n, 'after')),
    'old checkpoint half removed': (4, lambda o, n: at(shutil, 'rmtree', n, half_removed)),
}


SIZES = dict(preset='tiny', hidden_dim=32, n_layers=1, n_heads=2, embedding_dim=16, context_window=16, dropout=0.1,
             device='cpu')
TIMES = dict(max_steps=24, save_every=4, eval_every=6, log_every=2)
OBJECTIVES = dict(mlm=mlm.MLMObjective, contrastive=contrastive_training.ContrastiveObjective)


def train(task, folder, tokenizer, corpus, pairs):
    if task == 'mlm': mlm.train_mlm(tokenizer, [corpus], folder, batch_size=16, **TIMES, **SIZES)
    else:
        contrastive_training.train_contrastive([pairs], tokenizer=tokenizer, output_dir=folder, batch_size=16,
                                               chunk_size=8, **TIMES, **SIZES)


def child(job, files):
    out = os.open(job['folder'] + '.out', os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    torch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))  # only here: threads of a parent do not survive a fork
    if job.get('fault'): FAULTS[job['fault'][0]][1](OBJECTIVES[job['task']], job['fault'][1])
    train(job['task'], job['folder'], *files)


def main(*files):
    torch.set_num_threads(1)
    # loads what only the first step loads, for all children
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)]).step()
    os.fsync = lambda fd: None  # a killed process leaves its pages to the kernel; only a power cut asks for more
    for line in sys.stdin:
        job, start = json.loads(line), time.perf_counter()
        pid = os.fork()
        if not pid:
            try: child(job, files)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        if job.get('kill_after_s') is not None:  # from outside, wherever it is by then
            time.sleep(job['kill_after_s'])
            os.kill(pid, signal.SIGKILL)  # a child that has ended waits for us as a zombie: nobody else is hit
        print(json.dumps(dict(code=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]),
                              seconds=time.perf_counter() - start)), flush=True)


if __name__ == '__main__': main(*sys.argv[1:])
