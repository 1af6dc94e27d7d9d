"""What every notebook owes its readers, looked at without running it: `python tools/check_notebooks.py` exits 1 and
says what is missing.

Committed executed, without errors or machine paths, small, with ids; pictures with alternative texts; links that lead
somewhere; and a chapter has a title, a promise, a first cell for Colab, and exercises whose folded answers stand in a
cell that runs. `pages_problems` looks at a folder of processed notebooks, the input of the site (tests/test_site.py
does, chapter 17 explains it)."""
import ast
import re
import sys
from collections import Counter, defaultdict
from configparser import ConfigParser
from pathlib import Path

import nbformat
import yaml

root = Path(__file__).resolve().parent.parent
_settings = ConfigParser(delimiters=['='])
_settings.read(root/'settings.ini', encoding='utf-8')
SETTINGS = _settings['DEFAULT']
REPOSITORY, SITE = SETTINGS['git_url'], SETTINGS['doc_host'] + SETTINGS['doc_baseurl']

PLACES = re.compile(
    r'''(?<![\w.-])/(?:tmp|root|home|Users|work|workspace|mnt|opt|usr|var|private|srv|content|proc|run|nix)/[^\s'"<>)]+'''
                    # of the machine that ran the notebook
                    r'''|[^\s'"<>(]*(?:site|dist)-packages[/\\][^\s'"<>)]*|(?<![\w/])~/[\w.][^\s'"<>)]*|\b[A-Z]:\\+Users\\+[^\s'"<>)]*''')
ANSI = re.compile(r'\x1b\[[\d;]*m')  # colours of a traceback: their last letter would hide the beginning of a path
# at the left margin: such a cell leaves an output
SHOWS = re.compile(r'^(print\(|plot_|ax = |fig, |fig = |plt\.)', re.M)
FENCE = re.compile(r'^ *```.*?^ *```', re.M | re.S)
ANSWER = re.compile(r'^::: *\{\.callout-tip collapse="true" title="(Answers?)"\}\n(.*?)^:::\s*$', re.M | re.S)
NUMBERED = re.compile(r'^(?:\*\*)?\d+\.(?:\*\*)? ', re.M)
LINK = re.compile(r'(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)')
HTML_LINK, IMAGE = re.compile(r'<a\b[^>]*?\bhref="([^"]+)"'), re.compile(r'<img\b[^>]*>')
REFERENCE = ('index.ipynb', '18_all_commands.ipynb', '18a_presets.ipynb',
             '18b_file_formats.ipynb', '19_reference.ipynb', '13b_own_text.ipynb',
             '99_package.ipynb')  # pages without exercises
COLUMN = 100  # characters of a printed table; a longer row wraps on the page, and nobody can follow it
GAPS = re.compile(r'\S {2,}(?=\S)')
WIDTH = 120  # columns of a line of code; a directive (#| fig-alt: "…") must stay on one line

COLAB = f'''#| hide
import os, subprocess, sys
if 'google.colab' in sys.modules:  # there this cell fetches the project and installs it; elsewhere it does nothing
    if not os.path.exists('/content/rt_embedding'):
        clone = 'git clone -q --depth 1 {REPOSITORY} /content/rt_embedding'
        for line in (clone, 'pip install -q "/content/rt_embedding[colab]"'):
            subprocess.run(line, shell=True, check=True)
    os.chdir('/content/rt_embedding/nbs')'''


def colab_link(name):
    "What stands below the title of a notebook."
    return f"[Open in Colab]({REPOSITORY.replace('https://github.com', 'https://colab.research.google.com/github')}/blob/main/nbs/{name})"


def shown(cell):
    "All text that a cell put out."
    texts = [t for o in cell.outputs for t in [o.get('text', ''),
                                               *(v for k, v in o.get('data', {}).items() if k.startswith('text/'))]]
    return '\n'.join(''.join(t) for t in texts)


def strings(value):
    "All strings inside of dicts and lists."
    if isinstance(value, str): yield value
    elif isinstance(value, (dict, list)):
        for v in value.values() if isinstance(value, dict) else value: yield from strings(v)


