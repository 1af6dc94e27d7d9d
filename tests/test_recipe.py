"The recipe from the command line: raw files to a scored model, nothing of the tests in the training, and on again after a kill."
import json, signal, subprocess, sys, time
import pytest
from conftest import ENV
from rt_embedding.pairs import toy_paraphrases

COMMAND = [sys.executable, '-c', 'import sys; from rt_embedding.recipe import rt_recipe; sys.exit(rt_recipe())']

@pytest.fixture()
def files(tmp_path):
    made = toy_paraphrases()
    (tmp_path/'pairs.tsv').write_text('\n'.join(f'{a}\t{b}' for a, b in made[:900]) + '\n')
    (tmp_path/'more.tsv').write_text('\n'.join(f'{a}\t{b}' for a, b in made[900:1000]) + '\n')
    (tmp_path/'text.txt').write_text('\n'.join(t for p in made[:1000] for t in p) + '\n')
    (tmp_path/'judged.tsv').write_text('\n'.join(f'{s}\t{a}\t{b}' for s, a, b in
        [(5, *p) for p in made[1000:1060]] + [(0, made[i][0], made[i + 60][1]) for i in range(1060, 1120)] + [(5, *made[0])]) + '\n')
    return tmp_path

def recipe(folder, *extra, output='run', preset='gpu', steps=('1', '1')):
    return [*COMMAND, '--texts', 'text.txt', '--pairs', 'pairs.tsv', 'more.tsv', '--sts', 'judged.tsv', '--output_dir', output,
            '--preset', preset, '--vocab_size', '160', '--steps', *steps, '--device', 'cpu', *extra]

def run(command, folder): return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=ENV, timeout=300)

def test_the_gpu_recipe_runs_dry_on_the_processor(files):
    done = run(recipe(files), files)
    assert done.returncode == 0, done.stderr
    result = json.loads((files/'run'/'results.json').read_text())
    models = {r['model'] for r in result['results']}
    assert {'random', 'TF-IDF', 'counting', 'bag', 'blocks'} <= models
    assert result['removed_sentences'] == 2 and result['removed_pairs'] == 1, 'the pair that is also in the test was not left out'
    assert result['sentences'] == 1998 and result['pairs'] == 999
    assert set(result['seconds']) == {'tokenizer', 'shards', 'counting', 'pairs', 'bag', 'blocks', 'scores'}
    config = json.loads((files/'run'/'model'/'config.json').read_text())
    assert config['n_layers'] == 6

def test_a_killed_recipe_goes_on(files):
    "Killed in the first model, killed again in the second, and ended: the same bits as in one go."
    command = {name: recipe(files, output=name, preset='laptop', steps=('12',)) for name in ('whole', 'killed')}
    whole = run(command['whole'], files)
    assert whole.returncode == 0, whole.stderr
    for where in ('bag', 'bag-2'):
        process = subprocess.Popen(command['killed'], cwd=files, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV)
        wanted = files/'killed'/where/'checkpoints'
        while process.poll() is None and not (wanted.exists() and any(wanted.iterdir())): time.sleep(.02)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f'the run was over before it could be killed in {where}'
    again = run(command['killed'], files)
    assert again.returncode == 0, again.stderr
    weights = [(files/name/'model'/'model.safetensors').read_bytes() for name in ('whole', 'killed')]
    assert weights[0] == weights[1]
    facts = [json.loads((files/name/'results.json').read_text()) for name in ('whole', 'killed')]
    assert facts[0]['results'] == facts[1]['results'] and facts[0]['removed_sentences'] == facts[1]['removed_sentences'] == 2

def test_another_text_of_the_same_size_is_noticed(files):
    from rt_embedding.recipe import _named
    path = files/'text.txt'
    before = _named(path)
    path.write_text(path.read_text().swapcase())
    assert _named(path) != before

@pytest.mark.parametrize('extra, words', [
    (['--steps', '1'], ['2 stages']), (['--preset', 'huge'], ['preset', 'laptop']), (['--minutes', '-1'], ['minutes']),
    (['--texts', 'none.txt'], ['none.txt']), (['--pairs', 'none.tsv'], ['none.tsv']), (['--sts', 'none.tsv'], ['none.tsv'])])
def test_bad_input_is_one_line_and_leaves_nothing(files, extra, words):
    done = run([*recipe(files), *extra], files)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(w in done.stderr for w in words) and 'Traceback' not in done.stderr
    assert not (files/'run').exists()
