"The commands as users meet them: what works, and one clear line with exit code 2 for what does not."
import json
import re

import numpy as np
import pytest

from helpers import COMMANDS, SMALL, refused, run, sentences


def test_tokenizer_writes_both_files_and_fixed_ids(tokenizer):
    from rt_embedding import SentencePieceTokenizer
    assert tokenizer.exists() and tokenizer.with_suffix('.vocab').exists()
    t = SentencePieceTokenizer(model_path=tokenizer)
    assert (t.pad_id, t.unk_id, t.bos_id, t.eos_id, t.mask_id) == (0, 1, 2, 3, 4) and len(t) == 200


def test_tokenizer_takes_files_folder_and_glob(tmp_path):
    for name, seed in (('a.txt', 1), ('b.txt', 2)):
        (tmp_path/name).write_text('\n'.join(sentences(100, seed)), encoding='utf-8')
    vocabs = []
    for k, given in enumerate(([tmp_path/'a.txt', tmp_path/'b.txt'], [tmp_path], [f'{tmp_path}/*.txt'])):
        code, _, err = run('rt_train_tokenizer', '--input', *given, '--output', tmp_path/f'out{k}'/'t', '--vocab_size',
                           150)
        assert code == 0, err
        vocabs.append((tmp_path/f'out{k}'/'t.vocab').read_text(encoding='utf-8'))
    assert vocabs[0] == vocabs[1] == vocabs[2]


def test_missing_empty_and_undecodable_corpus(tmp_path):
    (tmp_path/'empty.txt').write_text('')
    (tmp_path/'latin.txt').write_bytes('gut\nschön\n'.encode('latin-1'))
    out = tmp_path/'t'
    refused(run('rt_train_tokenizer', '--input', tmp_path/'none.txt', '--output', out), 'none.txt')
    refused(run('rt_train_tokenizer', '--input', tmp_path/'empty.txt', '--output', out), 'empty.txt')
    refused(run('rt_train_tokenizer', '--input', tmp_path/'latin.txt', '--output', out), 'latin.txt', '2')
    assert not list(tmp_path.glob('t.*')) and not list(tmp_path.glob('.*tmp'))


def test_vocabulary_too_large_names_the_largest_that_works(corpus, tmp_path):
    line = refused(run('rt_train_tokenizer', '--input', corpus, '--output', tmp_path/'t', '--vocab_size', 9000))
    assert not list(tmp_path.iterdir())
    largest = int(re.search(r'--vocab_size (\d+)', line)[1])
    code, _, err = run('rt_train_tokenizer', '--input', corpus, '--output', tmp_path/'t', '--vocab_size', largest)
    assert code == 0, err


def test_foreign_tokenizer_is_refused(corpus, tmp_path):
    import sentencepiece as spm
    # ids 0, 1, 2 = unk, bos, eos
    spm.SentencePieceTrainer.train(input=str(corpus), model_prefix=str(tmp_path/'foreign'), vocab_size=150,
                                   minloglevel=2)
    (tmp_path/'text.model').write_text('not a model')
    for name in ('foreign.model', 'text.model', 'missing.model'):
        refused(run('rt_train_mlm', '--tokenizer', tmp_path/name, '--corpus', corpus, '--output_dir', tmp_path/'run',
                    *SMALL), name)
    assert not (tmp_path/'run'/'checkpoints').exists()


