"What a user would pick instead, at the same sizes with random weights. Imported only where it is asked for."
import itertools

import torch
import torch.nn.functional as F
from sentencepiece import SentencePieceProcessor
from torch import nn

from candidate import all_and_singly
from rt_embedding.masking import IGNORE
from rt_embedding.vocabulary import BOS_ID, EOS_ID, MASK_ID, PAD_ID, UNK_ID

D, L, H, FF = 512, 6, 8, 1024


class Recipe(nn.Module):
    "PyTorch's own encoder with a dense head that shares nothing with the token table."
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, D)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(D, H, FF, 0.1, batch_first=True), L,
                                             norm=nn.LayerNorm(D))
        self.head = nn.Linear(D, vocab_size, bias=False)

    def loss(self, inputs, labels):
        scores = self.head(self.encoder(self.embedding(inputs), src_key_padding_mask=inputs == PAD_ID))
        return F.cross_entropy(scores.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)


class HuggingFace(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def loss(self, inputs, labels):
        return self.model(input_ids=inputs, attention_mask=(inputs != PAD_ID).long(), labels=labels).loss


def bert(vocab_size):
    from transformers import BertConfig, BertForMaskedLM
    return HuggingFace(BertForMaskedLM(BertConfig(vocab_size=vocab_size, hidden_size=D, num_hidden_layers=L,
                                                  num_attention_heads=H,
                                                  intermediate_size=FF, pad_token_id=PAD_ID,
                                                  attn_implementation='sdpa')))


def modernbert(vocab_size):
    from transformers import ModernBertConfig, ModernBertForMaskedLM
    return HuggingFace(ModernBertForMaskedLM(ModernBertConfig(
        # gated: three matrices of 2/3
        vocab_size=vocab_size, hidden_size=D, num_hidden_layers=L, num_attention_heads=H, intermediate_size=2*FF//3,
        pad_token_id=PAD_ID, bos_token_id=BOS_ID, eos_token_id=EOS_ID, cls_token_id=BOS_ID, sep_token_id=EOS_ID,
        sparse_prediction=True)))


def trainer(name, vocab_size, context, batch_size, sentences):
    "One optimiser step of a peer: its batches padded to their longest row, or to the window; AdamW as it comes."
    torch.manual_seed(0)
    build, to_window = TRAINERS[name]
    model, rows = build(vocab_size).train(), sentences
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01)
    turn = itertools.cycle(torch.randperm(len(rows)).tolist())
    def step():
        some = [rows[next(turn)] for _ in range(batch_size)]
        x = torch.full((batch_size, context if to_window else max(map(len, some))), PAD_ID)
        for i, r in enumerate(some): x[i, :len(r)] = torch.tensor(r)
        hidden = (torch.rand(x.shape) < 0.15) & (x > MASK_ID)
        model.loss(x.masked_fill(hidden, MASK_ID), x.masked_fill(~hidden, IGNORE)).backward()
        optimizer.step()
        optimizer.zero_grad()
        return sum(map(len, some))
    return step


# name: model, padded to the window?
TRAINERS = {'recipe': (Recipe, True), 'BERT': (bert, False), 'ModernBERT': (modernbert, False)}


def sentence_transformer(vocab_size, context, tokenizer_path, folder):
    "sentence-transformers around a BERT of our size, with our pieces."
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
    sp = SentencePieceProcessor(model_file=tokenizer_path)
    fast = Tokenizer(models.Unigram([(sp.id_to_piece(i), sp.get_score(i)) for i in range(vocab_size)], unk_id=UNK_ID))
    fast.normalizer, fast.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    PreTrainedTokenizerFast(tokenizer_object=fast, pad_token='<pad>', unk_token='<unk>',
                            model_max_length=context).save_pretrained(folder)
    BertModel(BertConfig(vocab_size=vocab_size, hidden_size=D, num_hidden_layers=L, num_attention_heads=H,
                         intermediate_size=FF, pad_token_id=PAD_ID)).save_pretrained(folder)
    model = SentenceTransformer(modules=[Transformer(folder, max_seq_length=context), Pooling(D), Normalize()],
                                device='cpu')
    return lambda texts: model.encode(texts, batch_size=32, show_progress_bar=False)


def encode_all(texts, **given): return all_and_singly(sentence_transformer(**given), texts)
