"""The pages of the site as nbdev hands them to Quarto: made in seconds, without Quarto, and looked at for what a
reader would stumble over."""
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('nbdev')
nbformat = pytest.importorskip('nbformat')
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/'tools'))
import check_notebooks as check  # noqa: E402
import make_site  # noqa: E402


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    "All notebooks, processed by nbdev with the steps that settings.ini names."
    return make_site.process(tmp_path_factory.mktemp('proc'))


def test_every_page_is_made_and_has_no_broken_link_or_silent_picture(pages):
    assert {p.name for p in pages.glob('*.ipynb')} == {p.name for p in (ROOT/'nbs').glob('*.ipynb')}
    assert list(check.pages_problems(pages)) == []


def test_every_public_name_has_its_reference(pages):
    """Each exported function and class, with its docstring and a comment for every parameter, or words of another kind
    for a command."""
    from make_site import undocumented
    assert list(undocumented()) == []


def test_all_notebooks_are_complete_and_on_the_map():
    r = subprocess.run([sys.executable, str(ROOT/'tools'/'check_notebooks.py')], capture_output=True, text=True,
                       timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr


@pytest.fixture(scope='module')
def places(pages): return {p.name: check.anchors(nbformat.read(p, 4)) for p in pages.glob('*.ipynb')}


def broken(pages, places, change):
    "Problems of one page after a change."
    nb = nbformat.read(pages/'02_rope.ipynb', 4)
    change(nb)
    return list(check.page_problems('02_rope.ipynb', nb, pages, places))


def say(text): return lambda nb: nb.cells.append(nbformat.v4.new_markdown_cell(text))


def without_words(nb):
    cell = next(c for c in nb.cells if 'fig-alt' in c.source)
    cell.source = '\n'.join(line for line in cell.source.split('\n') if 'fig-alt' not in line)


@pytest.mark.parametrize('change, said', [
    (say('[gone](98_gone.ipynb)'), 'the link 98_gone.ipynb leads nowhere'),
    (say('[gone](03_attention_masking.ipynb#no-such-heading)'), 'has no heading #no-such-heading'),
    (say(f'[gone]({check.SITE}/no_page.html)'), 'leads nowhere'),
    (say('[[`rotate`](02_rope.ipynb)](03_attention_masking.ipynb)'), 'a link inside of a link'),
    (say('![](search_page.png)'), 'has no alternative text'),
    (say('![words](gone.png)'), 'is not there'),
    (say('<img src="search_page.png">'), 'has no alternative text'),
    (without_words, 'a picture without'),
    (lambda nb: nb.cells.append(nbformat.v4.new_code_cell(check.COLAB)), 'not hidden'),
    (lambda nb: nb.cells.append(nbformat.v4.new_code_cell('show_doc(rotate)')), 'shows nothing')])
def test_what_is_broken_is_found(pages, places, change, said):
    found = broken(pages, places, change)
    assert len(found) == 1 and said in found[0], found
    assert broken(pages, places, lambda nb: None) == []


@pytest.mark.parametrize('old, new, said', [
    ('::: {.callout-tip collapse="true" title="Answer"}', '::: {.callout-tip}', 'exercises, '),
    ('> Tell attention', 'Tell attention', 'the promise'),
    ('"source"', '"source"', None)])
def test_a_chapter_that_forgets_something_hears_so(tmp_path, places, old, new, said):
    text = (ROOT/'nbs'/'02_rope.ipynb').read_text(encoding='utf-8')
    if old.startswith(':::'): old, new = old.replace('"', '\\"'), new.replace('"', '\\"')
    assert old in text
    path = tmp_path/'02_rope.ipynb'
    path.write_text(text.replace(old, new, 1), encoding='utf-8')
    found = list(check.problems(path, places))
    assert found == [] if said is None else len(found) == 1 and said in found[0], found


@pytest.mark.parametrize('directives, said', [
    ('#| label: fig-a', 'without `#| fig-cap'), ('#| fig-cap: "A"', 'without `#| label'),
    ('#| label: a\n#| fig-cap: "A"', 'without `#| label'), ('#| label: fig-a\n#| fig-cap: "A"', None)])
def test_a_picture_has_a_caption_and_a_label(directives, said):
    out = nbformat.v4.new_output('display_data', data={'image/png': ''})
    cell = nbformat.v4.new_code_cell(directives, outputs=[out])
    found = list(check.figure_problems('a', nbformat.v4.new_notebook(cells=[cell])))
    assert found == [] if said is None else len(found) == 1 and said in found[0]
    if said is None:
        assert 'are called fig-a' in list(check.figure_problems('a', nbformat.v4.new_notebook(cells=[cell]*2)))[0]


@pytest.mark.parametrize('text, wide', [
    ('a' + ' '*60 + 'b' + ' '*50 + 'c', True), ('a' + ' '*60 + 'b', False),
    ('a sentence of many words. '*9, False), ('a  b   c', False)])
def test_a_printed_table_that_is_too_wide_is_found(text, wide):
    cell = nbformat.v4.new_code_cell('print(x)', outputs=[nbformat.v4.new_output('stream', text=f'{text}\n'*2)])
    assert bool(list(check.wide_rows(cell))) == wide
    cell.source = '#| hide\nprint(x)'
    assert list(check.wide_rows(cell)) == []


@pytest.mark.parametrize('name, old, new, said', [
    ('dark.scss', '$link-color: #4fd1b5', '$link-color: #404040', 'link-color on body-bg has a contrast of'),
    ('light.scss', '$web-font-path: false;', '', 'would load fonts'),
    ('styles.css', 'main, main', '@import "https://example.org/a.css"; main, main', 'example.org')])
def test_a_style_that_is_hard_to_read_or_loads_from_elsewhere_is_found(tmp_path, name, old, new, said):
    for path in [*(ROOT/'nbs').glob('*.scss'), *(ROOT/'nbs').glob('*.css')]:
        (tmp_path/path.name).write_text(path.read_text(encoding='utf-8'), encoding='utf-8')
    assert list(check.style_problems(tmp_path)) == []
    (tmp_path/name).write_text((tmp_path/name).read_text().replace(old, new, 1), encoding='utf-8')
    assert said in str(list(check.style_problems(tmp_path)))


@pytest.mark.parametrize('place', ['/work/venv/lib/python3.11/site-packages/tqdm/auto.py:21: TqdmWarning',
                                   '/tmp/ipykernel_71/12.py:3', 'file:///home/ada/notes', '~/notes/a.txt',
                                   'File "/usr/lib/python3.11/json/decoder.py", line 3',
                                   '\x1b[32m/Users/ada/a.py\x1b[39m', 'C:\\Users\\ada'])
@pytest.mark.parametrize('where', ['stdout', 'stderr', 'text/plain', 'text/html', 'image/svg+xml', 'application/json',
                                   'traceback'])
@pytest.mark.parametrize('source', ['1', '#| export\nimport tqdm'])
def test_a_place_of_the_machine_is_found_in_every_kind_of_output(tmp_path, place, where, source):
    new = nbformat.v4.new_output
    out = (new('error', ename='E', evalue='', traceback=['E', place]) if where == 'traceback'
           else new('stream', name=where, text=f'see {place}\n') if where in ('stdout', 'stderr')
           else new('display_data', data={where: dict(at=place) if 'json' in where else f'<p>{place}</p>'}))
    nb = nbformat.read(ROOT/'nbs'/'02_rope.ipynb', 4)
    nb.cells.insert(2, nbformat.v4.new_code_cell(source, outputs=[out]))
    nbformat.write(nb, tmp_path/'02_rope.ipynb')
    assert any('a place on this machine' in p for p in check.problems(tmp_path/'02_rope.ipynb', {}))


@pytest.mark.parametrize('text', ['GET /api/models/ada', 'https://example.org/home/ada and site-packages alone',
                                  '/../../etc/passwd', 'and/or 1/2 ~ /', 'nbs/work/a.txt'])
def test_what_is_no_place_of_the_machine_may_be_shown(text):
    assert list(check.places_shown(nbformat.v4.new_code_cell('1',
        outputs=[nbformat.v4.new_output('stream', name='stderr', text=text)]))) == []


def test_the_cell_for_colab_installs_there_and_does_nothing_elsewhere(monkeypatch):
    ran, cell = [], '\n'.join(check.COLAB.split('\n')[1:])
    monkeypatch.setattr(subprocess, 'run', lambda *a, **k: ran.append((a[0], k)))
    monkeypatch.setattr('os.chdir', lambda folder: ran.append(folder))
    exec(cell, {})
    assert ran == []
    monkeypatch.setitem(sys.modules, 'google.colab', object())
    exec(cell, {})
    (clone, how), (install, how_installed), folder = ran
    assert how['check'] and how_installed['check'] and folder == '/content/rt_embedding/nbs'
    assert f'git clone -q --depth 1 {check.REPOSITORY} ' in clone and '[colab]"' in install
    assert 'colab_requirements' in check.SETTINGS


def test_no_name_has_two_meanings():
    assert list(check.name_problems(ROOT/'rt_embedding')) == []


def test_a_name_with_two_meanings_is_found(tmp_path):
    "As in a module that two ideas shared: the second regular expression replaced the first, and docstrings lost words."
    (tmp_path/'a.py').write_text(
        "import re\n_hole = re.compile('x')\ndef read(text): return _hole.sub('', text)\n_hole = re.compile('y')\n"
                                 "@patch\ndef save(self:A): pass\n@patch\ndef save(self:B): pass\n")
    (tmp_path/'b.py').write_text("from a import read\nLIMIT, other = 1, 2\n")
    (tmp_path/'c.py').write_text("LIMIT = 2\nfrom b import other\ndef other(): pass\n")
    assert list(check.name_problems(tmp_path)) == [
        'a.py: _hole is bound in lines 2 and 4',
        'c.py: other is bound in lines 2 and 3',
        'LIMIT is defined by b and c', 'other is defined by b and c']


def notebook(*cells): return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])


