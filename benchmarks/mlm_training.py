"MLM training at the default sizes: ours, ours without its savings, and the usual recipe, in turns on the same sentences."
import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from candidate import make_trainer
from rt_embedding.corpus import BatchPlan
from rt_embedding.masking import IGNORE
from rt_embedding.mlm import MLMObjective
from rt_embedding.sources import documented_objects, python_sentences
from rt_embedding.text import read_sentences
from rt_embedding.tokenizer import BOS_ID, EOS_ID, MASK_ID, PAD_ID, SentencePieceTokenizer, train_tokenizer

D, L, H, FF = 512, 6, 8, 1024


class DenseHead(MLMObjective):
    "The scores of all positions are computed, and most of them thrown away."
    def loss(self, model, batch):
        labels = torch.full((batch['inputs'].numel(),), IGNORE)
        labels[batch['chosen']] = batch['targets']
        logits = model.mlm_logits(model.encode_tokens(batch['inputs'], batch['mask'])).flatten(0, 1)
        return F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction='sum')


class RandomBatches(MLMObjective):
    "Batches as they come, each padded to its longest row: a plan that believes all rows to be equally long."
    def __init__(self, shards, vocab_size, rows, validation_rows, batch_size, context_window):
        super().__init__(shards, vocab_size, rows, validation_rows, batch_size, context_window)
        self.plan = BatchPlan([1]*len(rows), batch_size, context_window)


class Recipe(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, D)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, FF, 0.1, batch_first=True), L, norm=nn.LayerNorm(D))
        self.head = nn.Linear(D, vocab_size, bias=False)

    def forward(self, token_ids):
        return self.head(self.encoder(self.embedding(token_ids), src_key_padding_mask=token_ids == PAD_ID))


def recipe_trainer(vocab_size, context, batch_size, rows):
    "Padded to the window, a dense head that shares nothing with the token table, AdamW as it comes."
    torch.manual_seed(0)
    model = Recipe(vocab_size).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01)
    turn = itertools.cycle(torch.randperm(len(rows)).tolist())
    def step():
        some = [rows[next(turn)] for _ in range(batch_size)]
        x = torch.full((batch_size, context), PAD_ID)
        for i, r in enumerate(some): x[i, :len(r)] = torch.tensor(r)
        hidden = (torch.rand(x.shape) < 0.15) & (x > MASK_ID)
        logits = model(x.masked_fill(hidden, MASK_ID)).flatten(0, 1)
        F.cross_entropy(logits, x.masked_fill(~hidden, IGNORE).flatten(), ignore_index=IGNORE).backward()
        optimizer.step()
        optimizer.zero_grad()
        return sum(map(len, some))
    return step


def sgemm_gflops():
    "What this machine multiplies, at the shapes of the model."
    best = 0
    for m, k, n in ((2048, D, 3*D), (2048, D, FF), (512, D, 20_000)):
        a, b, seconds = torch.randn(m, k), torch.randn(k, n), []
        for _ in range(12):
            start = time.perf_counter()
            a @ b
            seconds.append(time.perf_counter() - start)
        best = max(best, 2*m*k*n/statistics.median(seconds[2:])/1e9)
    return best


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--corpus', help='text, one sentence a line (default: the installed Python documentation)')
    p.add_argument('--context', type=int, nargs='+', default=[16, 128])
    p.add_argument('--batch_size', type=int, default=32)
    p.add_argument('--rounds', type=int, default=8)
    p.add_argument('--vocab_size', type=int, default=20_000)
    p.add_argument('--limit', type=int, default=200_000, help='most sentences')
    a = p.parse_args()
    texts = list(itertools.islice(read_sentences(a.corpus) if a.corpus else python_sentences(documented_objects()), a.limit))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'corpus.txt').write_text('\n'.join(texts), encoding='utf-8')
        tokenizer = SentencePieceTokenizer(train_tokenizer([Path(folder, 'corpus.txt')], Path(folder, 'tokenizer'), vocab_size=a.vocab_size))
    ids = [[BOS_ID, *r, EOS_ID] for r in tokenizer.encode_ordinary(texts[:8000]) if r]
    useful = 6*(L*(4*D*D + 2*D*FF) + 0.15*a.vocab_size*D)  # FLOPs a token, backward pass included
    for context in a.context:
        rows = [r if len(r) <= context else r[:context - 1] + [EOS_ID] for r in ids]
        given = a.vocab_size, context, a.batch_size, rows
        candidates = {'ours': make_trainer(*given), 'ours, dense head': make_trainer(*given, DenseHead),
                      'ours, random batches': make_trainer(*given, RandomBatches), 'recipe': recipe_trainer(*given)}
        for step in candidates.values(): step()
        seconds, tokens = ({name: [] for name in candidates} for _ in range(2))
        for _ in range(a.rounds):
            for name, step in candidates.items():
                start = time.perf_counter()
                tokens[name].append(step())
                seconds[name].append(time.perf_counter() - start)
        rates = {name: statistics.median(n/s for n, s in zip(tokens[name], seconds[name])) for name in candidates}
        peak = sgemm_gflops()
        print(json.dumps(dict(context=context, batch_size=a.batch_size, tokens_per_s={k: round(v) for k, v in rates.items()},
                              ours_against={k: round(rates['ours']/v, 2) for k, v in rates.items() if k != 'ours'},
                              sgemm_gflops=round(peak, 1), useful_flops_share=round(rates['ours']*useful/peak/1e9, 3))), flush=True)
