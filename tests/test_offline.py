"No network, ever; and nothing at all happens when the package is imported."
import subprocess
import sys

from helpers import ENV, sentences

IMPORTING = """
import importlib, os, pkgutil, sys
# what others do is theirs
import fastcore.script, fastcore.basics, filelock, jinja2, loguru, numpy, safetensors.torch, sentencepiece
import torch, torch._dynamo, tqdm, wcwidth
import concurrent.futures.thread, glob, gzip, html.parser, http.server, lzma, multiprocessing, sqlite3
import tarfile, unicodedata, urllib.request, uuid, webbrowser, zipfile
seen, home = [], os.path.dirname(importlib.util.find_spec('rt_embedding').origin)
WATCHED = 'socket', 'subprocess', 'shutil', 'tempfile', 'urllib', 'http', 'ctypes', 'os'
def hook(event, args):
    if event == 'open':
        path, mode, flags = args
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        is_module = isinstance(path, str) and path.endswith(('.py', '.pyc'))
        if writes or not is_module: seen.append((event, str(args)))
    elif event.split('.')[0] in WATCHED and event not in ('os.listdir', 'os.scandir'): seen.append((event, str(args)))
sys.addaudithook(hook)
import rt_embedding
# `st` is a part of sentence-transformers, and imports it
names = [m.name for m in pkgutil.iter_modules([home]) if m.name != 'st']
for name in names: importlib.import_module(f'rt_embedding.{name}')
for s in seen: print(*s)
assert not seen
print(len(names), 'modules')
"""


def test_importing_touches_neither_network_nor_disk():
    """Every module of the package, with an audit hook that sees each file, socket and process that Python opens.
    Reading the modules themselves is what importing is."""
    r = subprocess.run([sys.executable, '-c', IMPORTING], capture_output=True, text=True,
                       env={**ENV, 'PYTHONDONTWRITEBYTECODE': '1'}, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr
    assert int(r.stdout.split()[-2]) > 20


ROAD = """
import sys
from pathlib import Path
def hook(event, args):
    if event.startswith('socket.') and event not in ('socket.gethostname',):
        raise SystemExit(f'the network was asked for: {event} {args}')
sys.addaudithook(hook)
import socket
try: socket.create_connection(('127.0.0.1', 9))
except SystemExit: pass                                   # the hook bites
else: raise AssertionError
import numpy as np
from rt_embedding import EmbeddingModel, SentencePieceTokenizer, train_tokenizer
from rt_embedding.mlm import train_mlm
from rt_embedding.search import SemanticIndex
home, corpus = Path(sys.argv[1]), Path(sys.argv[2])
train_tokenizer([corpus], home/'t', vocab_size=200)
assert SentencePieceTokenizer(home/'t.model').encode('the cat')
train_mlm(home/'t.model', [corpus], home/'run', max_steps=4, preset='tiny', hidden_dim=32, n_layers=1, n_heads=2,
          embedding_dim=16, device='cpu')
model = EmbeddingModel.from_pretrained(home/'run')
texts = corpus.read_text().splitlines()[:50]
index = SemanticIndex.build(model, texts)
hits = index.search(texts[3], 3)
index.save(home/'index')
model.save_pretrained(home/'model')
again = EmbeddingModel.from_pretrained(home/'model')
np.testing.assert_array_equal(again.encode(texts), model.encode(texts))
assert SemanticIndex.load(home/'index', again).search(texts[3], 3) == hits and hits[0].entry['text'] == texts[3]
print('done')
"""


def test_the_whole_road_without_a_network(tmp_path):
    "Tokenise, train, encode, search, save, load, with every socket forbidden."
    (tmp_path/'corpus.txt').write_text('\n'.join(sentences(300)) + '\n', encoding='utf-8')
    r = subprocess.run([sys.executable, '-c', ROAD, str(tmp_path), str(tmp_path/'corpus.txt')], capture_output=True,
                       text=True, env=ENV, timeout=300)
    assert r.returncode == 0 and r.stdout.endswith('done\n'), r.stdout + r.stderr
