"Numbers that are none: skipped and counted, given up on after a few, and never saved as good."
import math
import shutil

import pytest
import torch
from rt_embedding import EmbeddingModel, InputError, SentencePieceTokenizer
from rt_embedding.logging import read_metrics
from rt_embedding.checkpoints import checkpoints, verify_checkpoint
from rt_embedding.steps import Objective, TrainingConfig
from rt_embedding.training import train

from helpers import final, same


class Task(Objective):
    "Echo the tokens; at some steps something is not finite."
    name = 'toy'
    def __init__(self, bad=(), what='loss'): self.bad, self.what = set(bad), what
    def n_batches(self, epoch): return 100
    def batch(self, epoch, index):
        return dict(ids=torch.randint(5, 50, (4, 6), generator=torch.Generator().manual_seed(index)), index=index)
    def count(self, batch): return batch['ids'].numel()
    tokens = count
    def loss(self, model, batch):
        loss = torch.nn.functional.cross_entropy(model.mlm_logits(model.encode_tokens(batch['ids'])).flatten(0, 1),
                                                 batch['ids'].flatten(), reduction='sum')
        if batch['index'] + 1 not in self.bad: return loss
        if self.what == 'loss': return loss*math.nan
        return loss + (model.token_embedding.weight[7, 0]*0).sqrt()  # the value is fine, its derivative infinite
    def evaluate(self, model): return dict(val_loss=float(self.loss(model, self.batch(0, 99)))/24)


def fresh():
    torch.manual_seed(0)
    return EmbeddingModel(50, embedding_dim=8, hidden_dim=16, n_layers=1, n_heads=2, dropout=0.1)


CONFIG = dict(max_steps=20, learning_rate=1e-2, log_every=1, eval_every=10, save_every=4, keep_checkpoints=2,
              device='cpu')


def go(folder, task, model=None, callback=None, **changes):
    return train(model or fresh(), task, TrainingConfig(**{**CONFIG, **changes}), folder, progress=False,
                 callback=callback)


@pytest.mark.parametrize('what', ['loss', 'gradient'])
def test_a_bad_step_is_skipped_and_counted(tmp_path, what):
    weights = {}
    def look(event, record):
        if event == 'train': weights[record['step']] = model.token_embedding.weight.detach().clone()
    model = fresh()
    result = go(tmp_path/'run', Task({6, 7, 12}, what), model, look)
    assert result['steps'] == 20 and result['skipped_steps'] == 3 and math.isfinite(result['best_val_loss'])
    for step in range(2, 21): assert torch.equal(weights[step], weights[step - 1]) == (step in (6, 7, 12)), step
    metrics = read_metrics(tmp_path/'run'/'logs'/'metrics.jsonl', 'train')
    assert [m['step'] for m in metrics] == list(range(1, 21)) and metrics[-1]['skipped_steps'] == 3
    assert all(p.isfinite().all() for p in model.parameters())
    # neither is JSON
    assert 'NaN' not in (tmp_path/'run'/'logs'/'metrics.jsonl').read_text() and 'Infinity' not in (
        tmp_path/'run'/'logs'/'metrics.jsonl').read_text()


@pytest.mark.parametrize('what', ['loss', 'gradient'])
def test_a_few_in_a_row_end_the_run_with_the_last_good_checkpoint(tmp_path, what):
    model = fresh()
    with pytest.raises(InputError) as e:
        go(tmp_path/'run', Task(range(7, 100), what), model, save_every=1, max_bad_steps=5)
    text, good = str(e.value), checkpoints(tmp_path/'run')[-1]
    assert '5 steps in a row' in text and 'learning_rate' in text and '0.01' in text and str(
        good) in text and '\n' not in text
    # none was written while steps were bad, none pushed out
    assert [c.name for c in checkpoints(tmp_path/'run')] == ['step-00000005', 'step-00000006']
    assert verify_checkpoint(good)['bad_in_a_row'] == 0
    # bad steps changed nothing
    assert same(EmbeddingModel.from_pretrained(good).state_dict(), model.eval().state_dict())


def test_a_save_that_falls_on_a_bad_step_is_made_at_the_next_good_one(tmp_path):
    go(tmp_path/'run', Task({8, 9}), keep_checkpoints=10)
    assert [c.name[-2:] for c in checkpoints(tmp_path/'run')] == ['04', '10', '12', '16', '20']


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    "An update can overflow although its gradient did not."
    model = fresh()
    def poison(event, record):
        # a moment before it would be saved
        if event == 'train' and record['step'] == 8: model.norm.bias.data[0] = math.inf
    with pytest.raises(InputError, match='the weights are not finite'): go(tmp_path/'run', Task(), model, poison)
    assert [c.name for c in checkpoints(tmp_path/'run')] == ['step-00000004']
    EmbeddingModel.from_pretrained(checkpoints(tmp_path/'run')[0])


def test_a_validation_that_is_not_finite_is_no_best_and_the_figures_stay_json(tmp_path):
    result = go(tmp_path/'run', Task({100}))  # the validation batch, which no step sees
    assert result['best_step'] is None and not (tmp_path/'run'/'best').exists() and result['steps'] == 20
    text = (tmp_path/'run'/'logs'/'metrics.jsonl').read_text()
    assert 'NaN' not in text and [m['val_loss']
                                  for m in read_metrics(tmp_path/'run'/'logs'/'metrics.jsonl', 'validation')] == [None,
                                                                                                                  None]


def test_counting_goes_on_where_it_was(tmp_path):
    "Killed (here: copied) in the middle of bad steps, the run ends with the same figures."
    whole = go(tmp_path/'whole', Task({3, 4, 9}))
    def copy(event, record):
        if event == 'train' and record['step'] == 9 and not (tmp_path/'copy').exists():
            shutil.copytree(tmp_path/'run', tmp_path/'copy')
    go(tmp_path/'run', Task({3, 4, 9}), callback=copy)
    again = go(tmp_path/'copy', Task({3, 4, 9}))
    assert again['skipped_steps'] == whole['skipped_steps'] == 3
    assert same(final(tmp_path/'copy'), final(tmp_path/'whole'))


def test_two_runs_under_one_seed_give_the_same_bits(tmp_path):
    "And another seed gives others."
    for name, seed in (('a', 42), ('b', 42), ('c', 43)): go(tmp_path/name, Task(), seed=seed)
    a, b, c = (final(tmp_path/n) for n in 'abc')
    assert same(a, b)
    assert not same(a['last/model.safetensors'], c['last/model.safetensors'])  # dropout draws from the seed


def test_a_refused_training_leaves_no_folder(tmp_path):
    for call in (lambda: go(tmp_path/'new'/'run', Task(), device='abacus'),
                 lambda: go(tmp_path/'new'/'run', type('Empty', (Task,), dict(n_batches=lambda self, epoch: 0))())):
        with pytest.raises(InputError): call()
        assert not (tmp_path/'new').exists()


def test_a_validation_between_bad_steps_says_nan_and_does_not_raise(tokenizer):
    from rt_embedding.contrastive_objective import ContrastiveObjective
    from rt_embedding.testing import toy_paraphrases
    t = SentencePieceTokenizer(tokenizer)
    model = EmbeddingModel(len(t), 8, 16, 16, n_layers=1, n_heads=2, tokenizer=t).eval()
    objective = ContrastiveObjective(toy_paraphrases()[:200], t, 16, 16)
    evaluate = torch.no_grad()(objective.evaluate)
    assert math.isfinite(evaluate(model)['val_loss'])
    with torch.no_grad(): model.projection.weight[0, 0] = math.nan
    assert math.isnan(evaluate(model)['val_loss'])