@pytest.mark.parametrize('flags,contains', [
    (['--context_window', 2], ['context_window', '3', '2']),
    (['--n_heads', 5], ['n_heads', '32', '5']),
    (['--mask_prob', 1.5], ['mask_prob', '1.5']),
    (['--preset', 'huge'], ['huge', 'tiny']),
    (['--learning_rate', -1], ['learning_rate', '-1']),
    (['--validation_split', 1], ['validation_split']),
    (['--device', 'abacus'], ['abacus']),
    (['--schedule', 'steep'], ['steep', 'linear']),
    (['--resume', 'maybe'], ['maybe', 'auto', 'never']),
])
def test_bad_settings(tokenizer, corpus, tmp_path, flags, contains):
    args = [str(a) for a in SMALL]
    for flag, value in zip(flags[::2], flags[1::2]):
        args = args + [flag, str(value)]  # the last one wins
    refused(run('rt_train_mlm', '--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', tmp_path/'run', *args),
            *contains)
    assert not (tmp_path/'run').exists()  # complained before the corpus was tokenised


def test_the_road_by_commands(tokenizer, corpus, tmp_path):
    "MLM, contrastive, embed, evaluate, search: each command on the result of the one before."
    flags = ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', tmp_path/'mlm', '--max_steps', 6,
             '--log_every', 2, *SMALL]
    code, out, err = run('rt_train_mlm', *flags)
    assert code == 0, err
    assert list((tmp_path/'mlm'/'logs').glob('*.log')) and (tmp_path/'mlm'/'logs'/'metrics.jsonl').exists()
    assert (tmp_path/'mlm'/'best'/'model.safetensors').exists() and (tmp_path/'mlm'/'last'/'README.md').exists()
    lines = sentences(200, seed=3)
    pairs = tmp_path/'pairs.tsv'
    pairs.write_text(''.join(f'{a}\t{a.split(" number")[0]}\n' for a in lines), encoding='utf-8')
    code, out, err = run('rt_train_contrastive', '--pairs', pairs, '--model', tmp_path/'mlm', '--output_dir',
                         tmp_path/'con', '--batch_size', 16, '--max_steps', 6, '--device', 'cpu')
    assert code == 0, err
    code, out, err = run('rt_embed', '--model', tmp_path/'con', '--input', corpus, '--output', tmp_path/'v.npy')
    assert code == 0, err
    v = np.load(tmp_path/'v.npy')
    assert v.shape == (400, 16) and np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-5)
    code, out, err = run('rt_export', '--model', tmp_path/'con', '--output', tmp_path/'exported', '--int8')
    assert code == 0 and 'cosine' in out, err
    code, out, err = run('rt_evaluate', '--model', tmp_path/'con', tmp_path/'exported', '--pairs', pairs, '--output',
                         tmp_path/'eval')
    assert code == 0 and 'exported' in out, err
    refused(run('rt_export', '--model', tmp_path/'nowhere', '--output', tmp_path/'x'), 'nowhere')
    refused(run('rt_export', '--model', tmp_path/'con', '--output', tmp_path), 'another folder')
    assert json.loads((tmp_path/'eval'/'results.json').read_text(encoding='utf-8'))


def test_another_configuration_is_refused_and_nothing_is_lost(tokenizer, corpus, tmp_path):
    flags = ['--tokenizer', tokenizer, '--corpus', corpus, '--output_dir', tmp_path/'run', '--max_steps', 4]
    assert run('rt_train_mlm', *flags, *SMALL)[0] == 0
    before = sorted((p, p.stat().st_mtime_ns) for p in (tmp_path/'run'/'checkpoints').rglob('*'))
    refused(run('rt_train_mlm', *flags, *SMALL, '--learning_rate', 1e-5), 'learning_rate', '1e-05')
    refused(run('rt_train_mlm', *flags, *SMALL, '--resume', 'never'), 'run')
    assert before == sorted((p, p.stat().st_mtime_ns) for p in (tmp_path/'run'/'checkpoints').rglob('*'))


def test_search_without_a_run_says_what_to_do(tmp_path):
    refused(run('rt_search', 'split a string', '--run', tmp_path/'none'), 'rt_quickstart')


@pytest.mark.parametrize('name', COMMANDS)
def test_help_explains_every_flag(name):
    code, out, err = run(name, '--help')
    assert code == 0 and 'usage' in out, err
    assert '--' in out and 'None' not in out
