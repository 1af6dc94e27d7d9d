"rt_mcp as agents see it: the official client over both transports, hostile arguments, a clean standard output."
import asyncio
import http.client
import json
import os
import re
import subprocess
import sys

import pytest

from helpers import ENV, python_line, refused, start
from rt_embedding.doors import enter

mcp = pytest.importorskip('mcp')
PLAIN = {k: v for k, v in ENV.items() if k not in ('RT_SERVE_KEY', 'XDG_CACHE_HOME')}
KEY = 'a-key-of-more-than-sixteen-characters'


@pytest.fixture(scope='module')
def index(tmp_path_factory):
    "An index of notes with a bag as its model, made by rt_search's own update."
    import torch

    from rt_embedding import EmbeddingModel, SentencePieceTokenizer
    from rt_embedding.mcp_server import open_folder
    from rt_embedding.static import fold
    from rt_embedding.testing import tiny_texts, tiny_tokenizer
    folder = tmp_path_factory.mktemp('mcp')
    tokenizer = SentencePieceTokenizer(tiny_tokenizer(path=folder/'tiny.model'))
    torch.manual_seed(0)
    fold(EmbeddingModel(len(tokenizer), embedding_dim=32, hidden_dim=32, n_layers=0, n_heads=2, context_window=32,
                        is_masked_language=False, tokenizer=tokenizer).eval()).save(folder/'table')
    (folder/'notes'/'deep').mkdir(parents=True)
    texts = tiny_texts(60)
    for i, name in enumerate(('a.txt', 'b.txt', 'deep/c.txt')):
        (folder/'notes'/name).write_text('\n\n'.join(texts[20*i:20*i + 20]), encoding='utf-8')
    (folder/'secret.txt').write_text('nobody indexed this')
    open_folder(folder/'index', folder/'table', [str(folder/'notes')])
    return folder/'index'


def talk(transport, *calls):
    "The results of (tool, arguments) or of the address of a resource, an error of the protocol as its exception."
    async def work():
        results = []
        async with mcp.Client(transport) as client:
            listed = await client.list_tools()
            for call in calls:
                try: results.append(await (client.read_resource(call) if isinstance(call, str)
                                           else client.call_tool(*call)))
                except mcp.MCPError as e: results.append(e)
        return {t.name: t for t in listed.tools}, results
    return asyncio.run(work())


def by_stdio(index):
    from mcp.client.stdio import StdioServerParameters
    return StdioServerParameters(command=sys.executable, args=['-c', python_line('rt_mcp'), '--index', str(index)],
                                 env=PLAIN)


HOSTILE = [
    ('search', dict(question='x', k=0)), ('search', dict(question='x', k=10**9)), ('search', dict(question='  ')),
    ('search', {}), ('search', dict(question=None)), ('search', dict(question=['x'])),
    ('search', dict(question='x', limit=3)), ('search', dict(question='x'*10_000)),
    ('search', dict(question='x', only=['../secret.txt'])), ('search', dict(question='x', only='/etc')),
    ('search', dict(question='x', only=[''])), ('search', dict(question='x', only=[{}])),
    ('read', {}), ('read', dict(id='000000-0')), ('read', dict(id='-1')), ('read', dict(id='x\ny\u202e')),
    ('read', dict(file='../secret.txt')), ('read', dict(file='/etc/passwd')), ('read', dict(file='notes')),
    ('read', dict(file='a.txt\0')), ('read', dict(file='a.txt', before=-1)), ('read', dict(file='a.txt', after=10**6)),
    ('read', dict(file='a.txt', line=-1)), ('read', dict(file='~nobody_has_this_name/x')),
    ('similar', {}), ('similar', dict(name='nothing')), ('similar', dict(id='x', name='y')),
    ('similar', dict(id='zzzzzz-0'))]


def test_the_official_client_on_standard_input_and_output(index):
    tools, (found, part, contents, *wrong) = talk(
        by_stdio(index), ('search', dict(question='the garden in the rain', k=3)),
        ('search', dict(question='the garden in the rain', k=50, only=['deep'])), 'index://contents', *HOSTILE,
        ('remove', {}), 'index://../secret.txt', 'file:///etc/passwd')
    assert set(tools) == {'search', 'read', 'similar'}
    for tool in tools.values():
        assert tool.input_schema['type'] == tool.output_schema['type'] == 'object' and tool.description
        assert tool.annotations.read_only_hint
    found = found.structured_content
    assert len(found['passages']) == 3 and found['compared'] == 60
    assert all(p['text'] and p['line'] and p['file'].endswith('.txt') for p in found['passages'])
    part = part.structured_content
    assert part['compared'] == 20 and {os.path.basename(p['file']) for p in part['passages']} == {'c.txt'}
    assert list(json.loads(contents.contents[0].text)['contents'].values()) == [20, 20, 20]
    for call, result in zip(HOSTILE, wrong):
        assert result.is_error, call
        text, = (c.text for c in result.content)
        assert text.isprintable() and len(text) < 400, (call, text)
        assert not any(words in text for words in ('Traceback', 'its log', 'nobody indexed this')), (call, text)
    for error in wrong[len(HOSTILE):]:
        assert isinstance(error, mcp.MCPError) and error.code == -32602 and '\n' not in error.message


