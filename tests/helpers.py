"""What the whole-system tests share: texts, a way to run each command, a check of refusals, what a finished run left.
Fixtures are in conftest.py."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from configparser import ConfigParser
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# one is cheaper for small models; the promises must hold with more, too
THREADS = os.environ.get('RT_TEST_THREADS', '1')
ENV = {**os.environ, 'OMP_NUM_THREADS': THREADS, 'PYTHONIOENCODING': 'utf-8', 'NO_COLOR': '1'}
SMALL = ['--preset', 'tiny', '--hidden_dim', 32, '--n_layers', 1, '--n_heads', 2, '--embedding_dim', 16,
         '--context_window', 16, '--device', 'cpu']


def commands():
    "All console commands, as settings.ini declares them: name -> (module, function)."
    settings = ConfigParser(delimiters=['='])
    settings.read(ROOT/'settings.ini', encoding='utf-8')
    return {name: tuple(target.split(':'))
            for name, target in (c.split('=') for c in settings['DEFAULT']['console_scripts'].split())}


COMMANDS = commands()


def python_line(name):
    "The Python code that does what the console script `name` does."
    module, function = COMMANDS[name]
    return f'import sys; from {module} import {function}; sys.argv[0] = "{name}"; sys.exit({function}())'


def start(name, *args, env=ENV, launcher=(), **kw):
    "Start a console command in a process of its own, perhaps through a launcher such as torchrun."
    line = [*launcher, sys.executable, '-c', python_line(name), *map(str, args)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding='utf-8', env=env,
                            **kw)


def ended(process, timeout=600):
    "Wait for a process: (exit code, standard output, standard error)."
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


class ForkServer:
    "Runs commands in forks of a process that has the package in memory, see fork_server.py; one at a time."
    def __init__(self):
        code = f'import sys; sys.path.insert(1, {str(ROOT/"tests")!r}); import fork_server; fork_server.serve()'
        self.env, self.lock = dict(ENV), threading.Lock()
        self.process = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, encoding='utf-8', env=ENV)

    def run(self, name, args, cwd):
        "(exit code, standard output, standard error), or None where a process of its own is needed."
        if self.env != ENV or not self.lock.acquire(blocking=False): return None
        try:
            with tempfile.TemporaryDirectory() as work:
                out, err = Path(work)/'out', Path(work)/'err'
                job = dict(code=python_line(name), args=[str(a) for a in args], cwd=str(cwd or os.getcwd()),
                           out=str(out), err=str(err))
                print(json.dumps(job), file=self.process.stdin, flush=True)
                self.process.stdout.readline()
                code = int(self.process.stdout.readline())
                return code, out.read_text(encoding='utf-8'), err.read_text(encoding='utf-8')
        finally: self.lock.release()


@cache
def fork_server(): return ForkServer()


def run(name, *args, fresh=False, **kw):
    """Run a command to its end: (exit code, standard output, standard error). It begins in a fork that has the package
    imported; `fresh=True`, another environment or a launcher ask for a new Python."""
    plain = not fresh and not set(kw) - {'cwd'} and hasattr(os, 'fork')
    return plain and fork_server().run(name, args, kw.get('cwd')) or ended(start(name, *args, **kw))


def refused(result, *words):
    """Assert that a command refused its input: exit code 2, no traceback, and one line of the command's own, the last
    on standard error (progress may stand before it), which holds all `words`. `result` is what `run` and `ended` give;
    returns that line."""
    code, out, err = result
    lines = [line for line in err.strip().splitlines() if line.strip()]
    own = [line for line in lines if re.match(r'rt_\w+: ', line)]
    assert code == 2 and 'Traceback' not in out + err, (code, out, err)
    assert own == lines[-1:], err
    for word in words: assert word in own[0], (word, own[0])
    return own[0]


def wait_until(condition, process=None, seconds=120):
    "Poll until `condition()` is true; fail when the time is over or `process` ends before."
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, f'waited {seconds} s in vain'
        time.sleep(0.005)


def steps_logged(folder):
    "How many training records a run has written."
    log = Path(folder)/'logs'/'metrics.jsonl'
    return log.read_bytes().count(b'"train"') if log.exists() else 0


def wait_for_steps(process, folder, records=2): wait_until(lambda: steps_logged(folder) >= records, process)


def sentences(n, seed=0):
    "Made-up English with enough structure to learn from."
    rng = random.Random(seed)
    who = 'the cat|a dog|my neighbour|the old captain|every student|the quiet river|a red train|our teacher'.split('|')
    does = 'watches|follows|paints|forgets|crosses|remembers|carries|opens'.split('|')
    what = 'the garden|a letter|the bridge|an empty box|the morning|seven books|the window|a long song'.split('|')
    when = 'today|before lunch|in the rain|without a word|every evening|near the sea|at noon|again'.split('|')
    parts = lambda: ' '.join(rng.choice(words) for words in (who, does, what, when))
    return [f'{parts()} number {rng.randrange(10**6)}.' for _ in range(n)]


SYNONYMS = [
    'the cat=our kitten|a dog=some hound|my friend=a mate of mine|the teacher=that instructor|the child=a kid|the '
    'doctor=one physician',
    'buys=purchases|hides=conceals|finds=discovers|needs=requires|repairs=fixes|paints=colours',
    'the bicycle=that bike|a small house=one little cottage|the road=this street|an old car=some ancient automobile|a '
    'cup=one mug',
    'at night=after dark|in the city=within town|near the sea=by ocean shores|in the wood=inside that forest|at '
    'home=indoors']


def paraphrases(n, seed=0):
    "Pairs that say the same with other words: counting common words does not help."
    rng = random.Random(seed)
    parts = [[w.split('=') for w in p.split('|')] for p in SYNONYMS]
    def pair():
        picks = [rng.choice(p) for p in parts]
        return ' '.join(w[0] for w in picks), ' '.join(w[1] for w in picks)
    return list(dict.fromkeys(pair() for _ in range(n)))


def write_toy_files(folder, n_pairs=900, n_more=100):
    """text.txt, pairs.tsv, more.tsv and the similarity test judged.tsv, which shares its last pair with the training
    pairs."""
    from rt_embedding.testing import toy_paraphrases
    made = toy_paraphrases()
    lines = lambda pairs: ''.join(f'{a}\t{b}\n' for a, b in pairs)
    n = n_pairs + n_more
    (folder/'pairs.tsv').write_text(lines(made[:n_pairs]))
    (folder/'more.tsv').write_text(lines(made[n_pairs:n]))
    (folder/'text.txt').write_text(''.join(f'{t}\n' for pair in made[:n] for t in pair))
    alike = [(5, *pair) for pair in made[1000:1060]] + [(5, *made[0])]
    unlike = [(0, made[i][0], made[i + 60][1]) for i in range(1060, 1120)]
    (folder/'judged.tsv').write_text(''.join(f'{s}\t{a}\t{b}\n' for s, a, b in alike[:-1] + unlike + alike[-1:]))
    return folder


CLOCKS = {'time_s', 'tokens_per_s', 'elapsed_s', 'time', 'timestamp'}  # figures that may differ between two equal runs


def final(folder):
    """All that a finished run leaves: checkpoints with weights, optimizer and state, best and last model, and each
    figure that does not depend on a clock."""
    import torch
    from safetensors.torch import load_file
    made = {f'{p.parent.name}/{p.name}': load_file(p) for p in sorted(Path(folder).rglob('model.safetensors'))}
    for p in sorted((Path(folder)/'checkpoints').glob('step-*')):
        made[p.name] = torch.load(p/'optimizer.pt',
                                  weights_only=True), json.loads((p/'state.json').read_text(encoding='utf-8'))
    records = [json.loads(line)
               for line in (Path(folder)/'logs'/'metrics.jsonl').read_text(encoding='utf-8').splitlines()]
    made['metrics'] = [{k: v for k, v in r.items() if k not in CLOCKS} for r in records]
    return made


def same(a, b):
    "Equal to the last bit, however nested."
    import torch
    if torch.is_tensor(a): return torch.equal(a, b)
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)): return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b
