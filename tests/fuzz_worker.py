"""Feeds damaged files to a reader, many times, and says what came of it. `python fuzz_worker.py READERS FOLDER FIRST
LAST` makes and reads the cases FIRST..LAST-1 of each reader (names joined by commas). Each case is a pure function of
its number. A line on stdout goes before every case, so that whoever started us knows which one it was when we crash,
or hang.

Allowed are: success, and InputError. Everything else ends the process with the number and the traceback."""
import gzip
import json
import os
import random
import resource
import shutil
import signal
import sys
import traceback
from pathlib import Path

import torch
from helpers import sentences
from rt_embedding import EmbeddingModel, InputError, SentencePieceTokenizer
from rt_embedding.files import sha256_file
from rt_embedding.batches import BatchPlan, make_batch
from rt_embedding.corpus import TokenShards, build_shards
from rt_embedding.pairfiles import read_pairs as read_evaluation_pairs
from rt_embedding.retrieval_sets import read_retrieval
from rt_embedding.testsets import read_labelled, read_sts
from rt_embedding.logging import read_metrics
from rt_embedding.runningtext import load_pairs
from rt_embedding.checkpoints import check_state, newest_checkpoint, read_optimizer, save_checkpoint
from rt_embedding.runs import same_settings

SECONDS = 10  # a case that takes longer hangs
HARD = ['the cat', '', 'ÄÖ １２３ ﷺ',
        'a\u0301\u0327\x00b', '日本 🎉 <pad> [MASK]', 'x'*3000, '\udc80 lone', '\u202e back']
NUMBERS = [0, -1, 1, 2, 3, 7, 2**31, 2**63, 10**12, 10**400, -2**70, 0.5, 1e308, float('nan'), float('inf'), -0.0]
ODD = [None, True, '', 'x', '../../etc/passwd', '\x00', '\u202e', [], {}, [[]], {'a': 1}, 'é'*1000, *NUMBERS]


def bytes_of(draw, data):
    "A few flips, cuts, repeats and insertions."
    data = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 4, 16])):
        i, n = draw.randrange(len(data) + 1), draw.choice([1, 1, 2, 4, 8, 64, 1024])
        kind = draw.randrange(7)
        if kind == 0 and data: data[i % len(data)] ^= 1 << draw.randrange(8)
        elif kind == 1: del data[i:i + n]
        elif kind == 2: data[i:i] = data[draw.randrange(len(data) + 1):][:n]
        elif kind == 3:
            data[i:i + n] = bytes(draw.choice([0, 255, 9, 10, 13, 34, 91, 123, 127, 128, 192, 239]) for _ in range(n))
        elif kind == 4: data[i:i + n] = draw.randbytes(n)
        elif kind == 5:
            data[i:i] = draw.choice([b'\n', b'\t', b'\r', b'\x00', b'[' * 2000, b'\xff\xfe', b'"', b'1e999',
                                     b'\xed\xa0\x80', '\u2028'.encode()])
        elif kind == 6: del data[i:]
    return bytes(data)


def json_of(draw, text):
    "Another value somewhere, a key more or less, or broken bytes."
    value = json.loads(text)
    for _ in range(draw.choice([1, 1, 2, 3])):
        at = value
        while isinstance(at, (dict, list)) and at:
            k = draw.choice(list(at) if isinstance(at, dict) else range(len(at)))
            if isinstance(at[k], (dict, list)) and at[k] and draw.random() < .8:
                at = at[k]
                continue
            kind = draw.randrange(4)
            if kind == 0: del at[k]
            elif kind == 1 and isinstance(at, dict):
                at[draw.choice(['extra', '__class__', '\x1b[2J', '', str(k) + ' '])] = draw.choice(ODD)
            elif kind == 2 and isinstance(at[k], (int, float)): at[k] = draw.choice(NUMBERS)
            else: at[k] = draw.choice(ODD)
            break
    text = json.dumps(value)
    return bytes_of(draw, text.encode()) if draw.random() < .2 else text.encode('utf-8', 'surrogatepass')


def tensors_of(draw, data):
    "A safetensors file whose header was changed: names, shapes, types, offsets, its length."
    n = int.from_bytes(data[:8], 'little')
    if draw.random() < .5: return bytes_of(draw, data)
    header = json_of(draw, data[8:8 + n].decode())
    length = len(header) if draw.random() < .8 else draw.choice([0, 1, 2**31, 2**63 - 1, 2**64 - 1, len(header) + 8,
                                                                 100_000_000])
    return length.to_bytes(8, 'little') + header + data[8 + n:]


def device(path):
    "A pipe, /dev/zero and the like, perhaps behind a link."
    real = Path(os.path.realpath(path))
    return real.exists() and not (real.is_file() or real.is_dir())


def readable_json(path):
    "The object in a file that is still one, for whoever wants to change it."
    try: value = json.loads(path.read_text()) if path.is_file() and not path.is_symlink() else None
    except (OSError, ValueError, RecursionError): return None
    return value if isinstance(value, dict) else None