def places_shown(cell):
    "Paths of this machine in whatever a cell put out: both streams, values, HTML, vector pictures, tracebacks."
    for o in cell.outputs:
        data = [v for k, v in o.get('data', {}).items() if k not in ('image/png', 'image/jpeg')]
        for text in strings([o.get('text', ''), o.get('evalue', ''), o.get('traceback', []), data]):
            yield from (m[0] for m in PLACES.finditer(ANSI.sub('', text)))


def options(cell):
    "The Quarto options of a cell, `#| key: value`; raises ValueError where Quarto's YAML reader would give up."
    found = {}
    for line in cell.source.split('\n'):
        if re.match(r'#\|\s*[\w-]+:\s', line):
            try: found |= yaml.safe_load(line[2:].strip())
            except (yaml.YAMLError, TypeError):
                raise ValueError(f'{line:.60}… is not YAML: put the text into double quotes') from None
    return found


def heading_id(text):
    "The anchor that Pandoc gives a heading."
    if given := re.search(r'\{#([\w.-]+)', text): return given[1]
    text = re.sub(r'\{[^}]*\}\s*$', '', LINK.sub(r'\2', text))
    text = re.sub(r'\s+', '-', re.sub(r'[^\w\s.-]', '', text.lower()).strip())
    return re.sub(r'^[^a-z]+', '', text) or 'section'


def page_text(cell):
    "The Markdown that a cell gives the page, code left out."
    if cell.cell_type == 'markdown': return FENCE.sub('', cell.source)
    if cell.cell_type != 'code': return ''
    return '\n'.join(FENCE.sub('', ''.join(o['data'][kind])) for o in cell.outputs
                     for kind in ('text/markdown', 'text/html') if kind in o.get('data', {}))


def anchors(nb):
    "All places of a page that a link may name."
    headings = [t for c in nb.cells for t in re.findall(r'^#{1,6} +(.+)$', page_text(c), re.M)]
    seen, ids = Counter(), set()
    for i in map(heading_id, headings):
        ids.add(f'{i}-{seen[i]}' if seen[i] else i)
        seen[i] += 1
    # the page has a reference of each
    ids |= {n.lower() for c in nb.cells if re.match(r'#\| *exports?\b', c.source)
            for n in re.findall(r'^(?:def|class) ([A-Za-z]\w*)', c.source, re.M)}
    return ids | {n.lower() for c in nb.cells for n in re.findall(r'^show_doc\(([\w.]+)\)', c.source, re.M)} | {i
        for c in nb.cells for i in re.findall(r'\bid="([^"]+)"', page_text(c))}


def link_problems(name, nb, folder, places):
    "Links and images of a notebook that lead nowhere or have no words. `places`: file name -> anchors of that page."
    # as nbdev names the pages
    html = {re.sub(r'^\d+[a-z]*_', '', p.removesuffix('.ipynb')) + '.html': p for p in places}
    for k, c in enumerate(nb.cells):
        text = re.sub(r'`[^`\n]*`', '', page_text(c))
        if re.search(r'\[[^\[\]]*\[[^\[\]]*\]\([^)\s]*\)[^\[\]]*\]\(', page_text(c)):
            yield f'{name} cell {k}: a link inside of a link'
        links = [(words, target) for picture, words, target in LINK.findall(text) if not picture]
        for target in [t for _, t in links] + HTML_LINK.findall(text):
            if target.startswith(SITE + '/'):
                path, _, anchor = target[len(SITE) + 1:].partition('#')
                path = html.get(path, path)
            elif re.match(r'\w+:', target): continue  # the world outside is not ours to check
            else:
                path, _, anchor = target.partition('#')
                path = path or name
            if path in places:
                if anchor and anchor not in places[path]: yield f'{name} cell {k}: {path} has no heading #{anchor}'
            elif not (folder/path).is_file(): yield f'{name} cell {k}: the link {target} leads nowhere'
        for words, target in [(w, t) for picture, w, t in LINK.findall(text) if picture] + [
                (''.join(re.findall(r'\balt="([^"]*)"', tag)), ''.join(re.findall(r'\bsrc="([^"]*)"', tag)))
                for tag in IMAGE.findall(text)]:
            if not words.strip(): yield f'{name} cell {k}: the picture {target:.60} has no alternative text'
            if not re.match(r'\w+:', target) and not (folder/target).is_file():
                yield f'{name} cell {k}: the picture {target} is not there'
        if c.cell_type == 'code' and any(m.startswith('image/') for o in c.outputs for m in o.get('data', {})):
            try: words = options(c).get('fig-alt', '')
            except ValueError: continue  # told elsewhere
            if not str(words).strip(): yield f'{name} cell {k}: a picture without `#| fig-alt: "…"`'


