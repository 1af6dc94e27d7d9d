"rt_serve as its clients meet it: a socket, 32 clients, an end under load, the official client, no PyTorch for a bag."
import asyncio
import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest

from helpers import ENV, ended, refused, start, wait_until
from rt_embedding import EmbeddingModel, SentencePieceTokenizer

pytest.importorskip('uvicorn')
pytest.importorskip('starlette')
TEXTS = ['the cat', 'a dog follows', 'the quiet river crosses the garden', 'seven books']


@pytest.fixture(scope='module')
def models(tokenizer, tmp_path_factory):
    "A bag and a transformer, saved."
    folder = tmp_path_factory.mktemp('models')
    for name, n_layers in (('bag', 0), ('blocks', 1)):
        m = EmbeddingModel(200, 16, hidden_dim=32, n_layers=n_layers, n_heads=2, context_window=32,
                           is_masked_language=False, tokenizer=SentencePieceTokenizer(tokenizer))
        m.save_pretrained(folder/name)
    return folder


def opened(*flags, **kw):
    "A server in a process of its own, and its port."
    p = start('rt_serve', '--port', 0, *flags, **kw)
    line = p.stdout.readline()
    found = re.match(r'http://127\.0\.0\.1:(\d+)/v1 is open', line)
    assert found, (line, p.stderr.read() if p.poll() is not None else '')
    return p, int(found[1])


def closed(p, how=signal.SIGTERM):
    "End a server; what it says about the number of its answers."
    p.send_signal(how)
    code, out, err = ended(p, timeout=60)
    assert code == 0 and not err, (code, out, err)
    return int(re.search(r'([\d,]+) requests? answered', out)[1].replace(',', ''))


def ask(port, content=None, path='/v1/embeddings', **headers):
    "Status and content of one answer, over a connection of its own."
    c = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    try:
        body = None if content is None else content if isinstance(content, bytes) else json.dumps(content)
        c.request('GET' if content is None else 'POST', path, body, {'Connection': 'close', **headers})
        r = c.getresponse()
        return r.status, json.loads(r.read())
    finally: c.close()


def vectors_of(found): return np.array([np.frombuffer(base64.b64decode(d['embedding']), '<f4') for d in found['data']])


def test_32_clients_and_an_end_under_load(models):
    p, port = opened('--model', models/'bag', f"slow={models/'blocks'}")
    want = {name: EmbeddingModel.from_pretrained(models/folder).encode(TEXTS)
            for name, folder in (('bag', 'bag'), ('slow', 'blocks'))}
    counts, wrong, ending = Counter(), [], threading.Event()
    def client(number):
        name = ('bag', 'slow')[number % 2]
        while True:
            try: status, found = ask(port, dict(model=name, input=TEXTS, encoding_format='base64'))
            except (ConnectionRefusedError, ConnectionResetError, http.client.RemoteDisconnected): status = 'no answer'
            except Exception as e: return wrong.append(repr(e))      # an answer that breaks off
            counts[status] += 1
            if status == 'no answer': return None if ending.is_set() else wrong.append('no answer before the end')
            if status == 200 and not np.allclose(vectors_of(found), want[name], atol=1e-5): wrong.append('vectors')
            if status not in (200, 503): wrong.append(status)
    threads = [threading.Thread(target=client, args=(i,), daemon=True) for i in range(32)]
    for t in threads: t.start()
    wait_until(lambda: counts[200] > 200, p)
    health = ask(port, path='/health')[1]['models']
    assert sum(m['batches'] for m in health.values()) < sum(m['requests'] for m in health.values())  # computed together
    ending.set()
    answered = closed(p)
    for t in threads: t.join(60)
    assert not wrong, wrong[:5]
    assert answered == counts[200] + counts[503] + 1, (answered, counts)      # and one for /health: no answer was lost


def test_bad_requests_over_a_real_socket_leave_no_trace(models, tmp_path):
    key = tmp_path/'key'
    key.write_text('correct-horse-battery\n')
    p, port = opened('--model', models/'bag', '--key_file', key)
    evil, good = '\x1b[31m\u202eevil', dict(model='bag', input='a cat')
    right = dict(Authorization='Bearer correct-horse-battery')
    assert ask(port, good)[0] == ask(port, good, Authorization='Bearer correct-horse-batterx')[0] == 401
    assert ask(port, good, **right)[0] == ask(port, path='/health')[0] == 200
    here = '/v1/embeddings'
    for content, path, status in ((dict(good, model=evil), here, 404), (b'\x1b[31m{', here, 400),
                                  (good, '/%1b[31m', 404), (dict(good, input=[evil, 5]), here, 400)):
        got, said = ask(port, content, path, **right)
        assert got == status and set(said['error']) == {'message', 'type', 'param', 'code'}
    with socket.create_connection(('127.0.0.1', port)) as c:
        c.sendall(b'\x1b[31m evil\r\n\r\n')
        assert c.recv(1000).startswith(b'HTTP/1.1 400')
    closed(p, signal.SIGINT)                                                  # which asserts that nothing was logged


def test_flags_that_cannot_be(models, tmp_path, capsys):
    from rt_embedding.serve import rt_serve
    def told(*flags):
        code = rt_serve([*map(str, flags)])
        out, err = capsys.readouterr()
        return code, out, err
    refused(told('--model', models/'bag', '--host', '0.0.0.0'), 'need a key')
    refused(told('--port', 0, '--model', models/'bag', tmp_path/'none'), 'none')
    refused(told('--port', 0, '--model', models/'bag', models/'bag'), 'two models are named bag')
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        refused(told('--model', models/'bag', '--port', s.getsockname()[1]), 'cannot be used')


def test_a_bag_is_served_without_pytorch(models):
    code = f"""
import asyncio, json, sys
from rt_embedding.serve import open_models, serve_app
from rt_embedding.server import ask_app
app = serve_app(open_models({str(models/'bag')!r}), ['127.0.0.1:8000'])
body = json.dumps(dict(model='bag', input=['a cat', 'a dog'])).encode()
status, _, found = asyncio.run(ask_app(app, '/v1/embeddings', body))
assert status == 200 and len(json.loads(found)['data']) == 2 and 'torch' not in sys.modules, status"""
    done = subprocess.run([sys.executable, '-c', code], env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_official_client(models):
    openai = pytest.importorskip('openai')
    p, port = opened('--model', models/'bag')
    how = dict(base_url=f'http://127.0.0.1:{port}/v1', api_key='none', max_retries=0)
    want = EmbeddingModel.from_pretrained(models/'bag').encode(TEXTS)
    with openai.OpenAI(**how) as client:
        for more in ({}, dict(encoding_format='float'), dict(dimensions=16)):
            found = client.embeddings.create(model='bag', input=TEXTS, **more)
            np.testing.assert_allclose([d.embedding for d in found.data], want, atol=1e-5)
        assert found.usage.total_tokens > len(TEXTS)*3
        assert [m.id for m in client.models.list()] == ['bag']
        with pytest.raises(openai.NotFoundError, match='served here: bag'):
            client.embeddings.create(model='text-embedding-3-small', input='a cat')
        with pytest.raises(openai.BadRequestError, match='check_embedding_ctx_length'):
            client.embeddings.create(model='bag', input=[[2, 3], [4]])
    async def many():
        async with openai.AsyncOpenAI(**how) as client:
            return await asyncio.gather(*(client.embeddings.create(model='bag', input=t) for t in TEXTS*4))
    for i, found in enumerate(asyncio.run(many())):
        np.testing.assert_allclose(found.data[0].embedding, want[i % 4], atol=1e-5)
    assert closed(p) == 3 + 1 + 2 + 16
