"""What the real clients get from rt_serve. Needs `openai langchain-openai llama-index-embeddings-openai-like` and curl,
in an environment of their own if you like; start `rt_serve --model bag=FOLDER` first, then

    python benchmarks/serve_clients.py http://127.0.0.1:8000/v1 bag
"""
import asyncio
import json
import math
import shutil
import subprocess
import sys

import openai

TEXTS = ['the cat', 'a dog follows', 'seven books']


def close(a, b): return all(math.dist(x, y) < 1e-5 for x, y in zip(a, b, strict=True))


def from_openai(url, model):
    how = dict(base_url=url, api_key='none', max_retries=0)
    client = openai.OpenAI(**how)
    found = [[d.embedding for d in client.embeddings.create(model=model, input=TEXTS, **more).data]
             for more in ({}, dict(encoding_format='float'))]
    assert close(*found)
    async def many():
        async with openai.AsyncOpenAI(**how) as c:
            return await asyncio.gather(*(c.embeddings.create(model=model, input=t) for t in TEXTS))
    assert close([r.data[0].embedding for r in asyncio.run(many())], found[0])
    return found[0]


def bytes_as_tokens():
    "Without a network there is no cl100k: an encoding of bytes takes its place, whose ids are as foreign."
    import tiktoken
    made = tiktoken.Encoding('bytes', pat_str=r'[\s\S]', mergeable_ranks={bytes([i]): i for i in range(256)},
                             special_tokens={})
    tiktoken.get_encoding = tiktoken.encoding_for_model = lambda name: made


def from_langchain(url, model, want):
    from langchain_openai import OpenAIEmbeddings
    how = dict(base_url=url, api_key='none', model=model, max_retries=0)
    texts = OpenAIEmbeddings(**how, check_embedding_ctx_length=False)
    assert close(texts.embed_documents(TEXTS), want) and close([texts.embed_query(TEXTS[0])], want[:1])
    bytes_as_tokens()
    try: OpenAIEmbeddings(**how).embed_documents(TEXTS)
    except openai.BadRequestError as e: return str(e)[:170]
    raise AssertionError('ids of a foreign vocabulary were embedded')


def from_llama_index(url, model, want):
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding
    m = OpenAILikeEmbedding(model_name=model, api_base=url, api_key='none', max_retries=0)
    assert close(m.get_text_embedding_batch(TEXTS), want) and close([m.get_query_embedding(TEXTS[0])], want[:1])
    assert close(asyncio.run(m.aget_text_embedding_batch(TEXTS)), want)


def from_curl(url, model, want):
    body = json.dumps(dict(model=model, input=TEXTS))
    line = ['curl', '-sS', '-H', 'Content-Type: application/json', '-d', body, f'{url}/embeddings']
    found = json.loads(subprocess.run(line, capture_output=True, check=True).stdout)
    assert close([d['embedding'] for d in found['data']], want)


if __name__ == '__main__':
    url, model = sys.argv[1:]
    want = from_openai(url, model)
    print('openai', openai.__version__, 'sync, async, base64, float: right')
    print('langchain-openai with texts: right; with ids, its default:', from_langchain(url, model, want))
    from_llama_index(url, model, want)
    print('llama-index openai-like, sync and async: right')
    if shutil.which('curl'): print('curl: right', from_curl(url, model, want) or '')
