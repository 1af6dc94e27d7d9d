"The lab from the command line: interrupted and gone on with, one line repeats a run, bad input leaves nothing."
import json, signal, subprocess, sys, time
import pytest
from conftest import ENV
from rt_embedding.pairs import toy_paraphrases

COMMAND = [sys.executable, '-c', 'import sys; from rt_embedding.lab import rt_lab; sys.exit(rt_lab())']
SMALL = ['hidden_dim=32', 'embedding_dim=16', 'n_layers=1', 'n_heads=2', 'vocab_size=160', 'context_window=24', 'mlm_tokens=256', 'batch_size=16']

@pytest.fixture()
def files(tmp_path):
    said = toy_paraphrases()
    (tmp_path/'pairs.tsv').write_text('\n'.join(f'{a}\t{b}' for a, b in said[:600]) + '\n')
    (tmp_path/'text.txt').write_text('\n'.join(t for p in said[:600] for t in p) + '\n')
    (tmp_path/'judged.tsv').write_text('\n'.join(f'{s}\t{a}\t{b}' for s, a, b in
        [(5, *p) for p in said[1000:1060]] + [(0, said[i][0], said[i + 60][1]) for i in range(1060, 1120)] + [(5, *said[0])]) + '\n')
    return tmp_path

def lab(output, *extra, data=True):
    given = ['--corpus', 'text.txt', '--pairs', 'pairs.tsv', '--sts', 'judged.tsv', '--budget', '0.5', '--base', *SMALL] if data else []
    return [*COMMAND, '--output', output, *given, *extra]

def run(command, folder): return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENV, timeout=300)

def records(path): return [{k: v for k, v in json.loads(line).items() if k != 'cpu_s'} for line in path.read_text().splitlines()]

def test_a_killed_lab_goes_on_and_ends_alike(files):
    asked = ['--experiment', 'position', 'temperature', '--seeds', '2']
    whole = run(lab('whole', *asked), files)
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen(lab('killed', *asked), cwd=files, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
    path = files/'killed'/'results.jsonl'
    while process.poll() is None and not (path.exists() and path.read_bytes().count(b'\n') >= 3): time.sleep(.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, 'the lab was over before it could be killed'
    before = path.read_bytes()
    again = run(lab('killed', *asked, data=False), files)          # the folder knows its texts and sizes
    assert again.returncode == 0, again.stderr
    assert path.read_bytes().startswith(before[:before.rindex(b'\n') + 1]), 'a finished run was done again'
    assert records(path) == records(files/'whole'/'results.jsonl')
    header, *runs = records(path)
    assert len(runs) == 12 and header['data']['n_pairs'] == 599    # the pair that the test holds, too, was left out
    report = (files/'killed'/'report.md').read_text()
    assert 'on the inputs, once' in report and 'rt_lab --run temperature=cancelled seed=0' in report
    assert (files/'killed'/'report.png').read_bytes()[:4] == b'\x89PNG'
    repeated = run(lab('killed', '--run', 'temperature=cancelled', 'seed=1', data=False), files)
    assert repeated.returncode == 0 and repeated.stdout.strip().endswith('equal to the stored run'), repeated

@pytest.mark.parametrize('extra, words', [
    (['--experiment', 'none_such'], ['none_such', 'position']), (['--seeds', '0'], ['seeds']), (['--base', 'hidden_dim=x'], ['hidden_dim', 'int']),
    (['--base', 'pooling=median'], ['pooling', 'max']), (['--corpus', 'none.txt'], ['none.txt']), (['--run', 'colour=red'], ['colour']),
    (['--ideas', 'none.py'], ['none.py']), (['--budget', '0.0001', '--base', *SMALL, 'start=random'], ['budget'])])
def test_bad_input_is_one_line(files, extra, words):
    done = run(lab('run', *extra), files)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(w in done.stderr for w in words) and 'Traceback' not in done.stderr
    if '--budget' not in extra: assert not (files/'run').exists()

def test_the_list_and_an_empty_report(files):
    done = run([*COMMAND, '--list'], files)
    assert done.returncode == 0 and 'Where should the model learn of positions?' in done.stdout and len(done.stdout.splitlines()) >= 24
    none = run([*COMMAND, '--report', '--output', 'nothing'], files)
    assert none.returncode == 2 and 'run the lab first' in none.stderr and not (files/'nothing').exists()
