"""The recipe from the command line: raw files to a scored model, nothing of the tests in the training, and on again
after a kill."""
import json
import signal

import pytest

from helpers import refused, run, start, wait_until, write_toy_files


@pytest.fixture()
def files(tmp_path): return write_toy_files(tmp_path)


def recipe(*extra, output='run', name='gpu', steps=('1', '1')):
    return ['--corpus', 'text.txt', '--pairs', 'pairs.tsv', 'more.tsv', '--sts', 'judged.tsv', '--output_dir', output,
            '--recipe', name, '--vocab_size', '160', '--steps', *steps, '--device', 'cpu', *extra]


def test_the_gpu_recipe_runs_dry_on_the_processor(files):
    code, _, err = run('rt_recipe', *recipe(), cwd=files)
    assert code == 0, err
    result = json.loads((files/'run'/'results.json').read_text())
    models = {r['model'] for r in result['results']}
    assert {'random', 'TF-IDF', 'counting', 'bag', 'blocks'} <= models
    assert result['removed_sentences'] == 2 and result[
        'removed_pairs'] == 1, 'the pair that is also in the test was not left out'
    assert result['sentences'] == 1998 and result['pairs'] == 999
    assert set(result['seconds']) == {'tokenizer', 'shards', 'counting', 'pairs', 'bag', 'blocks', 'scores'}
    config = json.loads((files/'run'/'model'/'config.json').read_text())
    assert config['n_layers'] == 6


def test_a_killed_recipe_goes_on(files):
    "Killed in the first model, killed again in the second, and ended: the same bits as in one go."
    command = {name: recipe(output=name, name='laptop', steps=('12',)) for name in ('whole', 'killed')}
    code, _, err = run('rt_recipe', *command['whole'], cwd=files)
    assert code == 0, err
    for where in ('bag', 'bag-2'):
        process = start('rt_recipe', *command['killed'], cwd=files)
        wanted = files/'killed'/where/'checkpoints'
        wait_until(lambda wanted=wanted: wanted.exists() and any(wanted.iterdir()), process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f'the run was over before it could be killed in {where}'
    code, _, err = run('rt_recipe', *command['killed'], cwd=files)
    assert code == 0, err
    weights = [(files/name/'model'/'model.safetensors').read_bytes() for name in ('whole', 'killed')]
    assert weights[0] == weights[1]
    facts = [json.loads((files/name/'results.json').read_text()) for name in ('whole', 'killed')]
    assert facts[0]['results'] == facts[1]['results'] and facts[0]['removed_sentences'] == facts[1][
        'removed_sentences'] == 2


def test_another_text_of_the_same_size_is_noticed(files):
    from rt_embedding.recipe import _checksums
    path = files/'text.txt'
    before = _checksums(path)
    path.write_text(path.read_text().swapcase())
    assert _checksums(path) != before


@pytest.mark.parametrize('extra, words', [
    (['--steps', '1'], ['2 stages']), (['--recipe', 'huge'], ['recipe', 'laptop']), (['--minutes', '-1'], ['minutes']),
    (['--steps', '0', '1'], ['steps must be']), (['--corpus', 'none.txt'], ['none.txt']),
    (['--pairs', 'none.tsv'], ['none.tsv']), (['--sts', 'none.tsv'], ['none.tsv'])])
def test_bad_input_is_one_line_and_leaves_nothing(files, extra, words):
    result = run('rt_recipe', *recipe(*extra), cwd=files)
    refused(result, *words)
    assert len(result[2].strip().splitlines()) == 1, result
    assert not (files/'run').exists()
