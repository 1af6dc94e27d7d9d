"Fixtures that several test files use; plain functions are in helpers.py."
import shutil

import pytest

from helpers import run, sentences, wait_until


@pytest.fixture(scope='session')
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp('corpus')/'corpus.txt'
    path.write_text('\n'.join(sentences(400)) + '\n', encoding='utf-8')
    return path


@pytest.fixture(scope='session')
def tokenizer(corpus):
    flags = '--input', corpus, '--output', corpus.parent/'tokenizer', '--vocab_size', 200
    code, _, err = run('rt_train_tokenizer', *flags)
    assert code == 0, err
    return corpus.parent/'tokenizer.model'


CHROMIUM = [  # alone on this machine: no updates, no names that are looked up
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost']


@pytest.fixture(scope='module')
def chromium():
    "The Chromium of this machine, driven by Playwright."
    playwright = pytest.importorskip('playwright.sync_api', reason='the browser is driven by the package playwright')
    binary = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome', 'chrome'))), None)
    if binary is None: pytest.skip('no Chromium on this machine: apt-get install chromium')
    with playwright.sync_playwright() as p:
        browser = p.chromium.launch(executable_path=binary, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def open_tab(chromium):
    """Open tabs, `open_tab(color_scheme='dark', ...)` as in Playwright's `new_context`. Each remembers what it asked
    for in `tab.requested`, and exceptions, blocked scripts and failed requests in `tab.errors`;
    `tab.until(code)` waits for something true."""
    contexts = []
    def open_tab(**options):
        contexts.append(chromium.new_context(**options))
        tab = contexts[-1].new_page()
        tab.errors, tab.requested = [], []
        # Playwright's wait_for_function needs 'unsafe-eval', which our policies forbid
        tab.until = lambda code, *arg: wait_until(lambda: tab.evaluate(code, *arg), seconds=30)
        def told(message):
            if message.type == 'error' and 'favicon' not in message.location['url']: tab.errors.append(message.text)
        tab.on('console', told)
        tab.on('pageerror', lambda error: tab.errors.append(str(error)))
        tab.on('request', lambda request: tab.requested.append(request.url))
        tab.on('requestfailed', lambda request: tab.errors.append(request.url))
        return tab
    yield open_tab
    for context in contexts: context.close()