def figure_problems(name, nb):
    "Pictures without a caption and a label by which a text can cite them, and labels that two pictures share."
    labels = Counter()
    for k, c in enumerate(nb.cells):
        if c.cell_type != 'code' or not any('image/png' in o.get('data', {}) for o in c.outputs): continue
        try: said = options(c)
        except ValueError: continue  # told elsewhere
        if not str(said.get('fig-cap', '')).strip(): yield f'{name} cell {k}: a picture without `#| fig-cap: "…"`'
        label = str(said.get('label', ''))
        if not re.fullmatch(r'fig-[a-z0-9-]+', label): yield f'{name} cell {k}: a picture without `#| label: fig-…`'
        labels[label] += 1
    yield from (f'{name}: {n} pictures are called {label}' for label, n in labels.items() if n > 1 and label)


def contrast(one, other):
    "Contrast of two colours, `#rrggbb`, as the web standard WCAG defines it: 1 to 21."
    def brightness(colour):
        parts = [int(colour[k:k + 2], 16)/255 for k in (1, 3, 5)]
        parts = [v/12.92 if v <= .04045 else ((v + .055)/1.055)**2.4 for v in parts]
        return .2126*parts[0] + .7152*parts[1] + .0722*parts[2]
    dark, light = sorted(map(brightness, (one, other)))
    return (light + .05)/(dark + .05)


def style_problems(folder):
    "Colours that are hard to read, anything from another host, and a footer with another version than the package."
    for name in ('light', 'dark'):
        text = (folder/f'{name}.scss').read_text(encoding='utf-8')
        colour = dict(re.findall(r'^\$([\w-]+): (#\w{6});', text, re.M))
        for over, under in (('link-color', 'body-bg'), ('text-muted', 'body-bg'), ('code-color', 'code-bg'),
                            ('link-color', 'code-bg'), ('navbar-fg', 'primary')):
            if (c := contrast(colour[over], colour[under])) < 4.5:
                yield f'{name}.scss: {over} on {under} has a contrast of {c:.1f}, below 4.5'
        if '$web-font-path: false;' not in text: yield f'{name}.scss: the theme would load fonts from another host'
    for path in [*folder.glob('*.scss'), *folder.glob('*.css')]:
        for host in re.findall(r'(?:url\(|@import)[^;)]*//[^;)]*', path.read_text(encoding='utf-8')):
            yield f'{path.name}: loads {host}'
    footer = yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))['website']['page-footer']['left']
    if SETTINGS['version'] not in footer: yield f"_quarto.yml: the footer does not say version {SETTINGS['version']}"


def wide_rows(cell):
    "Rows of a printed table that a page would break: at least three columns kept apart by spaces, longer than COLUMN."
    if re.match(r'#\|\s*hide\b', cell.source): return
    plain = [o.get('text', '') for o in cell.outputs] + [o['data'].get('text/plain', '') for o in cell.outputs
        if 'data' in o and not any(k != 'text/plain' for k in o['data'])]
    lines = '\n'.join(map(''.join, plain)).split('\n')
    wide = [line for line in lines if len(line) > COLUMN and len(GAPS.findall(line.strip())) >= 2 and line[0] != '|']
    if len(wide) > 1: yield from wide


