"The lab from the command line: interrupted and gone on with, one line repeats a run, bad input leaves nothing."
import json
import signal

import pytest

from helpers import refused, run, start, wait_until, write_toy_files

SIZES = ['hidden_dim=32', 'embedding_dim=16', 'n_layers=1', 'n_heads=2', 'vocab_size=160', 'context_window=24',
         'mlm_tokens=256', 'batch_size=16']


@pytest.fixture()
def files(tmp_path): return write_toy_files(tmp_path, n_pairs=600, n_more=0)


def lab(output, *extra, data=True):
    "Flags of rt_lab; with `data=False` the folder knows its texts and sizes."
    given = ['--corpus', 'text.txt', '--pairs', 'pairs.tsv', '--sts', 'judged.tsv', '--budget', '0.5', '--base',
             *SIZES] if data else []
    return ['--output_dir', output, *given, *extra]


def records(path):
    return [{k: v for k, v in json.loads(line).items() if k != 'cpu_s'} for line in path.read_text().splitlines()]


def test_a_killed_lab_goes_on_and_ends_alike(files):
    asked = ['--experiment', 'position', 'temperature', '--seeds', '2']
    whole = run('rt_lab', *lab('whole', *asked), cwd=files)
    assert whole[0] == 0, whole
    process = start('rt_lab', *lab('killed', *asked), cwd=files)
    path = files/'killed'/'results.jsonl'
    wait_until(lambda: path.exists() and path.read_bytes().count(b'\n') >= 3, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, 'the lab was over before it could be killed'
    before = path.read_bytes()
    again = run('rt_lab', *lab('killed', *asked, data=False), cwd=files)          # the folder knows its texts and sizes
    assert again[0] == 0, again
    assert path.read_bytes().startswith(before[:before.rindex(b'\n') + 1]), 'a finished run was done again'
    assert records(path) == records(files/'whole'/'results.jsonl')
    header, *runs = records(path)
    assert len(runs) == 12 and header['data']['n_pairs'] == 599    # the pair that the test holds, too, was left out
    report = (files/'killed'/'report.md').read_text()
    assert 'RoPE on the inputs' in report and 'rt_lab --run temperature=none seed=0' in report
    assert (files/'killed'/'report.png').read_bytes()[:4] == b'\x89PNG'
    repeated = run('rt_lab', *lab('killed', '--run', 'temperature=none', 'seed=1', data=False), cwd=files)
    assert repeated[0] == 0 and repeated[1].strip().endswith('equal to the stored run'), repeated


@pytest.mark.parametrize('extra, words', [
    (['--experiment', 'none_such'], ['none_such', 'position']), (['--seeds', '0'], ['seeds']),
    (['--base', 'hidden_dim=x'], ['hidden_dim', 'int']),
    (['--base', 'pooling=median'], ['pooling', 'max']), (['--corpus', 'none.txt'], ['none.txt']),
    (['--run', 'colour=red'], ['colour']),
    (['--ideas', 'none.py'], ['none.py']), (['--budget', '0.0001', '--base', *SIZES, 'init=random'], ['budget'])])
def test_bad_input_is_one_line(files, extra, words):
    result = run('rt_lab', *lab('run', *extra), cwd=files)
    refused(result, *words)
    assert len(result[2].strip().splitlines()) == 1, result
    if '--budget' not in extra: assert not (files/'run').exists()


def test_the_list_and_an_empty_report(files):
    code, out, err = run('rt_lab', '--list_experiments', cwd=files)
    assert code == 0 and 'Where should the model learn of positions?' in out and len(out.splitlines()) >= 24, err
    refused(run('rt_lab', '--report', '--output_dir', 'nothing', cwd=files), 'run the lab first')
    assert not (files/'nothing').exists()
