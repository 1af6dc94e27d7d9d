"""rt_serve under load, in turns: our server, the same one request by request, and `encode` of all texts at once.

    python benchmarks/serve.py --output benchmarks/serve.json               # a few minutes
    python benchmarks/serve.py --seconds 10 --soak 60 --rounds 5 --output benchmarks/serve.json

Every server is a process of its own, all are started before the first turn; the clients share one more process, keep
their connections open and ask for base64. Models are untrained: speed does not depend on what they know. Rates are
inputs a second; medians over the rounds, with all rounds kept. `StaticEmbedding` of sentence-transformers runs behind
our server, too, with the table of our bag and a vocabulary of words in the place of subwords, which favours it."""
import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

WORDS = ['river', 'garden', 'letter', 'engine', 'winter', 'paper', 'music', 'table', 'window', 'stone', 'market',
         'ship', 'opens', 'carries', 'follows', 'paints', 'crosses', 'finds', 'the', 'a', 'old', 'quiet', 'red']


def sentences(n, seed=0):
    rng = random.Random(seed)
    return [' '.join(rng.choices(WORDS, k=rng.randint(6, 14))) for _ in range(n)]


def make_models(folder):
    "A transformer of default size and a bag, saved."
    from rt_embedding import EmbeddingModel, SentencePieceTokenizer
    from rt_embedding.testing import tiny_tokenizer
    tokenizer = SentencePieceTokenizer(tiny_tokenizer(400, sentences(2000), folder/'t.model'))
    how = dict(is_masked_language=False, tokenizer=tokenizer)
    EmbeddingModel(len(tokenizer), **how).save_pretrained(folder/'transformer')
    EmbeddingModel(len(tokenizer), n_layers=0, **how).save_pretrained(folder/'bag')


def run_server(kind, path, pipe):
    "One server: 'ours', 'one' (request by request) or 'static' (sentence-transformers)."
    from rt_embedding.light import open_encoder
    from rt_embedding.serve import ServedModel, inputs_of, serve_app
    from rt_embedding.server import WebServer, bound_socket, names_of
    class Static(ServedModel):
        async def rows_of(self, asked): return inputs_of(asked)[1]
        def check_lengths(self, rows): return 0
    encoder = open_encoder(path)
    model = (Static if kind == 'static' else ServedModel)('m', encoder, **(
        dict(max_batch=1, max_wait=0) if kind == 'one' else {}))
    if kind == 'static':
        from sentence_transformers.models import StaticEmbedding
        from tokenizers import Tokenizer, models, pre_tokenizers
        tokenizer = Tokenizer(models.WordLevel({'[UNK]': 0} | {w: i for i, w in enumerate(WORDS, 1)}, '[UNK]'))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        table = np.random.default_rng(0).normal(size=(len(WORDS) + 1, model.width)).astype(np.float32)
        from sentence_transformers import SentenceTransformer
        st = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=table)], device='cpu')
        model.batcher.compute = lambda texts: st.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    bound = bound_socket(port=0)
    pipe.send(bound.getsockname()[1])
    WebServer(serve_app([model], names_of(bound)), bound).run()


async def client(port, bodies, end, took):
    "Ask again and again over one connection; latencies in seconds."
    reader, writer = await asyncio.open_connection('127.0.0.1', port, limit=1 << 24)
    head = f'POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: '
    while (start := time.perf_counter()) < end:
        body = next(bodies)
        writer.write(head.encode() + str(len(body)).encode() + b'\r\n\r\n' + body)
        found = await reader.readuntil(b'\r\n\r\n')
        size = next(int(x.split(b':')[1]) for x in found.lower().split(b'\r\n') if x.startswith(b'content-length'))
        await reader.readexactly(size)
        assert b' 200 ' in found[:15], found
        took.append(time.perf_counter() - start)
    writer.close()


def load(port, clients, inputs, seconds):
    "Inputs a second and the median latency in ms, of some clients that ask for some inputs each time."
    texts = sentences(4096)
    def bodies(seed):
        rng = random.Random(seed)
        while True:
            part = rng.choices(texts, k=inputs)
            yield json.dumps(dict(model='m', input=part if inputs > 1 else part[0], encoding_format='base64')).encode()
    took = []
    async def all_of_them():
        end = time.perf_counter() + seconds
        await asyncio.gather(*(client(port, bodies(i), end, took) for i in range(clients)))
    start = time.perf_counter()
    asyncio.run(all_of_them())
    return len(took)*inputs/(time.perf_counter() - start), 1000*median(took)


