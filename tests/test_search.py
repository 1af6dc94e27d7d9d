"rt_search as users meet it: folders, updates, files and lines, damage, and the page in a real browser."
import contextlib
import http.client
import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import pytest

from loguru import logger

from helpers import ENV, paraphrases, refused, run, start


@pytest.fixture(scope='module')
def model(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('search')
    (folder/'pairs.tsv').write_text(''.join(f'{a}\t{b}\n' for a, b in paraphrases(200)), encoding='utf-8')
    code, _, err = run('rt_train_contrastive', '--pairs', folder/'pairs.tsv', '--tokenizer', tokenizer, '--output_dir',
                       folder/'run', '--batch_size', 16,
                       '--max_steps', 4, '--preset', 'tiny', '--embedding_dim', 16, '--context_window', 96, '--device',
                       'cpu')
    assert code == 0, err
    return folder/'run'


@pytest.fixture
def notes(tmp_path):
    "A folder of every kind of file, a line of script among the texts."
    folder = tmp_path/'notes'
    (folder/'deep').mkdir(parents=True)
    (folder/'garden.md').write_text(
        '# Garden\n\nRoses like sun and water.\n\n## Winter\n\nCover the roses before the first frost.\n',
        encoding='utf-8')
    (folder/'list.txt').write_text('buy milk and bread\nrepair the old bicycle\n', encoding='utf-8')
    (folder/'deep'/'web.html').write_text(
        '<title>Tea</title>\n<p>Heat the water first.</p>\n<p>Then &lt;img src=x onerror="document.title=1"&gt; is '
        'only text.</p>', encoding='utf-8')
    (folder/'deep'/'book.ipynb').write_text(json.dumps(dict(cells=[dict(cell_type='markdown',
        source='# Trip\n\nWe sailed to the island.'), dict(cell_type='code', source='distance = 12')])),
        encoding='utf-8')
    return folder


def here(*args):
    "The command in this process, which is quicker: (exit code, standard output, standard error with the log)."
    from rt_embedding.search_command import rt_search
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        sink = logger.add(lambda m: err.write(m.record['message'] + '\n'))
        try: code = rt_search([str(a) for a in args])
        finally: logger.remove(sink)
    return code, out.getvalue(), err.getvalue()


def hits(*args):
    code, out, err = here(*args, '--json')
    assert code == 0, err
    return json.loads(out)


def test_every_kind_of_file_with_file_line_and_snippet(model, notes, tmp_path, monkeypatch):
    index = tmp_path/'my.index'
    code, out, err = run('rt_search', 'Cover the roses before the first frost.', '--input', notes, '--index', index,
                         '--model', model, '--k', 2)
    assert code == 0 and '8 passages of 4 files' in err and '4 new' in err and '8 encoded' in err, err
    assert 'Garden > Winter' in out and 'garden.md:7' in out and 'Cover the roses' in out, out
    for text, file, line, cell in (('Roses like sun and water.', 'garden.md', 3, None),
                                   ('repair the old bicycle', 'list.txt', 2, None),
                                   ('Heat the water first.', 'deep/web.html', 2, None),
                                   ('We sailed to the island.', 'deep/book.ipynb', 3, 1),
                                   ('distance = 12', 'deep/book.ipynb', 1, 2)):
        best = hits(text, '--index', index)[0]
        assert best['score'] > 0.999 and best['entry']['text'] == text
        assert best['entry']['file'] == (notes/file).as_posix() and best['entry']['line'] == line and best['entry'].get(
            'cell') == cell
    assert hits('bicycle', '--index', index, '--hybrid')[0]['entry']['text'] == 'repair the old bicycle'
    monkeypatch.chdir(tmp_path)
    code, out, err = here('x', '--index', index)
    assert 'notes/' in out and str(tmp_path) not in out                    # named from where one stands


def test_only_what_changed_is_read_and_encoded(model, notes, tmp_path):
    index = tmp_path/'my.index'
    flags = ['--index', index, '--update']
    assert here('--input', notes, '--index', index, '--model', model)[0] == 0
    before = {p: p.read_bytes() for p in index.rglob('*') if p.is_file()}
    code, out, err = here(*flags)
    assert code == 0 and '4 unchanged; 0 encoded' in err and not out, err
    assert before == {p: p.read_bytes() for p in index.rglob('*') if p.is_file()}
    (notes/'garden.md').write_text(
        '# Garden\n\nRoses like sun and water.\n\n## Winter\n\nCarry the lemon tree into the house.\n',
        encoding='utf-8')
    (notes/'list.txt').unlink()
    # known words in a new place
    (notes/'new.md').write_text('Heat the water first.', encoding='utf-8')
    code, out, err = here(*flags)
    assert code == 0 and '1 changed, 1 new, 1 removed' in err and '1 encoded' in err, err
    texts = [h['entry']['text'] for h in hits('water', '--index', index, '--k', 50)]
    assert 'Carry the lemon tree into the house.' in texts and not {'repair the old bicycle',
        'Cover the roses before the first frost.'} & set(texts)
    assert texts.count('Heat the water first.') == 2                                             # under two headings
    assert not [p for p in tmp_path.iterdir() if p.name.startswith('.')]                         # no lock, no torso


def test_how_vectors_are_stored(model, notes, tmp_path):
    "An index in bytes answers as one in float32; an update keeps what is there, or changes it without encoding."
    flags = '--input', notes, '--model', model, '--index'
    assert here(*flags, tmp_path/'exact')[0] == 0
    assert here(*flags, tmp_path/'bytes', '--dtype', 'int8')[0] == 0
    def scored(name):
        return [(h["entry"]["text"], round(h["score"], 2)) for h in hits("roses", "--index", tmp_path/name)]
    assert sorted(scored('exact')) == sorted(scored('bytes'))
    code, _, err = here('--index', tmp_path/'exact', '--update', '--dtype', 'float16')
    assert code == 0 and '0 encoded' in err and sorted(scored('exact')) == sorted(scored('bytes')), err
    refused(here('--index', tmp_path/'exact', '--update', '--dtype', 'float64'), 'float32, float16, int8')
    refused(here('roses', '--index', tmp_path/'exact', '--dtype', 'int8'), '--update')


STOPS_WHILE_WRITING = """
import numpy, sys, threading
from rt_embedding import search_command
real = numpy.save
def save(file, array, **kw):
    real(file, array[:len(array)//2], **kw)
    print('vectors.npy is half written', flush=True)
    threading.Event().wait()
numpy.save = save
sys.exit(search_command.rt_search(sys.argv[1:]))
"""


def test_killed_update_leaves_the_old_index(model, notes, tmp_path):
    index = tmp_path/'my.index'
    assert here('--input', notes, '--index', index, '--model', model)[0] == 0
    before = {p: p.read_bytes() for p in index.rglob('*') if p.is_file()}
    (notes/'more.txt').write_text('\n'.join(f'line number {i} of a long list' for i in range(30_000)), encoding='utf-8')
    p = subprocess.Popen([sys.executable, '-c', STOPS_WHILE_WRITING, '--index', index, '--update'],
                         stdout=subprocess.PIPE, text=True, env=ENV)
    assert p.stdout.readline() == 'vectors.npy is half written\n'
    p.send_signal(signal.SIGKILL)
    p.communicate()
    assert before == {p: p.read_bytes() for p in before}
    assert hits('Roses like sun and water.', '--index', index)[0]['score'] > 0.999
    (notes/'more.txt').write_text('a short list', encoding='utf-8')
    # the lock of a killed process holds nobody up
    code, _, err = here('--index', index, '--update')
    assert code == 0 and '1 new' in err, err
    assert len(list(index.iterdir())) == 2  # the header and the files that it names: what was half written is gone


def test_what_a_kill_in_the_worst_moment_leaves(model, notes, tmp_path):
    "An older version killed between two renames left the index aside: a search and an update find it."
    index = tmp_path/'my.index'
    assert here('--input', notes, '--index', index, '--model', model)[0] == 0
    index.rename(tmp_path/'.my.index.4711.old')
    (tmp_path/'.my.index.abcdefgh.tmp').mkdir()
    (tmp_path/'.my.index.abcdefgh.tmp'/'vectors.npy').write_bytes(b'half')
    assert hits('Roses like sun and water.', '--index', index)[0]['score'] > 0.999
    index.rename(tmp_path/'.my.index.4711.old')
    code, _, err = here('--update', '--index', index)
    assert code == 0 and '4 unchanged; 0 encoded' in err, err
    assert sorted(p.name for p in tmp_path.iterdir()) == ['my.index', 'notes']
    (tmp_path/'.my.index.4712.old').mkdir()
    assert here('--input', notes, '--index', tmp_path/'my', '--model', model)[0] == 0
    assert (tmp_path/'.my.index.4712.old').is_dir()                        # that of a neighbour, not of `my`


def test_a_folder_of_strange_files(model, notes, tmp_path):
    "Each is read, or counted in one line; nothing from a file or a name reaches the terminal as a command to it."
    (notes/'photo.txt').write_bytes(b'\x89PNG\r\n\x1a\n\0\0')
    (notes/'latin.md').write_bytes('Ein Café am Fluss.'.encode('latin-1'))
    (notes/'empty.txt').write_text('')
    (notes/'deep'/'up').symlink_to(notes)
    (notes/'deep'/'self.txt').symlink_to(notes/'deep'/'self.txt')
    with open(notes/'log.txt', 'wb') as f: f.truncate(65 << 20)
    (notes/'\x1b[2J name.txt').write_text('\x1b]0;owned\x07 the \x1b[31mred\x1b[0m house\n')
    (notes/'\x1b[7m.md').write_bytes(b'\xff')
    code, out, err = here('the red house', '--input', notes, '--index', tmp_path/'i', '--model', model, '--hybrid')
    assert code == 0 and err.count('passed over: ') == 1 and 'skipped' not in err, err
    for words in ('1 PNG', '1 empty', '1 broken link', '1 file of more than 64 MiB passed over', 'log.txt',
                  '2 files read as cp1252, which is a guess: ', 'latin.md'): assert words in err, (words, err)
    assert hits('Ein Café am Fluss.', '--index', tmp_path/'i')[0]['entry']['file'].endswith('latin.md')
    assert '?[31mred?[0m house' in out and (out + err).replace('\n', '').isprintable(), out + err
    best = hits('the red house', '--index', tmp_path/'i', '--hybrid')[0]['entry']
    assert '\x1b[31m' in best['text']                                     # JSON keeps the truth, escaped
    assert '\x1b' not in here('the red house', '--index', tmp_path/'i', '--hybrid', '--json')[1]


def test_past_a_number_the_graph_answers(model, tmp_path, monkeypatch):
    "usearch from `exact_up_to` on, from the disk too; without it the search is exact and says so."
    import sys
    from rt_embedding import EmbeddingModel
    from rt_embedding.index_updates import update_index
    from rt_embedding.search import SemanticIndex
    m, texts = EmbeddingModel.from_pretrained(model), [a for a, _ in paraphrases(150)]
    (tmp_path/'a.txt').write_text('\n'.join(texts[:100]))
    (tmp_path/'b.txt').write_text('\n'.join(texts[100:]))
    exact = {t: [h.row for h in hits] for t, hits in zip(texts,
                                                         update_index(tmp_path/'exact', m,
                                                             [tmp_path/'a.txt', tmp_path/'b.txt'])[0].search(texts, 5))}
    assert not [*(tmp_path/'exact').rglob('graph.usearch')]
    monkeypatch.setattr(SemanticIndex, 'exact_up_to', 20)
    update_index(tmp_path/'i', m, [tmp_path/'a.txt', tmp_path/'b.txt'])
    index = SemanticIndex.load(tmp_path/'i', m)
    assert index.graph is not None
    from rt_embedding.nearest import Graph
    asked = []
    real = Graph.candidates
    monkeypatch.setattr(Graph, 'candidates', lambda *a: asked.append(1) or real(*a))
    found = [len({h.row for h in index.search(t, 5)} & set(exact[t])) for t in texts]
    # neighbours with equal scores may change places
    assert len(asked) == len(texts) and sum(found) > 0.97*5*len(texts)
    (tmp_path/'b.txt').write_text('a sentence nobody has seen before\n')
    index, counts = update_index(tmp_path/'i', m)
    assert counts['encoded'] == 1 and index.search('a sentence nobody has seen before',
                                                   1)[0].entry['text'].startswith('a sentence')
    monkeypatch.setitem(sys.modules, 'usearch.index', None)
    said, sink = [], None
    sink = logger.add(lambda r: said.append(r.record['message']))
    (tmp_path/'b.txt').write_text('and one more\n')
    index, _ = update_index(tmp_path/'i', m)
    logger.remove(sink)
    assert any('rt_embedding[search]' in line for line in said), said
    n = len(asked)
    assert SemanticIndex.load(tmp_path/'i', m).search('and one more',
                                                      1)[0].entry['text'] == 'and one more' and len(asked) == n


def test_damage_and_another_model_are_refused(model, tokenizer, notes, tmp_path):
    index = tmp_path/'my.index'
    assert here('--input', notes, '--index', index, '--model', model)[0] == 0
    # nothing looks like a pickle
    assert not [p for p in index.rglob('*') if p.is_file() and p.read_bytes()[:1] == b'\x80']
    for name in sorted(p.relative_to(index) for p in index.rglob('*') if p.is_file()):
        shutil.copytree(index, tmp_path/'bad')
        data = bytearray((tmp_path/'bad'/name).read_bytes())
        data[len(data)//2] ^= 255
        (tmp_path/'bad'/name).write_bytes(data)
        if name.name in ('header.json', 'vectors.npy', 'sources.json'):
            refused(here('roses', '--index', tmp_path/'bad'), 'build it again')
        from rt_embedding.files import InputError
        from rt_embedding.search import SemanticIndex
        with pytest.raises(InputError, match='build it again'): SemanticIndex.load(tmp_path/'bad')
        (tmp_path/'bad'/name).unlink()
        with pytest.raises(InputError, match='build it again'): SemanticIndex.load(tmp_path/'bad')
        shutil.rmtree(tmp_path/'bad')
    code, _, err = run('rt_train_contrastive', '--pairs', model.parent/'pairs.tsv', '--tokenizer', tokenizer,
                       '--output_dir', tmp_path/'other', '--batch_size', 16,
                       '--max_steps', 2, '--preset', 'tiny', '--embedding_dim', 16, '--context_window', 96, '--device',
                       'cpu', '--seed', 7)
    assert code == 0, err
    refused(here('roses', '--index', index, '--model', tmp_path/'other'), 'another model')
    code, _, err = here('--index', index, '--update', '--model', tmp_path/'other')
    assert code == 0 and '8 encoded' in err, err
    # the new model is remembered
    assert hits('Roses like sun and water.', '--index', index)[0]['score'] > 0.999


def test_bad_input_is_one_line(model, notes, tmp_path):
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine'/'thesis.txt').write_text('x')
    (tmp_path/'none').mkdir()
    for flags, contains in ((['x', '--input', tmp_path/'none', '--index', tmp_path/'i'], 'nothing to index'),
                            (['x', '--input', notes, '--index', tmp_path/'mine'], 'is no index'),
                            (['x', '--index', tmp_path/'nowhere'], '--input'), (['--update'], '--index'),
                            ([' ', '--input', notes], 'empty'), (['x', '--dtype', 'int8'], '--dtype'),
                            (['--input', notes, '--index', tmp_path/'i', '--serve', '--port', 70000], '70000')):
        refused(here(*flags, '--model', model), contains)


def test_the_python_environment(model, tmp_path, monkeypatch):
    """The entries of `python` are the documented objects; nothing is read again while the installed packages stay the
    same."""
    from rt_embedding import EmbeddingModel, input_files
    from rt_embedding.index_updates import update_index
    from rt_embedding.python_docs import documented_objects
    monkeypatch.setattr(input_files, 'documented_objects', lambda: documented_objects(['json', 'textwrap', 'shutil']))
    m = EmbeddingModel.from_pretrained(model)
    index, counts = update_index(tmp_path/'python.index', m, 'python')
    assert counts['new'] == 1 and counts['passages'] > 20
    found = {e['name']: e for e in (index.entries[i] for i in range(len(index)))}
    assert found['json.dumps']['line'] > 1 and found['json.dumps']['file'].endswith('json/__init__.py')
    monkeypatch.setattr(input_files, 'documented_objects', None)
    assert update_index(tmp_path/'python.index', m)[1]['unchanged'] == 1


# ---------------------------------------------------------------- the page in a browser

@pytest.fixture
def page(model, notes, tmp_path):
    "rt_search --serve in a process of its own; gives its address, ends it by Ctrl-C."
    p = start('rt_search', '--input', notes, '--index', tmp_path/'my.index', '--model', model, '--serve', '--port', 0)
    line = p.stdout.readline()
    found = re.search(r'http://127\.0\.0\.1:\d+/', line)
    assert found, (line, p.stderr.read() if p.poll() is not None else '')
    yield found[0]
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=30)
    assert p.returncode == 0


READY = 'body[data-ready=yes]'


def dot(tab, i):
    "Where the dot `i` of the map is on the screen."
    return tab.evaluate("""i => {
        const [x, y] = chart.at(i), box = chart.canvas.getBoundingClientRect()
        return [x + box.left, y + box.top] }""", i)


def answers(tab, n):
    "Wait for `n` answers; gives their texts."
    tab.until(f'answer.hits.length == {n} && document.querySelectorAll("#hits li").length == {n}')
    return tab.evaluate('answer.hits.map(h => h.text)')


def asked(tab, text):
    "Wait until the page asks for a text and shows it first."
    tab.until('t => $("q").value == t && answer.hits.length && answer.hits[0].text == t', text)


def test_a_person_searches_and_looks_around(open_tab, page):
    tab = open_tab()
    tab.goto(page)
    tab.wait_for_selector(READY)
    assert tab.evaluate('chart.points.x.length') == 8 and tab.title() == 'my.index - rt_search'
    assert tab.evaluate('document.activeElement.id') == 'q'
    tab.keyboard.type('Cover the roses before the first frost.')                                  # no Enter needed
    texts = answers(tab, 8)
    first = tab.locator('#hits li').first.inner_text()
    assert 'Garden > Winter' in first and 'garden.md:7' in first and '1.000' in first, first
    assert 'found' in tab.inner_text('#status') and '#q=Cover' in tab.url
    pixels = tab.evaluate("""() => {
        const s = devicePixelRatio, [x, y] = chart.place(...answer.hits[0].at)
        const d = chart.pen.getImageData((x - 12)*s, (y - 12)*s, 24*s, 24*s).data
        return d.filter((v, i) => i % 4 == 3 && v > 0).length }""")
    assert pixels > 150  # the first answer is drawn where it belongs
    inked = tab.evaluate("""() => {
        const d = chart.pen.getImageData(0, 0, chart.canvas.width, chart.canvas.height).data
        return d.filter((v, i) => i % 4 == 3 && v > 0).length/(d.length/4) }""")
    assert inked < 0.2
    last = tab.evaluate("""() => {
        const [x, y] = answer.hits[7].at
        return chart.points.x.findIndex((v, i) => v == x && chart.points.y[i] == y) }""")
    x, y = dot(tab, last)
    tab.mouse.move(x, y)
    tab.until('!chart.tip.hidden')
    assert texts[7] in tab.inner_text('.tip')  # hovering names what stands there
    tab.mouse.click(x, y)
    asked(tab, texts[7])  # a click asks what lies beside it
    before = dot(tab, 0)
    tab.mouse.wheel(0, -200)
    tab.until('chart.zoom > 1.5')
    assert dot(tab, 0) != before
    tab.mouse.move(x + 30, y + 30)
    tab.mouse.down()
    tab.mouse.move(x + 80, y + 60)
    tab.mouse.up()
    tab.until('Math.hypot(...chart.shift) > 10')
    assert tab.input_value('#q') == texts[7]                                                      # dragging is no click
    assert not tab.errors, tab.errors


def test_with_keys_and_buttons_only(open_tab, page):
    "Everything a mouse can do: move the map, see all of it again, ask what is like an answer."
    tab = open_tab()
    tab.goto(page + '#q=roses')
    tab.wait_for_selector(READY)
    answers(tab, 8)
    tab.focus('#q')
    order = []
    for _ in range(40):                                                    # Tab reaches the answers and the map
        tab.keyboard.press('Tab')
        name = '(e => e.id || e.getAttribute("aria-label") || e.textContent)(document.activeElement)'
        order.append(tab.evaluate(name))
    map_at = next(i for i, o in enumerate(order) if o.startswith('Map of the texts'))
    assert order.index('what is like this?') < map_at < order.index('zoom in'), order
    tab.focus('canvas')
    for key in ('+', 'ArrowRight', 'ArrowUp'): tab.keyboard.press(key)
    assert tab.evaluate('[chart.zoom, ...chart.shift]') == [1.5, -40, 40]
    tab.keyboard.press('0')
    assert tab.evaluate('[chart.zoom, ...chart.shift]') == [1, 0, 0]
    tab.keyboard.press('/')
    assert tab.evaluate('document.activeElement.id') == 'q' and tab.input_value('#q') == 'roses'
    tab.focus('canvas')
    middle = tab.evaluate('text(chart.nearest(chart.middle(), Infinity)).then(t => t.text)')
    tab.keyboard.press('Enter')                                           # picks the text nearest to the middle
    asked(tab, middle)
    wanted = answers(tab, 8)[3]
    tab.locator('#hits button').nth(3).focus()
    tab.keyboard.press('Enter')
    asked(tab, wanted)
    tab.get_by_label('zoom in').click()
    assert tab.evaluate('chart.zoom') == 1.5


def test_text_is_never_run_and_words_find_it(open_tab, page):
    tab = open_tab()
    tab.goto(page + '#q=onerror&hybrid=1')                                                        # a bookmark
    first = answers(tab, 8)[0]
    assert tab.is_checked('#hybrid') and first.startswith('Then <img src=x')
    assert '<img src=x onerror=' in tab.locator('#hits li').first.inner_text()
    assert tab.locator('#hits img').count() == 0 and tab.title() != '1'
    script = 'Object.assign(document.createElement("script"), {textContent: "window.ran = 1"})'
    tab.evaluate(f'document.body.append({script})')
    assert tab.evaluate('window.ran') is None  # the policy stops what is not ours
    assert tab.requested and all(url.startswith(page) for url in tab.requested), tab.requested  # nothing goes elsewhere


def test_a_phone_and_a_dark_room(open_tab, page):
    phone = dict(viewport=dict(width=390, height=800), device_scale_factor=2, is_mobile=True, has_touch=True)
    tab = open_tab(color_scheme='dark', **phone)
    tab.goto(page + '#q=roses')
    texts = answers(tab, 8)
    assert tab.evaluate('document.documentElement.scrollWidth <= innerWidth')  # nothing to push sideways
    assert min(tab.evaluate('getComputedStyle(document.body).color.match(/\\d+/g).map(Number)')) > 180
    tab.locator('canvas').scroll_into_view_if_needed()
    tab.touchscreen.tap(*dot(tab, 0))                                                             # a finger picks, too
    tab.until('texts => $("q").value != "roses" && texts.includes($("q").value)', texts)


def test_a_page_of_another_site_gets_nothing(open_tab, page):
    "A foreign page on this machine asks the search page; and a name that points here is refused."
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.end_headers()
            self.wfile.write(b'<p>hello</p>')
        def log_message(self, *args): pass
    other = ThreadingHTTPServer(('127.0.0.1', 0), Foreign)
    other.daemon_threads = True
    threading.Thread(target=other.serve_forever, daemon=True).start()
    tab = open_tab()
    tab.goto(f'http://localhost:{other.server_port}/')
    says = tab.evaluate('url => fetch(url).then(r => r.text()).catch(e => "refused")', f'{page}search?q=roses')
    assert says == 'refused'
    tab.evaluate("""url => new Promise(done => {
        const frame = Object.assign(document.createElement("iframe"), {src: url, onload: done})
        document.body.append(frame) })""", page)
    assert tab.locator('iframe').count() == 1 and 'Search' not in tab.frames[1].content()        # it may not be framed
    other.shutdown()
    other.server_close()
    port = int(page.rstrip('/').rpartition(':')[2])
    for host, status in ((f'rebound.example:{port}', 403), (f'127.0.0.1:{port}', 200)):
        c = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
        c.request('GET', '/search?q=roses', headers=dict(Host=host))
        assert c.getresponse().status == status
        c.close()
    addresses = {a[4][0] for a in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {'127.0.0.1'}
    for address in addresses:
        with pytest.raises(OSError): socket.create_connection((address, port), timeout=3).close()


# ---------------------------------------------------------------- the page and clients that are no browsers

@pytest.fixture(scope='module')
def toy_page():
    "A page in this process over ten texts, whose search fails for one question."
    from rt_embedding.page import PageServer
    def ask(query, k, hybrid):
        if 'bug' in query: raise KeyError(query)
        return dict(hits=[dict(text=f'{query} {i}') for i in range(k)], at=[0, 0])
    server = PageServer(ask, lambda: dict(x=[]), lambda row: dict(text=str(row)), port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def raw(server, data, timeout=10):
    "What the server sends back to these bytes."
    with socket.create_connection(('127.0.0.1', server.server_port), timeout=timeout) as c:
        c.sendall(data)
        c.shutdown(socket.SHUT_WR)
        with c.makefile('rb') as f: return f.read()


@pytest.mark.parametrize('path', ['/search?q=x&k=' + '0'*20 + '101', '/search?q=x&k=' + '0'*5000 + '7',
                                  '/search?q=x&k=' + '9'*5000, '/search?q=x&k=%D9%A3', '/search?q=x&k=1_0',
                                  '/search?q=x&k=+5', '/search?q=x&k=5%0A', '/text?row=' + '9'*4400, '/text?row=01',
                                  '/text?row=-0', '/search?q=x&k=101', '/search?q=x&k='*2, 'http://[',
                                  'http://[::1'])
def test_strange_numbers_and_addresses_are_400(toy_page, path):
    host = f'Host: 127.0.0.1:{toy_page.server_port}'
    got = raw(toy_page, f'GET {path} HTTP/1.0\r\n{host}\r\n\r\n'.encode())
    assert got.startswith(b'HTTP/1.1 400 '), got[:200]
    assert len(got) < 2000


@pytest.mark.parametrize('line', [b'GET', b'GET /', b'\x00\x01 / HTTP/1.0', b'GET / HTTP/9.9', b'GET / HTTP/x',
                                  b'GET \x1b[2J HTTP/1.0', b'X'*70_000, b'GET / / / HTTP/1.0'])
def test_a_malformed_request_gets_an_answer_and_no_log(toy_page, line, capfd):
    got = raw(toy_page, line + b'\r\n\r\n')
    assert b' 4' in got[:15] or b' 5' in got[:15] or b'error' in got.lower(), got[:200]
    assert capfd.readouterr() == ('', '')


def test_a_failure_says_where_and_not_what_was_asked(toy_page):
    said = []
    sink = logger.add(lambda m: said.append(str(m)), format='{message}', level='INFO')
    got = raw(toy_page, f'GET /search?q=bug%1B%5B2Jsecret HTTP/1.0\r\nHost: localhost:{toy_page.server_port}\r\n\r\n'
              .encode())
    logger.remove(sink)
    assert b' 500 ' in got[:15] and len(said) == 1
    assert 'KeyError' in said[0] and 'in ask' in said[0] and 'secret' not in said[0] and '\x1b' not in said[0]


def test_many_at_once_and_one_that_trickles(toy_page, monkeypatch):
    "300 clients wait for their turn, none is turned away; who sends a byte now and then is dropped in bounded time."
    assert toy_page.request_queue_size >= 100
    monkeypatch.setattr(toy_page.web.protocol, 'head_seconds', 1)
    slow = socket.create_connection(('127.0.0.1', toy_page.server_port))
    ended = threading.Event()
    def trickle():
        with contextlib.suppress(OSError):
            while not ended.wait(0.05): slow.send(b'G')
    threading.Thread(target=trickle, daemon=True).start()
    line = f'GET /search?q=x&k=3 HTTP/1.0\r\nHost: 127.0.0.1:{toy_page.server_port}\r\n\r\n'.encode()
    got = []
    clients = [threading.Thread(target=lambda: got.append(raw(toy_page, line, 60))) for _ in range(300)]
    for c in clients: c.start()
    for c in clients: c.join()
    assert len(got) == 300 and sum(b' 200 ' in g[:15] for g in got) >= 299, sorted(got)[:2]
    slow.settimeout(30)
    with contextlib.suppress(ConnectionError), slow.makefile('rb') as f:
        assert f.read().startswith(b'HTTP/1.1 408 ')                                             # read to its end
    ended.set()
    slow.close()
