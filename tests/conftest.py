"Fixtures that several test files use; plain functions are in helpers.py."
import pytest

from helpers import run, sentences


@pytest.fixture(scope='session')
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp('corpus')/'corpus.txt'
    path.write_text('\n'.join(sentences(400)) + '\n', encoding='utf-8')
    return path


@pytest.fixture(scope='session')
def tokenizer(corpus):
    code, _, err = run('rt_train_tokenizer', '--input', corpus, '--output', corpus.parent/'tokenizer', '--vocab_size', 200)
    assert code == 0, err
    return corpus.parent/'tokenizer.model'
