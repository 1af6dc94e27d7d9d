"Kill a training on purpose where it hurts most, go on, and compare every bit with a run that was never stopped."
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ENV, final, same, sentences
from kill_worker import FAULTS

if sys.platform == 'win32': pytest.skip('needs fork and SIGKILL', allow_module_level=True)

TASKS = ['mlm', 'contrastive']
# name -> how often a run of either task comes there before it ends, at least
PLACES = {name: times for name, (times, _) in FAULTS.items()}


def moments(task, place):
    "At which of its visits to a place a run is killed in the slow set: the first, the last, and some between."
    n = PLACES[place]
    return sorted({1, n, *random.Random(f'{task} {place}').sample(range(1, n + 1), min(n, 3))})


class Zygote:
    "The process in `kill_worker.py`; it forks a child for every training."
    def __init__(self, *files):
        self.process = subprocess.Popen([sys.executable, Path(__file__).with_name('kill_worker.py'), *map(str, files)],
                                        stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=ENV)

    def __call__(self, task, folder, **how):
        "Train; how the child ended: 0, or minus the signal."
        self.process.stdin.write(json.dumps(dict(task=task, folder=str(folder), **how)) + '\n')
        self.process.stdin.flush()
        result = json.loads(self.process.stdout.readline())
        assert result['code'] in (0, -9), Path(f'{folder}.out').read_text()
        return result

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


@pytest.fixture(scope='module')
def zygote(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('zygote')
    (folder/'corpus.txt').write_text('\n'.join(sentences(200)) + '\n', encoding='utf-8')
    (folder/'pairs.tsv').write_text(''.join(f'{s}\t{s.split(" number")[0]}\n' for s in sentences(200, seed=3)),
                                    encoding='utf-8')
    z = Zygote(tokenizer, folder/'corpus.txt', folder/'pairs.tsv')
    yield z
    z.close()


@pytest.fixture(scope='module')
def whole(zygote, tmp_path_factory):
    "The run that is never killed, for each task, and how long it takes."
    runs = {}
    for task in TASKS:
        folder = tmp_path_factory.mktemp('whole')/task
        result = zygote(task, folder)
        assert result['code'] == 0, Path(f'{folder}.out').read_text()
        runs[task] = final(folder), result['seconds']
    return runs


def check(whole, folder):
    "The same bits, no step missing or twice, no unfinished file left."
    assert same(final(folder), whole)
    left = [p for p in folder.rglob('.*') if p.name != '.lock']
    assert not left, left


def test_two_runs_give_the_same_bits(zygote, whole, tmp_path):
    for task in TASKS:
        assert zygote(task, tmp_path/task)['code'] == 0
        check(whole[task][0], tmp_path/task)


@pytest.mark.parametrize('place', PLACES)
def test_killed_there(zygote, whole, tmp_path, place):
    """One kill in the middle of a run; MLM for every second place, contrastive for the others (all of both in the slow
    set)."""
    task = TASKS[list(PLACES).index(place) % 2]
    assert zygote(task, tmp_path/'run', fault=[place, (PLACES[place] + 1)//2])['code'] == -9
    assert zygote(task, tmp_path/'run')['code'] == 0
    check(whole[task][0], tmp_path/'run')


def test_killed_again_and_again(zygote, whole, tmp_path):
    "Six kills in one run, three of them before the first checkpoint is whole."
    for fault in (['step, after the update', 3], ['weights half written', 1], ['checkpoint, before a checksum', 2],
                  ['folder renamed, after', 2],
                  ['log, half a line', 5], ['validation, after', 2]):
        assert zygote('mlm', tmp_path/'run', fault=fault)['code'] == -9, fault
    assert zygote('mlm', tmp_path/'run')['code'] == 0
    check(whole['mlm'][0], tmp_path/'run')


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('place', PLACES)
def test_killed_there_at_any_time(zygote, whole, tmp_path, task, place):
    for k in moments(task, place):
        assert zygote(task, tmp_path/f'{k}', fault=[place, k])['code'] == -9
        assert zygote(task, tmp_path/f'{k}')['code'] == 0
        check(whole[task][0], tmp_path/f'{k}')


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('seed', range(12))
def test_killed_at_random_moments(zygote, whole, tmp_path, task, seed):
    "Up to five kills in a run, by a clock that knows nothing of steps."
    draw, (expected, seconds) = random.Random(seed), whole[task]
    for _ in range(5): zygote(task, tmp_path/'run', kill_after_s=draw.random()*0.8*seconds)
    assert zygote(task, tmp_path/'run')['code'] == 0
    check(expected, tmp_path/'run')


def test_the_slow_set_makes_enough_kills():
    """Each of them is asserted above to have killed; so the plan is what counts, in any order and any number of
    processes."""
    for task in TASKS: assert sum(len(moments(task, place)) for place in PLACES) >= 50