def test_chapters_import_from_earlier_ones_only():
    books = {'01_a.ipynb': notebook('#| default_exp a', '#| export\ndef f():\n    from rt_embedding.b import g'),
             '01a_b.ipynb': notebook('#| default_exp b', 'from rt_embedding.a import f'),
             '99_all.ipynb': notebook('from rt_embedding.b import g')}
    assert list(check.order_problems(books)) == ['01_a.ipynb cell 1: imports from the later chapter 01a_b.ipynb']
    assert list(check.order_problems({p.name: nbformat.read(p, 4) for p in (ROOT/'nbs').glob('*.ipynb')})) == []


@pytest.mark.slow
@pytest.mark.parametrize('theme', ['light', 'dark'])
def test_no_page_scrolls_sideways_complains_or_asks_another_host(pages, open_tab, theme):
    "Every page of the draft, as wide as a phone, a tablet and a laptop."
    folder = pages/'html' if (pages/'html').is_dir() else make_site.pages(pages)
    tab, wide = open_tab(color_scheme=theme), []
    for page in sorted(folder.glob('*.html')):
        tab.goto(page.as_uri())
        for width in (390, 768, 1280):
            tab.set_viewport_size(dict(width=width, height=900))
            if (beyond := tab.evaluate('document.documentElement.scrollWidth - innerWidth')) > 0:
                wide.append(f'{page.name} at {width}: {beyond} pixels too wide')
        assert page.stat().st_size < 1.5e6, f'{page.name} is too heavy'
    assert (wide, tab.errors) == ([], [])
    assert all(url.startswith(('file:', 'data:')) for url in tab.requested)