MUTATE = {'.json': json_of, '.safetensors': tensors_of}


def damage(draw, path):
    "Change one file; now and then replace it by what is no file, or take it away."
    if draw.random() < .03:
        path.unlink()
        kind = draw.randrange(4)
        if kind == 1: os.mkfifo(path)
        elif kind == 2: path.symlink_to(draw.choice(['/dev/zero', '/etc/passwd', path, '..']))
        elif kind == 3: path.mkdir()
        return
    data = path.read_bytes()
    mutate = bytes_of if draw.random() < .3 else MUTATE.get(path.suffix, bytes_of)
    path.write_bytes(mutate(draw, data))


def restore(original, work):
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(original, work)


class Reader:
    "What is read (`make` writes it into a folder), and how (`read`)."
    def __init__(self, folder, tokenizer):
        self.original, self.work, self.tokenizer = Path(folder)/'original', Path(folder)/'work', tokenizer
    def prepare(self):
        if not self.original.exists():
            self.original.mkdir(parents=True)
            self.make(self.original)
        restore(self.original, self.work)
        self.read(self.work)  # undamaged it is fine
    def files(self): return sorted(p.relative_to(self.original) for p in self.original.rglob('*') if p.is_file())
    def after(self, draw, work): pass
    def case(self, number):
        draw = random.Random(number)
        restore(self.original, self.work)
        damage(draw, self.work/draw.choice(self.files()))
        self.after(draw, self.work)
        self.read(self.work)


def small_model(path):
    torch.manual_seed(0)
    tokenizer = SentencePieceTokenizer(path)
    return EmbeddingModel(len(tokenizer), embedding_dim=8, hidden_dim=16, n_layers=1, n_heads=2, context_window=12,
                          tokenizer=tokenizer)


class Model(Reader):
    "A saved model: config.json, model.safetensors, tokenizer.model."
    def make(self, folder):
        small_model(self.tokenizer).save_pretrained(folder/'model')
        (folder/'model'/'README.md').unlink()
    def after(self, draw, work):
        "An attacker writes a fitting checksum."
        path = work/'model'/'config.json'
        config = readable_json(path)
        if config is not None and draw.random() < .7 and (work/'model'/'tokenizer.model').is_file() and not device(
            work/'model'/'tokenizer.model'):
            path.write_text(json.dumps(config | dict(tokenizer_sha256=sha256_file(work/'model'/'tokenizer.model'))))
    def read(self, folder):
        model = EmbeddingModel.from_pretrained(folder)
        assert model.encode(HARD, on_truncate='ignore').shape == (len(HARD), model.config.embedding_dim)


class Tokenizer(Reader):
    "A SentencePiece model alone, then text through it."
    def make(self, folder): shutil.copy(self.tokenizer, folder/'tokenizer.model')
    def read(self, folder):
        tokenizer = SentencePieceTokenizer(folder/'tokenizer.model')
        rows = tokenizer.encode_batch(HARD)
        assert all(not {0, 2, 3, 4} & set(row[1:-1]) for row in rows)
        tokenizer.decode_batch(rows)
        for text in HARD: tokenizer.normalize(text)


class Checkpoint(Reader):
    "A checkpoint whose checksums fit, as only its writer, or an attacker, can make it; then one step of the optimiser."
    def make(self, folder):
        model = small_model(self.tokenizer)
        model.tokenizer = None
        optimizer = torch.optim.AdamW(model.parameters())
        sum(p.sum() for p in model.parameters()).backward()
        optimizer.step()
        save_checkpoint(model, optimizer, dict(step=4, tokens=9, loss_sum=1.5, best_loss=None, last={}), folder)
    def after(self, draw, work):
        folder = work/'checkpoints'/'step-00000004'
        sums = readable_json(folder/'checksums.json')
        if sums is None or draw.random() < .2: return
        sums.update({n: sha256_file(folder/n) for n in sums if n in os.listdir(folder) and (folder/n).is_file()
                     and not (folder/n).is_symlink()})
        (folder/'checksums.json').write_text(json.dumps(sums))
    def read(self, folder):
        found, state = newest_checkpoint(folder, lambda line: None)
        check_state(state, dict(step=0, tokens=0, loss_sum=0., best_loss=None, last={}), 10, found)
        model = EmbeddingModel.from_pretrained(found)
        optimizer = torch.optim.AdamW(model.parameters())
        optimizer.load_state_dict(read_optimizer(found, optimizer))
        sum(p.sum() for p in model.parameters()).backward()
        optimizer.step()


class Shards(Reader):
    "Token shards, then every row of them in batches."
    def make(self, folder):
        build_shards(iter(sentences(60)), SentencePieceTokenizer(self.tokenizer), folder/'shards', source='toy')
    def read(self, folder):
        shards = TokenShards(folder/'shards')
        for rows in BatchPlan(shards.lengths, 16, 12).batches(0):
            ids, _ = make_batch(shards, rows, 12)
            assert 0 <= int(ids.min()) and int(ids.max()) < 200 or shards.header['vocab_size'] != 200