def test_read_and_similar_go_on_from_an_answer(index):
    from rt_embedding.mcp_server import make_server, open_library
    server = make_server(open_library(index))
    _, (found,) = talk(server, ('search', dict(question='the garden in the rain', k=1)))
    first = found.structured_content['passages'][0]
    _, (reading, alike) = talk(server, ('read', dict(id=first['id'], before=20, after=20)),
                               ('similar', dict(id=first['id'], k=50)))
    reading, alike = reading.structured_content, alike.structured_content
    assert first['id'] in [p['id'] for p in reading['passages']]
    assert len(reading['passages']) + reading['more_before'] + reading['more_after'] == 20
    assert len({p['file'] for p in reading['passages']}) == 1
    lines = [p['line'] for p in reading['passages']]
    assert lines == sorted(lines)
    assert first['id'] not in [p['id'] for p in alike['passages']] and len(alike['passages']) == 50
    scores = [p['score'] for p in alike['passages']]
    assert scores == sorted(scores, reverse=True)


def request(port, headers=None, body=None):
    "The status of one HTTP request."
    hello = dict(jsonrpc='2.0', id=1, method='initialize', params=dict(
        protocolVersion='2025-06-18', capabilities={}, clientInfo=dict(name='test', version='1')))
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    connection.request('POST', '/mcp', json.dumps(hello) if body is None else body, {
        'Content-Type': 'application/json', 'Accept': 'application/json, text/event-stream'} | (headers or {}))
    answer = connection.getresponse()
    text = answer.read().decode()
    assert 'Traceback' not in text
    return answer.status


@pytest.fixture
def web(index, request):
    "A server over HTTP: (port, key)."
    key = getattr(request, 'param', None)
    env = PLAIN | (dict(RT_SERVE_KEY=key) if key else {})
    process = start('rt_mcp', '--index', index, '--http', '--port', 0, env=env)
    yield int(re.search(r':(\d+)/mcp', process.stderr.readline())[1])
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and out == '' and 'Traceback' not in err


def test_over_http_this_machine_and_this_site_only(index, web):
    _, (found,) = talk(f'http://127.0.0.1:{web}/mcp', ('search', dict(question='the garden', k=2)))
    _, (same,) = talk(by_stdio(index), ('search', dict(question='the garden', k=2)))
    assert found.structured_content == same.structured_content
    assert request(web) == 200 and request(web, {'Origin': f'http://localhost:{web}'}) == 200
    assert request(web, {'Origin': 'https://evil.example'}) == request(web, {'Origin': 'null'}) == 403
    assert request(web, {'Origin': 'http://localhost:1'}) == 403
    assert request(web, {'Host': 'evil.example'}) == request(web, {'Host': '127.0.0.1.evil.example'}) == 403
    assert 400 <= request(web, body='{') < 500 and request(web, body='x'*(2 << 20)) == 413


@pytest.mark.parametrize('web', [KEY], indirect=True)
def test_a_key_is_needed_where_one_is_set(web):
    assert request(web) == request(web, {'Authorization': 'Bearer wrong'}) == 401
    assert request(web, {'Authorization': KEY}) == request(web, {'Authorization': f'Bearer {KEY}x'}) == 401
    assert request(web, {'Authorization': f'Bearer {KEY}'}) == 200


def test_only_the_protocol_on_standard_output(index):
    "Every line is JSON-RPC, whatever Python, C code or a child process prints; what is no message is answered."
    noisy = ('import os, sys; from rt_embedding import mcp_server as m; real = m.Library.answer\n'
             'def answer(self, *args):\n'
             '    print("a stray print"); os.write(1, b"a stray byte\\n"); os.system("echo a stray child")\n'
             '    m.logger.info("a stray log"); return real(self, *args)\n'
             'm.Library.answer = answer; sys.argv[0] = "rt_mcp"; sys.exit(m.rt_mcp())')
    hello = dict(jsonrpc='2.0', id=1, method='initialize', params=dict(
        protocolVersion='2025-06-18', capabilities={}, clientInfo=dict(name='test', version='1')))
    call = dict(jsonrpc='2.0', id=2, method='tools/call', params=dict(name='search', arguments=dict(question='a')))
    p = subprocess.Popen([sys.executable, '-c', noisy, '--index', str(index)], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=PLAIN)
    lines = []
    for sent in (json.dumps(hello), json.dumps(dict(jsonrpc='2.0', method='notifications/initialized')), 'no json',
                 json.dumps(call)):
        p.stdin.write(sent + '\n')
        p.stdin.flush()
        wanted = sent[:1] == '{' and json.loads(sent).get('id')
        while wanted and json.loads((lines.append(p.stdout.readline()), lines[-1])[1]).get('id') != wanted: pass
    out, err = p.communicate(timeout=60)
    assert p.returncode == 0
    for line in [*lines, *out.splitlines()]: assert json.loads(line)['jsonrpc'] == '2.0'
    assert all(f'a stray {what}' in err for what in ('print', 'byte', 'child', 'log')) and 'Traceback' not in err


def test_bad_flags_are_refused_in_one_line(index, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv('RT_SERVE_KEY', raising=False)
    monkeypatch.setattr('rt_embedding.mcp_server.packaged_models', lambda: [])
    for flags, words in ((['--index', tmp_path/'none'], 'rt_quickstart'), (['--index', ''], 'empty'),
                         (['--index', index, '--model', tmp_path], 'holds no model'),
                         (['--http', '--host', '0.0.0.0', '--index', index], '--key_file'),
                         (['--host', '0.0.0.0', '--index', index], '--http'),
                         (['--key_file', 'k', '--index', index], '--http'),
                         (['--http', '--port', 99999, '--index', index], 'port'), (['--update'], '--index')):
        code = enter('rt_mcp', [str(f) for f in flags])
        assert refused((code, *capsys.readouterr()), words)
