"The pages of the site as nbdev hands them to Quarto: made in seconds, without Quarto, and looked at for what a reader would stumble over."
import shutil
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
    "Each exported function and class, with its docstring and a comment for every parameter, or words of another kind for a command."
    from make_site import undocumented
    assert list(undocumented()) == []


def test_all_notebooks_are_complete_and_on_the_map():
    r = subprocess.run([sys.executable, str(ROOT/'tools'/'check_notebooks.py')], capture_output=True, text=True, timeout=120)
    assert r.returncode == 0, r.stdout + r.stderr


def broken(pages, folder, change):
    "Problems after a change to a copy of one page."
    shutil.copytree(pages, folder)
    path = folder/'02_rope.ipynb'
    nb = nbformat.read(path, 4)
    change(nb)
    nbformat.write(nb, path)
    return [p for p in check.pages_problems(folder) if p.startswith('02_rope')]


def say(text): return lambda nb: nb.cells.append(nbformat.v4.new_markdown_cell(text))


def without_words(nb):
    cell = next(c for c in nb.cells if 'fig-alt' in c.source)
    cell.source = '\n'.join(line for line in cell.source.split('\n') if 'fig-alt' not in line)


@pytest.mark.parametrize('change, said', [
    (say('[gone](98_gone.ipynb)'), 'the link 98_gone.ipynb leads nowhere'),
    (say('[gone](03_attention_masking.ipynb#no-such-heading)'), 'has no heading #no-such-heading'),
    (say(f'[gone]({check.SITE}/no_page.html)'), 'leads nowhere'),
    (say('![](search_page.png)'), 'has no alternative text'),
    (say('![words](gone.png)'), 'is not there'),
    (say('<img src="search_page.png">'), 'has no alternative text'),
    (without_words, 'a picture without'),
    (lambda nb: nb.cells.append(nbformat.v4.new_code_cell(check.COLAB)), 'not hidden'),
    (lambda nb: nb.cells.append(nbformat.v4.new_code_cell('show_doc(rotate)')), 'shows nothing')])
def test_what_is_broken_is_found(pages, tmp_path, change, said):
    found = broken(pages, tmp_path/'pages', change)
    assert len(found) == 1 and said in found[0], found
    assert broken(pages, tmp_path/'as_before', lambda nb: None) == []


@pytest.mark.parametrize('old, new, said', [
    ('::: {.callout-tip collapse="true" title="Answer"}', '::: {.callout-tip}', 'exercises, '),
    ('> Tell attention', 'Tell attention', 'the promise'),
    ('"source"', '"source"', None)])
def test_a_chapter_that_forgets_something_hears_so(tmp_path, old, new, said):
    text = (ROOT/'nbs'/'02_rope.ipynb').read_text(encoding='utf-8')
    if old.startswith(':::'): old, new = old.replace('"', '\\"'), new.replace('"', '\\"')
    assert old in text
    path = tmp_path/'02_rope.ipynb'
    path.write_text(text.replace(old, new, 1), encoding='utf-8')
    places = {p.name: check.anchors(nbformat.read(p, 4)) for p in (ROOT/'nbs').glob('*.ipynb')}
    found = list(check.problems(path, places))
    assert found == [] if said is None else len(found) == 1 and said in found[0], found


def test_the_cell_for_colab_installs_there_and_does_nothing_elsewhere(monkeypatch):
    ran, cell = [], '\n'.join(check.COLAB.split('\n')[1:])
    monkeypatch.setattr(subprocess, 'run', lambda *a, **k: ran.append((a[0], k)))
    monkeypatch.setattr('os.chdir', lambda folder: ran.append(folder))
    exec(cell, {})
    assert ran == []
    monkeypatch.setitem(sys.modules, 'google.colab', object())
    exec(cell, {})
    (command, how), folder = ran
    assert how['check'] and f"git clone -q --depth 1 {check.REPOSITORY} " in command and '[colab]"' in command and folder == '/content/rt_embedding/nbs'
    assert 'colab_requirements' in check.SETTINGS
