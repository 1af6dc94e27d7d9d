# TEMPORARY stub
import json, numpy as np, torch
from pathlib import Path
from .commands import InputError, atomic_folder
from .text import read_sentences, expand_paths
class TokenShards:
    def __init__(self, folder):
        f = Path(folder); h = json.loads((f/'header.json').read_text()); self.header = h
        self.ids = np.memmap(f/'ids.bin', dtype=h['dtype'], mode='r'); self.offsets = np.fromfile(f/'offsets.bin', dtype=np.int64)
        self.lengths = np.diff(self.offsets); self.n_tokens = h['n_tokens']; self.tokenizer_sha256 = h['tokenizer_sha256']
    def __len__(self): return len(self.lengths)
    def __getitem__(self, i): return self.ids[self.offsets[i]:self.offsets[i+1]]
def build_shards(inputs, tokenizer, folder, on_progress=None, rebuild=False, source=None):
    rows = tokenizer.encode_ordinary(list(read_sentences(inputs)))
    if not rows: raise InputError(f'{inputs} holds no text')
    flat = np.concatenate([np.array(r, dtype=np.uint16) for r in rows]); off = np.cumsum([0]+[len(r) for r in rows]).astype(np.int64)
    with atomic_folder(folder, overwrite=True) as t:
        flat.tofile(t/'ids.bin'); off.tofile(t/'offsets.bin'); (t/'header.json').write_text(json.dumps(dict(dtype='uint16', n_tokens=len(flat), tokenizer_sha256=tokenizer.sha256)))
    return TokenShards(folder)
def train_validation_split(n, validation_split=0.1, seed=0):
    k = round(n*validation_split)
    if not 0 < validation_split < 1 or not 0 < k < n: raise InputError(f'validation_split {validation_split} of {n} rows leaves one side empty')
    p = np.random.default_rng(seed).permutation(n); return np.sort(p[k:]), np.sort(p[:k])
class BatchPlan:
    def __init__(self, lengths, batch_size=32, context_window=16, seed=0, max_tokens=None, shuffle=True):
        self.l, self.b, self.c, self.seed, self.shuffle = np.minimum(lengths, context_window-2), batch_size, context_window, seed, shuffle
        self.n_batches = -(-len(lengths)//batch_size); self.e = None
    def batches(self, epoch):
        if self.e != epoch:
            r = np.random.default_rng([self.seed, epoch]); p = r.permutation(len(self.l)); p = p[np.argsort(self.l[p], kind='stable')]
            bs = [p[i:i+self.b] for i in range(0, len(p), self.b)]; self.bs = [bs[i] for i in r.permutation(len(bs))]; self.e = epoch
        return self.bs
    def rows(self, epoch, index): return self.batches(epoch)[index]
    def padding_share(self, epoch):
        r = sum((self.l[b]+2).sum() for b in self.batches(epoch)); t = sum((self.l[b].max()+2)*len(b) for b in self.batches(epoch)); return 1-r/t
def make_batch(shards, rows, context_window):
    n = np.minimum(shards.lengths[rows], context_window-2); T = int(n.max())+2
    pos = np.arange(T-2); ok = pos < n[:, None]; idx = shards.offsets[rows][:, None] + pos
    out = np.zeros((len(rows), T), np.int64); out[:, 0] = 2; out[:, 1:-1][ok] = shards.ids[idx[ok]]; out[np.arange(len(rows)), n+1] = 3
    return torch.from_numpy(out), None if ok.all() else torch.from_numpy(np.arange(T) < (n+2)[:, None])
def corpus_report(shards, context_window): return {}
