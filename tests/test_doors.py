"Every command goes through the same doors: odd paths, foreign folders, closed streams, terminal codes, one writer."
import os
import re
import subprocess
import sys

import pytest

from helpers import COMMANDS, ENV, SMALL, python_line, refused, run, sentences, start, wait_until
from rt_embedding.doors import enter

NOT_UTF8 = os.fsdecode(b'caf\xe9')
WRITTEN = ('output', 'output_dir', 'pairs_output')


def call(name, capsys, *args):
    "Run a command in this process: (exit code, standard output, standard error)."
    capsys.readouterr()
    code = enter(name, [str(a) for a in args])
    out, err = capsys.readouterr()
    return code, out, err


def flags_of(name, capsys):
    with pytest.raises(SystemExit): enter(name, ['--help'])
    return set(re.findall(r'--(\w+)', capsys.readouterr().out))


@pytest.mark.parametrize('name', COMMANDS)
def test_odd_places_to_write_to(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.symlink('loop', 'loop')
    written = flags_of(name, capsys) & set(WRITTEN)
    question = ['question'] if name == 'rt_search' else []
    assert written or name in ('rt_search', 'rt_serve', 'rt_mcp')  # these write nothing
    for flag in written:
        odd = {'': 'is empty', '~nobody_has_this_name/x': 'no user', NOT_UTF8: 'not UTF-8'}
        if flag != 'output_dir': odd |= {'.': 'of its own', '..': 'of its own', 'loop': 'leads to itself'}
        for value, words in odd.items(): refused(call(name, capsys, *question, f'--{flag}={value}'), flag, words)
    assert os.listdir() == ['loop']


@pytest.mark.parametrize('name', COMMANDS)
def test_names_that_cannot_be_written_down(name, capsys, tmp_path, monkeypatch):
    folder = tmp_path/NOT_UTF8
    folder.mkdir()
    monkeypatch.chdir(folder)
    refused(call(name, capsys, *['question'][:name == 'rt_search']), 'the working folder', 'not UTF-8')
    assert not os.listdir()


@pytest.mark.parametrize('name', COMMANDS)
def test_help_with_closed_streams(name):
    line = [sys.executable, '-c', python_line(name), '--help']
    for closed in '<&-', '>&-', '2>&-', '<&- >&- 2>&-':
        r = subprocess.run(['bash', '-c', f'"$@" {closed}', 'bash', *line], env=ENV, capture_output=True, text=True)
        assert r.returncode == 0 and 'Traceback' not in r.stderr, (closed, r)
        assert ('usage' in r.stdout + r.stderr) == (closed != '<&- >&- 2>&-'), (closed, r)  # argparse takes the other


def test_work_is_done_with_closed_streams(corpus, tmp_path):
    for number, closed in enumerate(('>&-', '2>&-', '<&- >&- 2>&-')):
        line = [sys.executable, '-c', python_line('rt_train_tokenizer'), '--input', str(corpus), '--vocab_size', '150',
                '--output', str(tmp_path/str(number))]
        r = subprocess.run(['bash', '-c', f'"$@" {closed}', 'bash', *line], env=ENV, capture_output=True, text=True)
        assert r.returncode == 0 and 'Traceback' not in r.stderr, r
        assert (tmp_path/f'{number}.model').read_bytes() == (tmp_path/'0.model').read_bytes()


@pytest.fixture
def ways(tokenizer, corpus, tmp_path):
    "Commands with a run folder (or a folder of results) and the arguments that they need."
    pairs = tmp_path/'pairs.tsv'
    pairs.write_text(''.join(f'{a}\t{b}\n' for a, b in zip(sentences(60, 1), sentences(60, 2))), encoding='utf-8')
    sts = tmp_path/'sts.tsv'
    sts.write_text(''.join(f'{i % 5}\t{a}\t{a[3:]}\n' for i, a in enumerate(sentences(20, 3))), encoding='utf-8')
    return dict(
        rt_train_mlm=['--tokenizer', tokenizer, '--corpus', corpus, *SMALL, '--max_steps', 1, '--output_dir'],
        rt_train_contrastive=['--tokenizer', tokenizer, '--pairs', pairs, *SMALL, '--max_steps', 1, '--output_dir'],
        rt_recipe=['--corpus', corpus, '--pairs', pairs, '--output_dir'],
        rt_quickstart=['--corpus', corpus, '--output_dir'], rt_lab=['--corpus', corpus, '--output_dir'],
        rt_embed=['--model', tmp_path/'none', '--input', corpus, '--output'],
        rt_evaluate=['--sts', sts, '--baselines', '--model', tmp_path/'none', '--output'])


@pytest.mark.parametrize('name', ['rt_train_mlm', 'rt_train_contrastive', 'rt_recipe', 'rt_quickstart', 'rt_lab',
                                  'rt_evaluate'])
def test_a_folder_with_other_things_is_left_alone(name, ways, capsys, tmp_path):
    folder = tmp_path/'thesis'
    folder.mkdir()
    for file in ('chapter.txt', 'config.json', 'tokenizer.model'): (folder/file).write_text('my own work')
    (folder/'shards').mkdir()
    refused(call(name, capsys, *ways[name], folder), 'thesis', 'holds other things (chapter.txt)', 'new or an empty')
    assert {p.name for p in folder.iterdir()} == {'chapter.txt', 'config.json', 'tokenizer.model', 'shards'}
    assert (folder/'config.json').read_text() == (folder/'tokenizer.model').read_text() == 'my own work'


def test_a_corpus_is_replaced_only_when_asked(corpus, capsys, tmp_path):
    (tmp_path/'novel.txt').write_text('chapter one')
    for flags in (['--output', tmp_path/'novel.txt'],
                  ['--output', tmp_path/'c.txt', '--pairs_output', tmp_path/'novel.txt']):
        refused(call('rt_corpus', capsys, corpus, *flags), 'novel.txt', '--overwrite')
        assert (tmp_path/'novel.txt').read_text() == 'chapter one' and not (tmp_path/'c.txt').exists()
    assert call('rt_corpus', capsys, corpus, '--output', tmp_path/'novel.txt', '--overwrite')[0] == 0
    assert (tmp_path/'novel.txt').read_text() != 'chapter one'


def test_both_files_of_a_corpus_or_none(corpus, capsys, tmp_path):
    (tmp_path/'file').write_text('')
    refused(call('rt_corpus', capsys, corpus, '--output', tmp_path/'c.txt', '--pairs_output', tmp_path/'file'/'p.tsv'))
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_terminal_codes_in_names_are_shown_not_sent(corpus, tmp_path):
    name = 'red\x1b[31m\u202e'
    code, out, err = run('rt_train_tokenizer', '--input', corpus, '--vocab_size', 150, '--output', tmp_path/name)
    assert code == 0 and '\\x1b[31m\\u202e' in out + err and not re.search('[\x1b\u202e]', out + err)
    code, out, err = run('rt_corpus', corpus, '--output', tmp_path/f'{name}.txt')
    assert code == 0 and '\\x1b[31m' in out and not re.search('[\x1b\u202e]', out + err)


PRODUCTS = dict(  # command -> what it may be writing, and its arguments
    rt_train_tokenizer=('t.model', ['--input', '{corpus}', '--vocab_size', 150, '--output', '{out}/t']),
    rt_corpus=('c.txt', ['{corpus}', '--output', '{out}/c.txt']),
    rt_embed=('v.npy', ['--model', '{model}', '--input', '{corpus}', '--output', '{out}/v.npy', '--device', 'cpu']),
    rt_export=('e', ['--model', '{model}', '--output', '{out}/e', '--format', 'model2vec']),
    rt_search=('ix', ['a question', '--model', '{model}', '--input', '{corpus}', '--index', '{out}/ix']),
    rt_analyse=('a', ['--model', '{model}', '--input', '{corpus}', '--output', '{out}/a']),
    rt_evaluate=('s', ['--model', '{model}', '--corpus', '{corpus}', '--output', '{out}/s']))


@pytest.mark.parametrize('name', PRODUCTS)
def test_one_writer_at_a_time(name, tokenizer, corpus, capsys, tmp_path):
    from rt_embedding.runs import locked_output
    product, args = PRODUCTS[name]
    (out := tmp_path/'out').mkdir()
    small_model(tokenizer).save_pretrained(tmp_path/'model')
    args = [str(a).format(corpus=corpus, model=tmp_path/'model', out=out) for a in args]
    with locked_output(out/product): refused(call(name, capsys, *args), product, 'by another process')
    assert not os.listdir(out)


@pytest.mark.parametrize('name', ['rt_train_tokenizer', 'rt_corpus', 'rt_embed', 'rt_search'])
def test_nothing_is_left_of_a_killed_writer(name, tokenizer, corpus, capsys, tmp_path):
    product, args = PRODUCTS[name]
    (out := tmp_path/'out').mkdir()
    small_model(tokenizer).save_pretrained(tmp_path/'model')
    left = out/f'.{product}.ab12cd34.tmp'
    left.mkdir() if name == 'rt_search' else left.write_bytes(b'half of what a killed process wrote')
    args = [str(a).format(corpus=corpus, model=tmp_path/'model', out=out) for a in args]
    assert call(name, capsys, *args)[0] == 0
    assert (out/product).exists() and not [p for p in os.listdir(out) if p.startswith('.')]


@pytest.mark.skipif(not os.path.isdir('/proc/self/task'), reason='needs /proc')
def test_readers_end_when_the_command_is_killed(tmp_path):
    def children(pid):
        tasks = f'/proc/{pid}/task/{pid}/children'
        return open(tasks).read().split() if os.path.exists(tasks) else []
    p = start('rt_corpus', 'python', '--output', tmp_path/'c.txt')
    wait_until(lambda: children(p.pid), p)
    workers = children(p.pid)
    p.kill()
    p.wait()
    def gone(pid):
        try: return ') Z ' in open(f'/proc/{pid}/stat').read()
        except OSError: return True
    wait_until(lambda: all(map(gone, workers)), seconds=30)
    assert not (tmp_path/'c.txt').exists()


def small_model(tokenizer, n_layers=0, context_window=16):
    from rt_embedding import EmbeddingModel, SentencePieceTokenizer
    return EmbeddingModel(200, embedding_dim=8, hidden_dim=16, n_layers=n_layers, n_heads=2,
                          context_window=context_window, tokenizer=SentencePieceTokenizer(tokenizer))


@pytest.mark.parametrize('door, module, function', [
    ('model', 'saving', 'read_settings'), ('light', 'static', 'read_settings'), ('table', 'static', '_table_config')])
def test_a_model_replaced_while_it_is_read_is_the_old_or_the_new_one(door, module, function, tokenizer, tmp_path,
                                                                     monkeypatch):
    "The folder is replaced between the reading of its configuration and of its weights, three times."
    from importlib import import_module

    import numpy as np

    from rt_embedding import EmbeddingModel
    from rt_embedding.light import open_encoder
    from rt_embedding.static import fold
    folder, models = tmp_path/'model', [small_model(tokenizer, context_window=n) for n in (16, 20, 24, 28)]
    vectors = [m.eval().encode('a cat', on_truncate='ignore') for m in models]
    waiting = models[::-1]
    def replace():
        m = waiting.pop()
        fold(m).save(folder, overwrite=folder.exists()) if door == 'table' else m.save_pretrained(folder)
    real = getattr(import_module(f'rt_embedding.{module}'), function)
    def reading(*args):
        result = real(*args)
        if waiting: replace()
        return result
    replace()
    monkeypatch.setattr(f'rt_embedding.{module}.{function}', reading)
    m = EmbeddingModel.from_pretrained(folder) if door == 'model' else open_encoder(folder)
    assert (m.config.context_window if door == 'model' else m.max_seq_length) == 28 and not waiting
    np.testing.assert_allclose(m.encode('a cat', on_truncate='ignore'), vectors[3], atol=1e-6)


@pytest.mark.parametrize('n_layers', [0, 1])
def test_absurd_weights_give_an_error_not_a_file(n_layers, tokenizer, corpus, capsys, tmp_path):
    import torch
    model = small_model(tokenizer, n_layers)
    with torch.no_grad():
        for p in model.parameters(): p.mul_(1e30)
    model.save_pretrained(tmp_path/'model')
    refused(call('rt_embed', capsys, '--model', tmp_path/'model', '--input', corpus, '--output', tmp_path/'v.npy'),
            'numbers so large' if n_layers == 0 else 'not finite')
    assert [p.name for p in tmp_path.iterdir()] == ['model']


@pytest.mark.parametrize('name', COMMANDS)
def test_a_number_beyond_all_bounds(name, capsys):
    question = ['question'] if name == 'rt_search' else []
    flags = flags_of(name, capsys) & {'batch_size', 'vocab_size', 'max_lines', 'k', 'seeds', 'max_texts', 'budget'}
    for flag in flags - {'budget'}: refused(call(name, capsys, *question, f'--{flag}', 10**30), flag, 'too large')
    assert flags or name in ('rt_export', 'rt_mcp', 'rt_serve')


def test_help_is_the_same_a_second_time(capsys):
    from rt_embedding.tokenizer import rt_train_tokenizer
    said = []
    for _ in range(2):
        with pytest.raises(SystemExit): rt_train_tokenizer(['--help'])
        said.append(' '.join(capsys.readouterr().out.split()))
    assert said[0] == said[1] and said[0].count('(default: data/corpus.txt)') == 1
