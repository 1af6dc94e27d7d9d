"The package in the form that a comparison asks for: a function that does one optimiser step, or one that encodes texts."
import numpy as np
import torch

from rt_embedding import EmbeddingModel, SentencePieceTokenizer
from rt_embedding.mlm import MLMObjective
from rt_embedding.training import TrainingConfig, parameter_groups


class Rows:
    "Tokenised rows in memory, with the face of `TokenShards`."
    def __init__(self, rows):
        self.lengths = np.array([len(r) for r in rows])
        self.ids, self.offsets = np.concatenate(rows).astype('<u2'), np.concatenate([[0], np.cumsum(self.lengths)])

    def __len__(self): return len(self.lengths)


def trainer(model, objective, clip=1.):
    "What `train` does in a step, on the next batch each time; returns the number of real tokens."
    optimizer = torch.optim.AdamW(parameter_groups(model.train(), TrainingConfig()), lr=5e-4, fused=True)
    state = dict(step=0)
    def step():
        epoch, index = divmod(state['step'], objective.n_batches(0))
        state['step'] += 1
        batch = objective.batch(epoch, index)
        objective.backward(model, [batch])
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return objective.tokens(batch)
    return step


def make_trainer(vocab_size, context, batch_size, sentences, objective_class=MLMObjective):
    "`sentences` are rows of ids between BOS and EOS; default sizes."
    shards = Rows([r[1:-1] if r[-1] == 3 else r[1:] for r in sentences])
    torch.manual_seed(0)
    model = EmbeddingModel(vocab_size, context_window=context, is_masked_language=True)
    return trainer(model, objective_class(shards, vocab_size, np.arange(len(shards)), np.arange(1), batch_size, context))


def make_encoder(vocab_size, context, tokenizer_path):
    torch.manual_seed(0)
    model = EmbeddingModel(vocab_size, context_window=context, tokenizer=SentencePieceTokenizer(tokenizer_path)).eval()
    return lambda texts: model.encode(texts, batch_size=32, on_truncate='ignore')