def exercise_problems(name, nb):
    "A chapter ends with exercises; each has a folded answer, and what an answer says in code is run by a cell."
    start = next((k for k, c in enumerate(nb.cells) if c.cell_type == 'markdown'
                  and re.search(r'^#+ Exercises', c.source, re.M)), None)
    if start is None:
        yield f'{name}: no exercises'
        return
    text = '\n'.join(c.source for c in nb.cells[start:] if c.cell_type == 'markdown')
    text = text[re.search(r'^#+ Exercises', text, re.M).start():]
    folded = ANSWER.findall(text)
    asked = len(NUMBERED.findall(FENCE.sub('', ANSWER.sub('', text))))
    answered = sum(1 if title == 'Answer' else len(NUMBERED.findall(FENCE.sub('', body))) for title, body in folded)
    if not asked or asked != answered: yield f'{name}: {asked} exercises, {answered} folded answers'
    run = [line.strip() for c in nb.cells if c.cell_type == 'code' for line in c.source.split('\n')]
    for _, body in folded:
        for line in '\n'.join(re.findall(r'```python\n(.*?)```', body, re.S)).split('\n'):
            # comments and docstrings may differ, and a test may say more when it fails
            line = line.split('  #')[0].strip()
            if line and line[0] not in '"#' and not any(r.startswith(line) for r in run):
                yield f'{name}: an answer has a line that no cell runs: {line:.60}'
    if not any(re.search(r'^\s*(assert|test_|with refused)', c.source, re.M) for c in nb.cells[start:]
               if c.cell_type == 'code'):
        yield f'{name}: no cell after the exercises tests an answer'


def cell_problems(cell):
    "What is wrong with one code cell: directives, width, paths of this machine, errors, outputs that are missing."
    try: options(cell)
    except ValueError as e: yield str(e)
    for line in cell.source.split('\n'):
        if len(line) > WIDTH and not line.startswith('#|'): yield f'{len(line)} columns, {line:.60}…'
    for place in places_shown(cell): yield f'the output shows a place on this machine, {place:.60}'
    for line in wide_rows(cell): yield f'a printed row of {len(line)} columns, use plots.Table: {line:.40}…'
    if re.search(r'^#\|\s*(export|eval: *false|slow|cuda|notest)', cell.source, re.M): return
    for o in cell.outputs:
        if o.output_type == 'error': yield f'error output {o.ename}'
    if SHOWS.search(cell.source) and not cell.outputs:
        yield 'prints or plots, but holds no output: run all before committing'


def problems(path, places=None):
    "What is wrong with one notebook of ours, a line each. `places`: file name -> anchors of all notebooks."
    nb, name = nbformat.read(path, 4), path.name
    if path.stat().st_size > 1.5e6: yield f'{name}: over 1.5 MB'
    for k, c in enumerate(nb.cells):
        if not c.get('id'): yield f'{name} cell {k}: no id'
        if c.cell_type == 'code': yield from (f'{name} cell {k}: {problem}' for problem in cell_problems(c))
    words = [c.source for c in nb.cells if c.cell_type == 'markdown']
    if not words or not re.match(r'# \S.*\n\n> \S', words[0]):
        yield f'{name}: the first words must be `# Title`, an empty line, `> the promise`'
    if nb.cells[0].source != COLAB:
        yield f'{name}: the first cell is not the one for Colab (COLAB in tools/check_notebooks.py)'
    if words[1:2] != [colab_link(name)]: yield f'{name}: below the title belongs {colab_link(name)}'
    if name not in REFERENCE: yield from exercise_problems(name, nb)
    yield from figure_problems(name, nb)
    yield from link_problems(name, nb, path.parent, {name: anchors(nb)} if places is None else places)


def pages_problems(folder):
    "What is wrong in a folder of processed notebooks: links, anchors, pictures, and what should have been hidden."
    read = {p.name: nbformat.read(p, 4) for p in sorted(folder.glob('*.ipynb'))}
    places = {name: anchors(nb) for name, nb in read.items()}
    for name, nb in read.items(): yield from page_problems(name, nb, folder, places)


def page_problems(name, nb, folder, places):
    "The same for one page. `places`: file name -> anchors of all pages."
    yield from link_problems(name, nb, folder, places)
    for k, c in enumerate(nb.cells):
        if 'google.colab' in c.source and c.cell_type == 'code':
            yield f'{name} cell {k}: the cell for Colab is not hidden'
        if re.search(r'^show_doc\(', c.source, re.M) and c.cell_type == 'code' and not page_text(c):
            yield f'{name} cell {k}: {c.source.splitlines()[-1]} shows nothing'