def encode_rate(path, seconds, one=False):
    "Texts a second of `encode`, all at once; or the median ms of one text."
    from rt_embedding.light import open_encoder
    model, texts, took = open_encoder(path), sentences(2048), []
    model.encode(texts[:64])
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        model.encode(texts[len(took) % 2048] if one else texts)
        took.append(time.perf_counter() - start)
    return 1000*median(took) if one else len(texts)/median(took)


def in_process(function, *args):
    with multiprocessing.get_context('spawn').Pool(1) as pool: return pool.apply(function, args)


def resident(pid): return int(Path(f'/proc/{pid}/statm').read_text().split()[1])*os.sysconf('SC_PAGE_SIZE')/2**20


def soak(folder, seconds):
    "64 clients, then SIGTERM while they ask: statuses, MiB of memory after a warm-up and at the end, exit code."
    code = 'from rt_embedding.serve import rt_serve; raise SystemExit(rt_serve())'
    line = [sys.executable, '-c', code, '--port', '0', '--model', f"m={folder/'transformer'}"]
    p = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    port = int(p.stdout.readline().split('/v1')[0].rpartition(':')[2])
    load(port, 64, 1, seconds/6)
    warm = resident(p.pid)
    rate, latency = load(port, 64, 1, seconds)
    after, broken, answered = resident(p.pid), [], []
    async def until_the_end():
        async def one(i):
            took = []
            body = json.dumps(dict(model='m', input=WORDS[i % 24], encoding_format='base64')).encode()
            bodies = iter(lambda: body, 0)
            try: await client(port, bodies, time.perf_counter() + 60, took)
            except (ConnectionError, asyncio.IncompleteReadError) as e:
                if getattr(e, 'partial', b''): broken.append(repr(e))     # half an answer
            except AssertionError as e: broken.append(str(e)[:40])
            answered.append(len(took))
        asyncio.get_running_loop().call_later(1, p.send_signal, signal.SIGTERM)
        await asyncio.gather(*map(one, range(64)))
    asyncio.run(until_the_end())
    said = p.communicate(timeout=60)[0]
    return dict(rate=rate, latency_ms=latency, warm_mib=warm, after_mib=after, broken=broken, exit_code=p.returncode,
                answered_in_the_last_second=sum(answered), said=said.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, default=4, help='of each turn')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--soak', type=float, default=10, help='seconds with 64 clients before SIGTERM; 0: none')
    parser.add_argument('--output', type=Path, default='benchmarks/serve.json')
    args = parser.parse_args()
    s, context, rounds = args.seconds, multiprocessing.get_context('spawn'), []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        in_process(make_models, folder)
        kinds = dict(ours=('ours', 'transformer'), one=('one', 'transformer'), bag=('ours', 'bag'),
                     static=('static', 'bag'))
        ports, processes = {}, []
        for name, (kind, model) in kinds.items():
            here, there = context.Pipe()
            processes.append(context.Process(target=run_server, args=(kind, folder/model, there), daemon=True))
            processes[-1].start()
            ports[name] = here.recv()
            load(ports[name], 8, 1, 1)                                            # warm
        for _ in range(args.rounds):
            r = dict(batched=load(ports['ours'], 32, 1, s)[0], one_by_one=load(ports['one'], 32, 1, s)[0],
                     encode=in_process(encode_rate, folder/'transformer', s),
                     alone_ms=load(ports['ours'], 1, 1, s)[1],
                     encode_one_ms=in_process(encode_rate, folder/'transformer', s, True),
                     bag=load(ports['bag'], 32, 32, s)[0], static=load(ports['static'], 32, 32, s)[0])
            r |= dict(over_one_by_one=r['batched']/r['one_by_one'], share_of_encode=r['batched']/r['encode'],
                      above_encode_ms=r['alone_ms'] - r['encode_one_ms'], over_static=r['bag']/r['static'])
            rounds.append(r)
            print(' '.join(f'{k} {v:.2f}' for k, v in r.items()), flush=True)
        for p in processes: p.terminate()
        found = dict(machine=dict(cpus=os.cpu_count(), python=platform.python_version()), seconds=s, rounds=rounds,
                     median={k: median(r[k] for r in rounds) for k in rounds[0]})
        if args.soak: found['soak'] = soak(folder, args.soak)
    args.output.write_text(json.dumps(found, indent=1) + '\n')
    print(json.dumps({k: found[k] for k in ('median', 'soak') if k in found}, indent=1))


if __name__ == '__main__': main()
