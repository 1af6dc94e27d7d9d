"What chapters 09a to 09g promise and do not show: models of sentence-transformers, bad arguments, files of one name."
import gzip
import sys
import types

import pytest
import torch

from rt_embedding.encoder import EmbeddingModel
from rt_embedding.evaluate_command import evaluate, load_encoder
from rt_embedding.evaluation import bag_of_words_encoder, evaluate_sts
from rt_embedding.own_tests import collect_tasks
from rt_embedding.testsets import read_sts
from rt_embedding.tokenizer import SentencePieceTokenizer, train_tokenizer

QUERY = 'a dog bites a man'
DOCUMENTS = {'a man is bitten by a dog': 4.8, 'a dog attacks a person': 4.0, 'a man bites a dog': 2.5,
             'the dog sleeps all day': 1.2, 'a man reads the paper': 0.8, 'stocks fall in late trading': 0.0}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    "A similarity test, a retrieval test with an unanswered query, a text with headings, and an untrained model."
    here = tmp_path_factory.mktemp('evaluation')
    (here/'toy_sts.tsv').write_text(''.join(f'{s}\t{QUERY}\t{d}\n' for d, s in DOCUMENTS.items()))
    (here/'toy_ir').mkdir()
    (here/'toy_ir/corpus.tsv').write_text(''.join(f'd{i}\t\t{d}\n' for i, d in enumerate(DOCUMENTS)))
    (here/'toy_ir/queries.tsv').write_text(f'q0\t{QUERY}\nq1\ta nap\nq2\tzebras\n')
    (here/'toy_ir/qrels.tsv').write_text('q0\td0\t3\nq0\td1\t2\nq1\td3\t1\n')
    section = ('# Number {0}\nSentence number {0} says something about the value {0}. '
               'It is followed by another one about {0}.\n')
    (here/'text.md').write_text(''.join(section.format(i) for i in range(40)))
    train_tokenizer(str(here/'text.md'), str(here/'tokenizer'), vocab_size=60)
    tokenizer = SentencePieceTokenizer(here/'tokenizer.model')
    EmbeddingModel(len(tokenizer), 32, 64, 32, n_layers=1, n_heads=2, tokenizer=tokenizer).save_pretrained(here/'tiny')
    return here


def test_sentence_transformers_models_are_loaded_by_name(folder, monkeypatch):
    class SentenceTransformer:
        def __init__(self, name, device): self.name = name
        def encode(self, texts, batch_size, show_progress_bar): return bag_of_words_encoder()(texts)
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)  # not installed
    with pytest.raises(ValueError, match='pip install sentence-transformers'): load_encoder('st:all-MiniLM-L6-v2')
    fake = types.ModuleType('sentence_transformers')
    fake.SentenceTransformer = SentenceTransformer
    monkeypatch.setitem(sys.modules, 'sentence_transformers', fake)
    name, encode, untrained = load_encoder('st:all-MiniLM-L6-v2')
    sts = read_sts(folder/'toy_sts.tsv')
    assert name == 'all-MiniLM-L6-v2' and untrained is None
    assert evaluate_sts(encode, sts)['value'] == pytest.approx(evaluate_sts(bag_of_words_encoder(), sts)['value'])


@pytest.mark.parametrize('arguments, words', [
    (dict(batch_size=0), 'batch_size must be'), (dict(n_bootstrap=-3), 'n_bootstrap must be'),
    (dict(max_pairs=-4), 'max_pairs must be'), (dict(device='warp'), "device 'warp' is not there"),
    (dict(truncate_dims=[64], n_bootstrap=20), 'truncate_dims must lie in 1..32'),
    (dict(model=None), 'nothing to compare'), (dict(model=None, counting_corpus='text.md'), 'needs a --model of ours')])
def test_bad_arguments_are_named(folder, monkeypatch, arguments, words):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=words): evaluate(**dict(model='tiny', sts='toy_sts.tsv') | arguments)


def test_too_little_text_is_refused(tmp_path):
    (tmp_path/'short.txt').write_text('one line only\n')
    with pytest.raises(ValueError, match='too little text'): evaluate(None, corpus=tmp_path/'short.txt')


def test_a_collapsed_model_has_no_value_and_no_picture(folder, tmp_path, capsys):
    tiny = EmbeddingModel.from_pretrained(folder/'tiny')
    flat = EmbeddingModel(tiny.config.vocab_size, 32, 64, 32, n_layers=0, n_heads=2, tokenizer=tiny.tokenizer)
    with torch.no_grad(): flat.token_embedding.weight.fill_(.1)
    flat.save_pretrained(tmp_path/'flat')
    rows = evaluate(str(tmp_path/'flat'), sts=folder/'toy_sts.tsv', output=tmp_path/'report', n_bootstrap=20)
    assert rows[0]['value'] is None and 'collapsed?' in capsys.readouterr().out
    assert (tmp_path/'report'/'results.png').exists() and not (tmp_path/'report'/'toy_sts.png').exists()


def test_two_models_of_one_name_and_a_query_that_nothing_answers(folder, capsys):
    rows = evaluate([str(folder/'tiny')]*2, retrieval=folder/'toy_ir', n_bootstrap=50)
    assert [r['model'] for r in rows] == ['tiny (1)', 'tiny (2)']
    assert '1 queries without an answer' in capsys.readouterr().out


def test_two_files_of_one_name_are_two_tests(folder, tmp_path, capsys):
    (tmp_path/'toy_sts.tsv').write_text('\n'.join((folder/'toy_sts.tsv').read_text().split('\n')[:4]))
    rows = evaluate(str(folder/'tiny'), sts=[folder/'toy_sts.tsv', tmp_path/'toy_sts.tsv'], n_bootstrap=20)
    assert [(r['task'], r['n']) for r in rows] == [('toy_sts (1)', 6), ('toy_sts (2)', 4)]


def test_compressed_text_makes_the_same_tests(folder, tmp_path):
    with gzip.open(tmp_path/'text.md.gz', 'wb') as f: f.write((folder/'text.md').read_bytes())
    plain, packed = (collect_tasks(corpus=p) for p in (folder/'text.md', tmp_path/'text.md.gz'))
    assert [(t.name, t.documents) for t in plain] == [(t.name, t.documents) for t in packed]