class Run(Reader):
    "What a run has written about itself: config.json and metrics.jsonl."
    def make(self, folder):
        (folder/'config.json').write_text(json.dumps(dict(objective='mlm', model=dict(hidden_dim=16),
                                                          training=dict(learning_rate=1e-3, seed=1), data=dict(n=3))))
        (folder/'metrics.jsonl').write_text(''.join(json.dumps(dict(event='train', step=i, loss_nats=1/(i + 1))) + '\n'
                                                    for i in range(9)))
    def read(self, folder):
        same_settings(folder/'config.json',
                      dict(objective='mlm', model=dict(hidden_dim=16), training=dict(learning_rate=1e-3, seed=1),
                           data=dict(n=3)))
        if (folder/'metrics.jsonl').is_file(): read_metrics(folder/'metrics.jsonl')


class Pairs(Reader):
    "Pair files: TSV, JSON lines, compressed, plain text with neighbours."
    def make(self, folder):
        some = [(s, s.split(' number')[0]) for s in sentences(20)]
        (folder/'a.tsv').write_text(''.join(f'{a}\t{b}\n' for a, b in some))
        (folder/'b.jsonl').write_text(''.join(json.dumps(dict(anchor=a, positive=b)) + '\n' for a, b in some))
        (folder/'c.jsonl').write_text(''.join(json.dumps([a, b, f'no {a}']) + '\n' for a, b in some))
        (folder/'d.tsv.gz').write_bytes(gzip.compress(''.join(f'{a}\t{b}\n' for a, b in some).encode()))
        (folder/'e.txt').write_text('\n'.join(f'{a} The end. {b}' for a, b in some))
    def case(self, number):
        self.chosen = random.Random(number).choice(self.files())
        draw = random.Random(number)
        restore(self.original, self.work)
        damage(draw, self.work/draw.choice(self.files()))
        self.read(self.work, self.chosen)
    def read(self, folder, only=None):
        for name in [only] if only else self.files():
            path = folder/name
            if device(path): continue  # whoever names a device as his input means it
            for source in ['auto'] if path.suffix != '.txt' else ['adjacent', 'dropout']:
                for pair in load_pairs(path, source):
                    assert 2 <= len(pair) <= 3 and all(isinstance(t, str) for t in pair)


class Evaluation(Pairs):
    "Evaluation files: similarity, retrieval, pairs, labels."
    def make(self, folder):
        texts = sentences(12)
        (folder/'sts.tsv').write_text(''.join(f'{i/2}\t{a}\t{b}\n' for i, (a, b) in enumerate(zip(texts, texts[::-1]))))
        (folder/'pairs.tsv.gz').write_bytes(gzip.compress(''.join(f'{t}\t{t[:20]}\n' for t in texts).encode()))
        (folder/'labelled.tsv').write_text(''.join(f'{i % 3}\t{t}\n' for i, t in enumerate(texts)))
        (folder/'corpus.tsv').write_text(''.join(f'd{i}\t{t}\n' for i, t in enumerate(texts)))
        (folder/'queries.tsv').write_text(''.join(f'q{i}\t{t[:20]}\n' for i, t in enumerate(texts)))
        (folder/'qrels.tsv').write_text(''.join(f'q{i}\td{i}\t{1 + i % 2}\n' for i in range(12)))
    def read(self, folder, only=None):
        for name in [only] if only else self.files():
            path = folder/name
            if any(map(device, folder.iterdir())): continue
            if path.name == 'sts.tsv': read_sts(path)
            elif path.name == 'labelled.tsv': read_labelled(path)
            elif path.name == 'pairs.tsv.gz': read_evaluation_pairs(path)
            else: read_retrieval(folder)


READERS = dict(model=Model, tokenizer=Tokenizer, checkpoint=Checkpoint, shards=Shards, run=Run, pairs=Pairs,
               evaluation=Evaluation)


def too_long(*_): raise TimeoutError('this case hangs')


def main(names, folder, first, last):
    tokenizer = Path(folder)/'tokenizer.model'
    torch.set_num_threads(1)
    for name in names.split(','):
        reader, done = READERS[name](Path(folder)/name, tokenizer), dict(read=0, refused=0)
        reader.prepare()
        # what asks for more memory gets a MemoryError
        if sys.platform == 'linux': resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
        signal.signal(signal.SIGALRM, too_long)
        for number in range(first, last):
            print(name, number, flush=True)
            signal.alarm(SECONDS)
            try:
                reader.case(number)
                done['read'] += 1
            except InputError as e:
                done['refused'] += 1
                assert str(e).strip() and len(str(e)) < 4000
            except BaseException:
                signal.alarm(0)
                traceback.print_exc()
                sys.exit(f'{name}, case {number}')
            signal.alarm(0)
        print('done', name, json.dumps(done), flush=True)


if __name__ == '__main__': main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
