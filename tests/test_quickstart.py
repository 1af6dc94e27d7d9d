"The whole road on a small text, then a search in a process of its own, with the network blocked."
import json

import pytest

from helpers import ENV, paraphrases, refused, run

BLOCK = '''
import socket
def refuse(*a, **k): raise OSError('the network is blocked in this test')
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = socket.getaddrinfo = refuse
'''


@pytest.fixture(scope='module')
def offline(tmp_path_factory):
    "A sitecustomize that blocks sockets in every child process."
    folder = tmp_path_factory.mktemp('offline')
    (folder/'sitecustomize.py').write_text(BLOCK)
    before = ENV.get('PYTHONPATH')
    ENV['PYTHONPATH'] = str(folder)
    yield
    ENV.pop('PYTHONPATH') if before is None else ENV.update(PYTHONPATH=before)


@pytest.fixture(scope='module')
def quickstart_run(offline, tmp_path_factory):
    folder = tmp_path_factory.mktemp('quick')
    text = folder/'my.tsv'
    text.write_text('\n'.join(map('\t'.join, paraphrases(900))), encoding='utf-8')
    code, out, err = run('rt_quickstart', '--corpus', text, '--minutes', 0.5, '--vocab_size', 150, '--batch_size', 32,
                         '--mlm_steps', 30, '--contrastive_steps', 100, '--learning_rate', 2e-3, '--output_dir',
                         folder/'run')
    assert code == 0, err
    return folder/'run', out


def test_quickstart_leaves_model_index_and_report(quickstart_run):
    folder, out = quickstart_run
    assert 'left]' in out and 'budget' in out
    for name in ('report.md', 'results.json', 'scores.png', 'losses.png', 'model/model.safetensors', 'index'):
        assert (folder/name).exists(), name
    scores = json.loads((folder/'results.json').read_text(encoding='utf-8'))['scores']
    assert set(scores) == {'random init', 'counting', 'MLM', 'contrastive', 'BM25'}
    assert scores['contrastive']['mrr'] > 1.2*scores['MLM']['mrr']


def test_search_answers_from_the_run(quickstart_run):
    folder, _ = quickstart_run
    known = json.loads((folder/'material'/'entries.jsonl').read_text(encoding='utf-8').splitlines()[10])['text']
    code, out, err = run('rt_search', known, '--run', folder, '--k', 3, '--json')
    assert code == 0, err
    hits = json.loads(out)
    hits = hits['hits'] if isinstance(hits, dict) else hits
    assert len(hits) == 3 and known in json.dumps(hits[0], ensure_ascii=False)  # a text is nearest to itself
    code, out, err = run('rt_search', known, '--run', folder)
    assert code == 0 and known in out, err


def test_many_to_one_pairs_are_refused(tmp_path):
    (tmp_path/'star.tsv').write_text('\n'.join(f'question number {i}\tthe same answer' for i in range(200)))
    refused(run('rt_quickstart', '--corpus', tmp_path/'star.tsv', '--output_dir', tmp_path/'run', '--minutes', 0.1),
            'star.tsv')
    assert not (tmp_path/'run'/'material').exists()


def test_quickstart_refuses_text_that_is_too_small(tmp_path):
    (tmp_path/'small.txt').write_text('one line\nanother line\n')
    refused(run('rt_quickstart', '--corpus', tmp_path/'small.txt', '--output_dir', tmp_path/'run', '--minutes', 0.1),
            'give more text')
    assert not (tmp_path/'run'/'material').exists()


def test_a_refused_run_leaves_nothing_that_another_text_would_inherit(tmp_path):
    for name, word in (('a', 'apple'), ('b', 'banana')):
        (tmp_path/f'{name}.tsv').write_text('\n'.join(f'{x} {word}\t{y} {word}' for x, y in paraphrases(300)),
                                            encoding='utf-8')
    how = ['--minutes', 0.2, '--mlm_steps', 2, '--contrastive_steps', 2, '--batch_size', 16, '--output_dir',
           tmp_path/'run']
    refused(run('rt_quickstart', '--corpus', tmp_path/'a.tsv', '--vocab_size', 3, *how), 'vocab')
    code, _, err = run('rt_quickstart', '--corpus', tmp_path/'b.tsv', '--vocab_size', 150, *how)
    assert code == 0, err
    entries = (tmp_path/'run'/'material'/'entries.jsonl').read_text(encoding='utf-8')
    assert 'banana' in entries and 'apple' not in entries
    (tmp_path/'b.tsv').write_text('\n'.join(map('\t'.join, paraphrases(400))), encoding='utf-8')
    # no old figures under its name
    refused(run('rt_quickstart', '--corpus', tmp_path/'b.tsv', '--vocab_size', 150, *how), 'checksum of the text',
            'choose another')
