"""The package in the form that a comparison asks for: a function that does one optimiser step, or one that encodes
texts."""
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F

import rt_embedding.linear
from rt_embedding import EmbeddingModel, SentencePieceTokenizer
from rt_embedding.batches import BatchPlan
from rt_embedding.masking import IGNORE
from rt_embedding.mlm import MLMObjective
from rt_embedding.onnx import OnnxEncoder, export_onnx
from rt_embedding.steps import TrainingConfig, parameter_groups, to_device
from rt_embedding.run_helpers import retain_freed_memory


class Rows:
    "Tokenised rows in memory, with the face of `TokenShards`."
    def __init__(self, rows):
        self.lengths = np.array([len(r) for r in rows])
        self.ids, self.offsets = np.concatenate(rows).astype('<u2'), np.concatenate([[0], np.cumsum(self.lengths)])

    def __len__(self): return len(self.lengths)


class FullScores(MLMObjective):
    "Labelled positions only, but all their scores at once, and three dense gradients of the table."
    def loss(self, model, batch): return F.cross_entropy(self.logits(model, batch), batch['targets'], reduction='sum')


class DenseHead(MLMObjective):
    "The scores of all positions are computed, and most of them thrown away."
    def loss(self, model, batch):
        labels = torch.full((batch['inputs'].numel(),), IGNORE, device=batch['inputs'].device)
        labels[batch['chosen']] = batch['targets']
        logits = model.mlm_logits(model.encode_tokens(batch['inputs'], batch['mask'])).flatten(0, 1)
        return F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction='sum')


class RandomBatches(MLMObjective):
    "Batches as they come, each padded to its longest row: a plan that believes all rows to be equally long."
    def __init__(self, shards, vocab_size, rows, validation_rows, batch_size, context_window):
        super().__init__(shards, vocab_size, rows, validation_rows, batch_size, context_window)
        self.plan = BatchPlan([1]*len(rows), batch_size, context_window)


def trainer(model, objective, clip=1., device='cpu', bf16=False, warmup=0):
    "What `train` does in a step, on the next batch each time; returns the number of real tokens."
    model.to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, TrainingConfig()), lr=5e-4, fused=True)
    state = dict(step=0)
    def step():
        epoch, index = divmod(state['step'], objective.n_batches(0))
        state['step'] += 1
        for g in optimizer.param_groups * bool(warmup): g['lr'] = 5e-4*min(1, state['step']/warmup)
        batch = to_device(objective.batch(epoch, index), device)
        with torch.autocast(device, torch.bfloat16, enabled=bf16): loss = objective.backward(model, [batch])
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        torch.stack((loss.float(), norm)).tolist()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return objective.tokens(batch)
    return step


def make_objective(vocab_size, context, batch_size, sentences, objective_class=MLMObjective):
    shards = Rows([r[1:-1] if r[-1] == 3 else r[1:] for r in sentences])
    return objective_class(shards, vocab_size, np.arange(len(shards)), np.arange(1), batch_size, context)


def make_trainer(vocab_size, context, batch_size, sentences, objective_class=MLMObjective, compiled=False,
                 sizes=None, **how):
    "`sentences` are rows of ids between BOS and EOS; default sizes."
    torch.manual_seed(0)
    model = EmbeddingModel(vocab_size, context_window=context, is_masked_language=True, **(sizes or {}))
    if compiled:
        for block in model.blocks: block.compile(dynamic=True)
    return trainer(model, make_objective(vocab_size, context, batch_size, sentences, objective_class), **how)


def training_step(keep=True, onednn=True, **given):
    """A step as `train` does it: in a process of its own, which keeps its memory. Without `onednn` the products take
    PyTorch's usual way."""
    rt_embedding.linear.ONEDNN &= onednn
    step = make_trainer(**given)
    if keep:
        training_step.memory = retain_freed_memory()  # a name, or it would be closed at once
        training_step.memory.__enter__()
    return step


def make_encoder(vocab_size, context, tokenizer_path, onnx='', precision='fp32'):
    "`onnx`: empty, or the number format of an exported model, fp32 or int8; `precision` of the products without it."
    torch.manual_seed(0)
    model = EmbeddingModel(vocab_size, context_window=context, tokenizer=SentencePieceTokenizer(tokenizer_path)).eval()
    if onnx:
        try: import onnxruntime, onnxscript  # noqa: F401
        except ImportError as e: raise ImportError(e.msg) from None
        with tempfile.TemporaryDirectory() as folder:
            encoder = OnnxEncoder(export_onnx(model, f'{folder}/model', int8=onnx == 'int8'))
        return lambda texts: encoder.encode(texts, batch_size=32)
    return lambda texts: model.encode(texts, batch_size=32, on_truncate='ignore', precision=precision)


def all_and_singly(encode, texts):
    "Encode all texts, then forty of them one by one; gives the milliseconds of each of these."
    def run():
        encode(texts)
        singly = []
        for text in texts[:40]:
            start = time.perf_counter()
            encode([text])
            singly.append(1e3*(time.perf_counter() - start))
        return singly
    return run


def encode_all(texts, **given): return all_and_singly(make_encoder(**given), texts)


def products_ms(vocab_size, context, tokens, n=100):
    """Only the products that one sentence needs, their weights kept in the library's order: below this no order of the
    remaining work can come."""
    layers = [m for m in EmbeddingModel(vocab_size, context_window=context).modules()
              if isinstance(m, rt_embedding.linear.Linear)]
    inputs, out = {k: torch.randn(1, tokens, k) for k in {m.in_features for m in layers}}, []
    with torch.inference_mode():
        for _ in range(n):
            start = time.perf_counter()
            for m in layers: m(inputs[m.in_features])
            out.append(1e3*(time.perf_counter() - start))
    return out
