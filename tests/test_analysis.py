"""rt_analyse as users meet it: a whole report from a text or from pairs, two models side by side, the page in a
browser, one clear line for bad input."""
import json
import re

import numpy as np
import pytest

from helpers import paraphrases, refused, run, sentences

EVERY = 'similarities', 'map_pca', 'map_tsne', 'heatmap', 'truncation', 'lengths'  # pictures of every model
OWN = 'layers', 'tokens', 'heads', 'head', 'positions'                            # of models that can be opened


def pictures(n, opened):
    "Names of the pictures of n models, so many of which can be opened."
    return {f"{kind}{f'-{i + 1}' if i else ''}.png" for kinds, m in ((EVERY, n), (OWN, opened)) for kind in kinds
            for i in range(m)}


@pytest.fixture(scope='module')
def model(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp('analysis')
    (folder/'pairs.tsv').write_text(''.join(f'{a}\t{b}\n' for a, b in paraphrases(200)), encoding='utf-8')
    code, _, err = run('rt_train_contrastive', '--pairs', folder/'pairs.tsv', '--tokenizer', tokenizer, '--output_dir',
                       folder/'run', '--batch_size', 16,
                       '--max_steps', 4, '--preset', 'tiny', '--embedding_dim', 16, '--context_window', 16, '--device',
                       'cpu')
    assert code == 0, err
    return folder/'run'


def png_size(path):
    "Width and height from the header; anything else than a PNG fails."
    head = path.read_bytes()[:24]
    assert head[:8] == b'\x89PNG\r\n\x1a\n', path
    return int.from_bytes(head[16:20], 'big'), int.from_bytes(head[20:24], 'big')


def report_of(folder, n=1, opened=1):
    "What a whole report holds, checked."
    assert {p.name for p in folder.iterdir()} - {'.DS_Store'} == {'analysis.json', 'analysis.md',
                                                                  'analysis.html'} | pictures(n, opened)
    assert not [p for p in folder.parent.iterdir() if p.name.endswith(('.tmp', '.old'))]
    assert all(min(png_size(p)) > 200 for p in folder.glob('*.png'))
    text = (folder/'analysis.md').read_text(encoding='utf-8')
    assert all(f']({p.name})' in text for p in folder.glob('*.png'))
    page = (folder/'analysis.html').read_text(encoding='utf-8')
    assert page.count('data:image/png;base64,') == len(list(folder.glob('*.png'))) and not re.search(
        r'(src|href)="(?!data:|#)', page)
    alts = re.findall(r'<img alt="([^"]{20,})"', page)
    # each picture says in words what it shows
    assert len(alts) == len(set(alts)) == len(list(folder.glob('*.png')))
    return json.loads((folder/'analysis.json').read_text(encoding='utf-8'))


def test_report_of_a_text_equals_the_vectors_of_rt_embed(model, corpus, tmp_path):
    lines = sentences(60, seed=5) + ['Escaped <b> & "quoted" words stand here as text.']
    (tmp_path/'text.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    code, out, err = run('rt_analyse', '--model', model, '--input', tmp_path/'text.txt', '--output', tmp_path/'report',
                         '--sentences', lines[-1])
    assert code == 0 and 'analysis.html' in out, err
    report = report_of(tmp_path/'report')
    assert report['n_texts'] == 61 and set(report['tasks']) == {'sentence with noise', 'adjacent sentences'}
    assert run('rt_embed', '--model', model, '--input', tmp_path/'text.txt', '--output', tmp_path/'v.npy')[0] == 0
    v = np.load(tmp_path/'v.npy').astype(float)
    cosines = (v @ v.T)[np.triu_indices(len(v), 1)]
    p = np.linalg.svd(v, compute_uv=False)
    p /= p.sum()
    measures = report['models']['run']['measures']
    assert measures['mean_cosine'] == pytest.approx(cosines.mean(), abs=1e-4)
    assert measures['uniformity'] == pytest.approx(np.log(np.exp(4*cosines - 4).mean()), abs=1e-3)
    assert measures['effective_rank'] == pytest.approx(np.exp(-(p*np.log(p)).sum()), rel=1e-3)
    page = (tmp_path/'report'/'analysis.html').read_text(encoding='utf-8')
    assert '&lt;b&gt; &amp;' in page and '<b>' not in page


@pytest.fixture(scope='module')
def other(corpus, model, tmp_path_factory):
    "A model of another width, with another tokenizer."
    folder = tmp_path_factory.mktemp('other')
    assert run('rt_train_tokenizer', '--input', corpus, '--output', folder/'tokenizer', '--vocab_size', 150)[0] == 0
    code, _, err = run('rt_train_contrastive', '--pairs', model.parent/'pairs.tsv', '--tokenizer',
                       folder/'tokenizer.model', '--output_dir', folder/'other', '--batch_size', 16,
                       '--max_steps', 1, '--preset', 'tiny', '--embedding_dim', 24, '--context_window', 32, '--device',
                       'cpu')
    assert code == 0, err
    return folder/'other'


HOSTILE = ['He said "stop" & left </script><script>window.ran = 1</script> the room',
           '<img src=x onerror="window.ran = 1"> is only a text of ours',
           "it's 5 < 6 and 7 > 2 in every case", 'a fourth text of some words stands here',
           'שלום to all of you who read this']


@pytest.fixture(scope='module')
def hostile(model, other, tmp_path_factory):
    "Five texts, each twice, some of them meant to break a page; two models side by side."
    folder = tmp_path_factory.mktemp('hostile')
    (folder/'five.txt').write_text('\n'.join(HOSTILE*2), encoding='utf-8')
    (folder/'report').mkdir()
    (folder/'report'/'.DS_Store').write_text('as Finder leaves it')  # neither an obstacle nor ours to remove
    code, _, err = run('rt_analyse', '--model', model, '--compare', other, '--input', folder/'five.txt', '--output',
                       folder/'report', '--sentences', HOSTILE[0], HOSTILE[3])
    assert code == 0, err
    return folder/'report'


def test_five_texts_and_two_models_of_other_widths_and_tokenizers(hostile):
    report = report_of(hostile, 2, 2)
    assert (hostile/'.DS_Store').exists()
    assert report['n_texts'] == 5 and report['chosen'] == [HOSTILE[0], HOSTILE[3]]
    assert [r['embedding_dim'] for r in report['models'].values()] == [16, 24]
    compared = report['comparisons']['other minus run']
    for name, d in compared['differences'].items():
        a, b = (r['measures'][name] for r in report['models'].values())
        assert d['difference'] == pytest.approx(b - a, abs=1e-4) and d['low'] <= d['difference'] <= d['high']
        assert d['says'] == ('no difference visible' if d['low'] <= 0 <= d['high'] else 'higher' if b > a else 'lower')
    assert set(compared['differences']) == set(report['models']['run']['measures'])
    # neighbours of the chosen texts, never themselves
    for r in report['models'].values():
        assert [t for t, _ in r['neighbours']] == report['chosen'] and all(t not in [n for n, _ in near]
            and len(near) == 4 for t, near in r['neighbours'])
    page = (hostile/'analysis.html').read_text(encoding='utf-8')
    assert page.count('<script') == page.count('</script>') == 2 and '<img src=x' not in page


@pytest.mark.parametrize('device', ['desktop', 'phone'])
def test_the_page_in_a_browser(open_tab, hostile, device):
    phone = dict(viewport=dict(width=390, height=800), is_mobile=True, has_touch=True, color_scheme='dark')
    desktop = dict(viewport=dict(width=1280, height=800), color_scheme='light')
    tab = open_tab(device_scale_factor=2, **(phone if device == 'phone' else desktop))
    tab.goto((hostile/'analysis.html').as_uri())
    tab.wait_for_selector('body[data-ready=yes]')
    assert tab.evaluate('window.ran') is None and not tab.errors, tab.errors
    assert all(url.startswith(('file:', 'data:')) for url in tab.requested), tab.requested  # nothing comes from outside
    assert tab.evaluate('document.documentElement.scrollWidth <= innerWidth')  # nothing to push sideways
    assert tab.evaluate('[...document.images].every(i => i.naturalWidth > 100 && i.alt.length > 20)')
    ink = tab.evaluate('getComputedStyle(document.body).color.match(/\\d+/g).map(Number)')
    assert max(ink) < 80 if device == 'desktop' else min(ink) > 180
    assert tab.evaluate('data.texts.length') == 5
    assert tab.locator('#method option').all_inner_texts() == ['PCA', 't-SNE']
    script = 'Object.assign(document.createElement("script"), {textContent: "window.ran = 1"})'
    tab.evaluate(f'document.body.append({script})')
    assert tab.evaluate('window.ran') is None  # the policy stops what is not ours
    tab.focus('#find')
    tab.keyboard.type('FOURTH')
    tab.until('$("found").children.length == 1')
    assert tab.inner_text('#status') == '1 of 5 texts'
    tab.locator('#found button').click()
    assert tab.inner_text('#picked') == HOSTILE[3]
    assert [near.locator('li').count() for near in tab.locator('.near').all()] == [4, 4]         # in both models
    tab.get_by_text('clear').click()
    assert tab.is_hidden('#which') and tab.locator('#found li').count() == 0
    tab.locator('canvas').nth(1).scroll_into_view_if_needed()
    x, y = tab.evaluate("""() => {
        const chart = maps[1].chart, [x, y] = chart.at(0), box = chart.canvas.getBoundingClientRect()
        return [x + box.left, y + box.top] }""")
    if device == 'phone': tab.touchscreen.tap(x, y)
    else:
        tab.mouse.move(x, y)
        tab.until('!maps[1].chart.tip.hidden')
        # pointing names what stands there
        assert tab.locator('.tip').nth(1).inner_text().startswith(tab.evaluate('data.texts[0]'))
        tab.mouse.click(x, y)
    tab.until('picked == 0')
    assert tab.evaluate('data.texts[data.models[0].near[0][0][0]]') in tab.locator('.near button').first.inner_text()
    tab.evaluate('pick(-1)')
    tab.locator('canvas').first.focus()
    tab.keyboard.press('Enter')
    assert tab.evaluate('picked == maps[0].chart.nearest(maps[0].chart.middle(), Infinity) && picked >= 0')
    tab.select_option('#method', 'tsne')
    assert tab.evaluate('maps[0].chart.points.x.join() == data.models[0].maps.tsne[0].join()')


@pytest.mark.slow
def test_twenty_thousand_texts(model, tmp_path):
    (tmp_path/'many.txt').write_text('\n'.join(sentences(25_000)) + '\n', encoding='utf-8')
    code, _, err = run('rt_analyse', '--model', model, '--input', tmp_path/'many.txt', '--output', tmp_path/'report',
                       '--max_texts', 20_000)
    assert code == 0, err
    report = report_of(tmp_path/'report')
    assert report['n_texts'] == 20_000 and max(report['tasks'].values()) <= 5000
    assert (tmp_path/'report'/'analysis.html').stat().st_size < 4e6


def test_pairs_two_models_and_before_training(model, tmp_path):
    flags = ['--input', model.parent/'pairs.tsv', '--output', tmp_path/'report', '--max_texts', 60]
    code, _, err = run('rt_analyse', '--model', model, model/'best', '--untrained', *flags)
    assert code == 0, err
    report = report_of(tmp_path/'report', 3, 2)
    assert list(report['models']) == ['run untrained', 'run', 'best'] and set(report['tasks']) == {'pairs'}
    assert report['n_texts'] == 2*report['tasks']['pairs'] <= 120
    first, trained, again = report['models'].values()
    # a run stands for its best model
    assert trained == again
    assert first['measures']['alignment, pairs'] != trained['measures']['alignment, pairs']
    assert 'tokens' not in first and 'layers' in trained
    assert list(report['comparisons']) == ['run minus run untrained', 'best minus run']
    assert all(d['says'] == 'no difference visible'
               for d in report['comparisons']['best minus run']['differences'].values())
    before = (tmp_path/'report'/'analysis.json').read_bytes()
    # replaces its own report, with the same numbers
    assert run('rt_analyse', '--model', model, model/'best', '--untrained', *flags)[0] == 0
    report_of(tmp_path/'report', 3, 2)
    assert (tmp_path/'report'/'analysis.json').read_bytes() == before


def test_bad_input_is_one_line_and_writes_nothing(model, tmp_path):
    "A few of them as a user meets them; test_cells_report.py goes through all."
    (tmp_path/'few.txt').write_text('only one short sentence here\n'*30)
    (tmp_path/'latin.txt').write_bytes('four words are gut\nfünf wörter sind schön hier\n'.encode('latin-1'))
    (tmp_path/'mine').mkdir()
    (tmp_path/'mine'/'notes.txt').write_text('mine')
    pairs, out = model.parent/'pairs.tsv', tmp_path/'out'
    for flags, contains in (
            (['--input', tmp_path/'few.txt'], ['few.txt', '5 are needed']),
            (['--input', tmp_path/'latin.txt'], ['latin.txt', '2']),
            (['--compare', tmp_path/'nowhere'], 'nowhere'), (['--sentences', ' '], 'sentences'),
            (['--output', tmp_path/'mine'], 'notes.txt')):
        refused(run('rt_analyse', *['--model', model, '--input', pairs, '--output', out, *flags]), *contains)
    assert not out.exists() and [p.name for p in (tmp_path/'mine').iterdir()] == ['notes.txt']


def test_a_model_of_nan_is_refused(model, tmp_path):
    import shutil
    from safetensors.torch import load_file, save_file
    shutil.copytree(model/'last', tmp_path/'sick')
    weights = load_file(tmp_path/'sick'/'model.safetensors')
    save_file({k: v*float('nan') for k, v in weights.items()}, tmp_path/'sick'/'model.safetensors',
              metadata={'format': 'pt'})
    refused(run('rt_analyse', '--model', tmp_path/'sick', '--input', model.parent/'pairs.tsv', '--output',
                tmp_path/'out'), 'NaN')
    assert not (tmp_path/'out').exists()


def test_help_explains_every_flag():
    code, out, err = run('rt_analyse', '--help')
    assert code == 0 and all(f in out for f in ('--model', '--input', '--output', '--untrained', '--compare',
                                                '--sentences', '--max_texts', '--seed')) and 'None' not in out, err