def map_problems(folder):
    "Every notebook stands in the sidebar, with its number and title, and in the map of the index; nothing else does."
    titles = {}
    for path in folder.glob('*.ipynb'):
        words = next(c.source for c in nbformat.read(path, 4).cells if c.cell_type == 'markdown')
        titles[path.name] = f"{path.name.split('_')[0]} {words.split(chr(10))[0].removeprefix('# ')}"
    contents = yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))['website']['sidebar']['contents']
    entries = [c for part in contents if 'section' in part for c in part['contents']]
    for c in entries:
        if titles.get(c['href'], c['text']) != c['text']:
            yield f"_quarto.yml: {c['href']} stands as {c['text']!r}, its title is {titles[c['href']]!r}"
    names, sidebar = set(titles) - {'index.ipynb'}, [c['href'] for c in entries]
    for name, n in Counter(sidebar).items():
        if n > 1: yield f'_quarto.yml: {name} stands {n} times in the sidebar'
    index = nbformat.read(folder/'index.ipynb', 4)
    table = {t for c in index.cells for t in re.findall(r'^\| \[.*?\]\((\w+\.ipynb)\)', page_text(c), re.M)}
    for where, listed in (('_quarto.yml', set(sidebar)), ('the map in nbs/index.ipynb', table)):
        for name in sorted(names - listed): yield f'{where}: {name} is missing'
        for name in sorted(listed - names): yield f'{where}: {name} is no notebook'


def module_of(nb):
    "The module that a notebook exports, or None."
    cells = (c for c in nb.cells if c.cell_type == 'code')
    return next((m[1] for c in cells for m in [re.match(r'#\| *default_exp +(\w+)', c.source)] if m), None)


def order_problems(notebooks):
    """Chapters that import from a later one, at the top of a module or inside of a function. `notebooks`: file name ->
    notebook."""
    home = {module: name for name, nb in notebooks.items() if (module := module_of(nb))}
    for name, nb in notebooks.items():
        if module_of(nb) is None: continue  # pages around the chapters may look at all of them
        for k, c in enumerate(nb.cells):
            if c.cell_type != 'code': continue
            for module in re.findall(r'^\s*(?:from|import) rt_embedding\.(\w+)', c.source, re.M):
                if home.get(module, '') > name: yield f'{name} cell {k}: imports from the later chapter {home[module]}'


def bound_names(source):
    """The names that the top level of a module binds, in order: (name, line, kind), where kind is 'import', 'method'
    (fastcore's @patch) or 'own'."""
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            patched = any('patch' in ast.unparse(d).split('(')[0] for d in node.decorator_list)
            yield node.name, node.lineno, 'method' if patched else 'own'
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names: yield alias.asname or alias.name.split('.')[0], node.lineno, 'import'
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for part in ast.walk(target):
                    if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store): yield part.id, node.lineno, 'own'


def name_problems(package):
    """Names that one module binds twice, and public names that two modules define: the later silently wins, in the
    module or where both are imported. A notebook cannot notice, since its test of the first runs before the second.
    Methods added by @patch may share their names."""
    owners = defaultdict(list)
    for path in sorted(package.glob('*.py')):
        if path.name in ('_modidx.py', '__init__.py'): continue
        bound = defaultdict(list)
        for name, line, kind in bound_names(path.read_text(encoding='utf-8')):
            if not name.startswith('__'): bound[name].append((line, kind))
        for name, places in bound.items():
            if len(places) > 1 and any(kind == 'own' for _, kind in places):
                yield f'{path.name}: {name} is bound in lines ' + ' and '.join(str(line) for line, _ in places)
            if name[0] != '_' and any(kind == 'own' for _, kind in places): owners[name].append(path.stem)
    for name, modules in owners.items():
        if len(modules) > 1: yield f'{name} is defined by ' + ' and '.join(modules)


if __name__ == '__main__':
    paths = sorted((root/'nbs').glob('*.ipynb'))
    notebooks = {p.name: nbformat.read(p, 4) for p in paths}
    places = {name: anchors(nb) for name, nb in notebooks.items()}
    found = [p for f in paths for p in problems(f, places)]
    found += [*map_problems(root/'nbs'), *order_problems(notebooks), *name_problems(root/'rt_embedding'),
              *style_problems(root/'nbs')]
    print('\n'.join(found) or 'all notebooks are executed and complete')
    sys.exit(bool(found))
