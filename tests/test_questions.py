"The real questions of benchmarks/, and the rule that ranks documented objects."
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rt_embedding.input_files import object_entry
from rt_embedding.python_docs import documented_objects
from rt_embedding.python_files import DocumentedObject
from rt_embedding.search import SemanticIndex

sys.path.insert(0, str(Path(__file__).parent.parent/'benchmarks'))
import questions  # noqa: E402


def test_the_split_is_drawn_by_the_question_alone():
    rows = questions.read_questions()
    assert len({q for _, q, _ in rows}) == len(rows) >= 180 and all(right for *_, right in rows)
    for part, question, _ in rows:
        drawn = 'tune' if hashlib.sha256(question.encode()).digest()[0] % 2 else 'report'
        assert part in (drawn, 'packages')


def test_scores_of_ranks():
    assert questions.score([1, 2, 0, 11]) == dict(mrr=.375, first=.25)


def test_public_names_of_paths():
    names = {o.name for o in documented_objects('os.path', workers=1)}
    assert {'os.path.exists', 'os.path.isfile', 'os.path.join'} <= names
    assert not any(n.startswith('genericpath') for n in names)


def encode(texts):
    "Texts that cut have one vector, all others another."
    rows = np.array([[1, 1, 0, 0] if 'cut' in t.lower() else [0, 0, 0, 1] for t in texts], np.float32)
    return rows/np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize('hybrid', [False, True])
@pytest.mark.parametrize('reloaded', [False, True])
def test_the_standard_library_comes_first_only_where_scores_are_close(tmp_path, hybrid, reloaded):
    near = DocumentedObject('str.split', '', 'Cut a text.')
    objects = [replace(near, name='a.b.c.d.split', package='a'), near, DocumentedObject('x', '', 'Sing.'),
               *(DocumentedObject(f'y{i}', '', 'Hum.') for i in range(200))]
    entries = [object_entry(o) for o in objects]
    index = SemanticIndex.build(encode, [e['text'] for e in entries], entries)
    if reloaded:
        index.save(tmp_path/'index')
        index = SemanticIndex.load(tmp_path/'index', encode)
    hits = index.search('cut a text', 3, hybrid=hybrid)
    assert [h.entry['name'] for h in hits[:2]] == ['str.split', 'a.b.c.d.split']      # by 0.19
    assert hits[0].score > hits[1].score and [h.rank for h in hits] == [1, 2, 3]
    entries[0]['prior'] = None                                                         # without it the order of rows
    assert SemanticIndex.build(encode, [e['text'] for e in entries], entries).search('cut a text', 1)[0].row == 0
    assert [h.entry['name'] for h in index.search('Sing', 1, hybrid=True)] == ['x'] or not hybrid


def test_a_folder_is_searched_with_the_model_that_comes_with_the_package(tmp_path, monkeypatch, capsys):
    "Nothing trained, nothing named but the folder; a stand-in for the model that is shipped."
    from rt_embedding import folders, search_command
    from rt_embedding.encoder import EmbeddingModel
    from rt_embedding.static import fold
    from rt_embedding.testing import tiny_tokenizer
    from rt_embedding.tokenizer import SentencePieceTokenizer
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folders, 'PACKAGED', tmp_path/'models')
    refused = search_command.rt_search(['a cat', '--input', '.'])
    assert refused == 2 and 'rt_quickstart first' in capsys.readouterr().err
    tokenizer = SentencePieceTokenizer(tiny_tokenizer(path=tmp_path/'tiny.model'))
    model = EmbeddingModel(len(tokenizer), embedding_dim=16, n_layers=0, is_masked_language=False, tokenizer=tokenizer)
    fold(model.eval()).save(tmp_path/'models'/'general')
    notes = tmp_path/'notes'
    notes.mkdir()
    (notes/'a.md').write_text('# A cat\n\nthe cat sat on the mat\n')
    (notes/'b.png').write_bytes(b'\x89PNG')
    assert search_command.rt_search(['the cat sat', '--input', 'notes', '--k', '1']) == 0
    out, err = capsys.readouterr()
    assert 'a.md' in out
    assert search_command.rt_search(['the cat', '--run', 'none']) == 2             # a run that was named is not guessed
