"""What a question of a coding agent costs: the index itself beside `rt_mcp` on standard input and output and over HTTP.

    python benchmarks/mcp_search.py --index FOLDER --output benchmarks/mcp_search.json
    python benchmarks/mcp_search.py --texts FILE    an index of its first 30,000 lines and of an untrained bag, 256 wide

The ways take turns; medians and quartiles in milliseconds. Each start is a new process: seconds from its beginning to
its first answer. The client is that of the official package, which checks each answer against the schema of the tool;
that is part of the figures."""
import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from rt_embedding.mcp_server import open_library

HERE = Path(__file__).resolve().parent.parent
COMMAND = ['-c', 'from rt_embedding.doors import open_rt_mcp; raise SystemExit(open_rt_mcp())']
ENV = {name: os.environ[name] for name in os.environ if name.endswith('_THREADS')} | {'PYTHONPATH': str(HERE)}


def build(file, folder, n):
    "An index of n lines in a folder, with an untrained bag as its model."
    import torch

    from rt_embedding import EmbeddingModel, SentencePieceTokenizer, train_tokenizer
    from rt_embedding.mcp_server import open_folder
    from rt_embedding.static import fold
    lines = Path(file).read_text(encoding='utf-8').splitlines()[:n]
    (folder/'texts.txt').write_text('\n\n'.join(lines), encoding='utf-8')
    tokenizer = SentencePieceTokenizer(train_tokenizer(input=[folder/'texts.txt'], output=folder/'tokenizer',
                                                       vocab_size=8000))
    torch.manual_seed(0)
    fold(EmbeddingModel(len(tokenizer), embedding_dim=256, hidden_dim=256, n_layers=0, n_heads=4, context_window=128,
                        is_masked_language=False, tokenizer=tokenizer).eval()).save(folder/'table')
    open_folder(folder/'index', folder/'table', [str(folder/'texts.txt')])
    return folder/'index'


def question(i): return dict(question=f'who wrote novel number {i} about the sea', k=10)


async def measure(index, rounds, starts):
    library, started = open_library(index), []
    stdio = StdioServerParameters(command=sys.executable, args=[*COMMAND, '--index', str(index)], env=ENV)
    for i in range(starts):
        begin = time.perf_counter()
        async with Client(stdio) as client: await client.call_tool('search', question(i))
        started.append(time.perf_counter() - begin)
    web = subprocess.Popen([sys.executable, *COMMAND, '--index', str(index), '--http', '--port', '0'],
                           stderr=subprocess.PIPE, text=True, env=os.environ | ENV)
    address = web.stderr.readline().split()[0]
    try:
        async with Client(stdio) as by_stdio, Client(address) as by_http:
            async def alone(i): library.answer('search', question(i))
            ways = {'index': alone, 'stdio': lambda i: by_stdio.call_tool('search', question(i)),
                    'http': lambda i: by_http.call_tool('search', question(i))}
            times = {name: [] for name in ways}
            for i in range(-3, rounds):
                for name, ask in ways.items():
                    begin = time.perf_counter()
                    await ask(i)
                    if i >= 0: times[name].append(1000*(time.perf_counter() - begin))
    finally: web.terminate()
    shape = library.current().index.vectors.shape
    return dict(passages=shape[0], embedding_dim=shape[1], search_ms={n: quartiles(t) for n, t in times.items()},
                start_s=quartiles(started))


def quartiles(values): return [round(float(q), 2) for q in np.quantile(values, [.5, .25, .75])]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--index', help='folder of an index')
    parser.add_argument('--texts', help='file with one text a line, if there is no index')
    parser.add_argument('--n', type=int, default=30_000)
    parser.add_argument('--rounds', type=int, default=200)
    parser.add_argument('--starts', type=int, default=5)
    parser.add_argument('--output', help='JSON file')
    args = parser.parse_args()
    if not (args.index or args.texts): parser.error('give --index or --texts')
    with tempfile.TemporaryDirectory() as folder:
        index = Path(args.index).absolute() if args.index else build(args.texts, Path(folder), args.n)
        found = asyncio.run(measure(index, args.rounds, args.starts))
    found |= dict(mcp=version('mcp'), python=platform.python_version(), cores=os.cpu_count())
    print(json.dumps(found, indent=1))
    if args.output: Path(args.output).write_text(json.dumps(found, indent=1) + '\n', encoding='utf-8')
