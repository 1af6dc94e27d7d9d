"""A draft of the site without Quarto: `python tools/make_site.py` writes pages to _proc/html (`make site`).

The notebooks go through the same steps of nbdev that the real site uses (`process`); nbconvert makes HTML of them. CI
has Quarto do that."""
import ast
import os
import re
import shutil
import sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent


def process(folder):
    """Write what nbdev makes of all notebooks, and the files beside them, to a folder; in one process, which imports
    torch once."""
    from execnb.nbio import read_nb, write_nb
    from nbdev.processors import FilterDefaults
    folder, here = Path(folder), os.getcwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(root)  # nbdev looks for settings.ini from here
    try:
        for path in sorted((root/'nbs').iterdir()):
            if path.suffix == '.ipynb':
                nb = read_nb(path)
                FilterDefaults()(nb)
                write_nb(nb, folder/path.name)
            elif path.is_file() and not path.name.startswith('.'): shutil.copy(path, folder/path.name)
    finally: os.chdir(here)
    return folder


def undocumented():
    "Public names without a docstring or with one that a card would break, and parameters without a word about them."
    for path in sorted((root/'rt_embedding').glob('[a-z]*.py')):
        source = path.read_text(encoding='utf-8')
        lines = source.split('\n')
        for f in ast.parse(source).body:
            if not isinstance(f, (ast.FunctionDef, ast.ClassDef)) or f.name.startswith('_'): continue
            if isinstance(f, ast.FunctionDef) and any('patch' in ast.unparse(d) for d in f.decorator_list):
                owner = f.args.args[0].annotation
                if owner is not None and ast.unparse(owner).startswith('_'): continue  # a method of a private class
            if not (words := ast.get_docstring(f)): yield f'{path.name}: {f.name} has no docstring'
            if '*' in re.sub(r'`[^`]*`', '', words or ''):  # the card sets the docstring between asterisks
                yield f'{path.name}: {f.name} has an asterisk outside of backticks'
            for g in [f] if isinstance(f, ast.FunctionDef) else [g for g in f.body if isinstance(g, ast.FunctionDef)
                                                                 and g.name == '__init__']:
                given = [a for a in g.args.posonlyargs + g.args.args + g.args.kwonlyargs
                         if a.arg not in ('self', 'cls')]
                for a in given:
                    if '#' not in lines[a.end_lineno - 1][a.end_col_offset:] and 'Param(' not in ast.unparse(a):
                        yield f'{path.name}: {f.name} does not say what {a.arg} is'


HEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="icon" href="../favicon.svg">
<title>{title}</title><link rel="stylesheet" href="../styles.css"><style>
:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} .highlight span {{ color: inherit !important; }} }}
body {{ margin: 0 auto; padding: 0 16px; max-width: 860px; font: 17px/1.5 system-ui, sans-serif;
  background: var(--body-bg); color: var(--text); }}
a {{ color: var(--link-color); }} nav a {{ margin-right: .8em; }} summary {{ color: var(--text-muted); }}
code {{ background: var(--code-bg); color: var(--code-color); }} pre code {{ color: inherit; }}
.highlight pre {{ background: var(--code-bg); padding: .5em; white-space: pre-wrap; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2em .6em; text-align: left; vertical-align: top; }}
</style></head><body><nav>{nav}</nav><main>{body}</main></body></html>
"""


def theme(name):
    "The colours of light.scss or dark.scss: name -> colour."
    return dict(re.findall(r'^\$([\w-]+): (#\w{6});', (root/'nbs'/f'{name}.scss').read_text(encoding='utf-8'), re.M))


def page_name(path): return re.sub(r'^\d+[a-z]*_', '', Path(path).with_suffix('.html').name)


def navigation():
    "The sidebar as plain links."
    import yaml
    site = yaml.safe_load((root/'_quarto.yml').read_text(encoding='utf-8'))['website']
    parts = [dict(section='', contents=[c]) if 'section' not in c else c
             for c in (c if isinstance(c, dict) else dict(text='RT Embedding', href=c)
                       for c in site['sidebar']['contents'])]
    links = [[f'<a href="{page_name(c["href"])}">{c["text"]}</a>' for c in p['contents']] for p in parts]
    return ''.join(f'<details><summary>{p["section"]}</summary>{" ".join(row)}</details>' if p['section'] else row[0]
                   for p, row in zip(parts, links, strict=True))


def fold(cell):
    "A cell as the cells of the draft: what is folded, between two marks, then its outputs."
    import nbformat
    from nbformat.v4 import new_markdown_cell
    said = dict(re.findall(r'^#\| ([\w-]+): "?(.*?)"?$', cell.source, re.M))
    for o in cell.outputs:
        if 'text/markdown' in o.get('data', {}):  # Quarto's own
            o['data']['text/markdown'] = re.sub(r'(?<=\))\{target=[^}]*\}', '', o['data']['text/markdown'])
        if 'fig-alt' in said and 'image/png' in o.get('data', {}):
            o.setdefault('metadata', {})['alt'] = said['fig-alt']
            o.metadata |= o.metadata.get('image/png', {})
    cell.source = re.sub(r'^#\|.*\n', '', cell.source, flags=re.M)
    below = [new_markdown_cell(f'*Figure: {said["fig-cap"]}*')] if 'fig-cap' in said else []
    if said.get('echo') == 'false' or said.get('code-fold') == 'true':
        result = nbformat.v4.new_code_cell('', outputs=cell.outputs)
        result.metadata['transient'] = {'remove_source': True}
        if said.get('echo') == 'false': return [result, *below]
        code = f'FOLD {said["code-summary"]} FOLD\n\n~~~~python\n{cell.source}\n~~~~\n\nDLOF'
        return [new_markdown_cell(code), result, *below]   # one cell, since nbconvert closes a tag at its end
    return [cell, *below]


def pages(folder):
    "HTML of the processed notebooks, links between them set, answers, source and tests folded."
    import nbformat
    import yaml
    from nbconvert import HTMLExporter
    out = folder/'html'
    out.mkdir(exist_ok=True)
    colours = {name: '; '.join(f'--{k}: {v}' for k, v in (theme(name) | dict(text=text)).items())
               for name, text in (('light', '#343a40'), ('dark', '#f0f0f0'))}
    nav, exporter = navigation(), HTMLExporter(
        template_name='basic', embed_images=False, exclude_input_prompt=True, exclude_output_prompt=True)
    for path in sorted(folder.glob('*.ipynb')):
        nb = nbformat.read(path, 4)
        front = nb.cells.pop(0).source if nb.cells[0].cell_type == 'raw' else ''
        said = yaml.safe_load(front.strip().strip('-')) or {}
        title = [said[k] for k in ('title', 'description') if k in said]
        nb.cells.insert(0, nbformat.v4.new_markdown_cell('# ' + '\n\n> '.join(title or [path.stem])))
        for c in nb.cells:
            if c.cell_type != 'code':
                c.source = re.sub(r'^::: *\{\.callout-\w+ collapse="true" title="([^"]*)"\}\n(.*?)^::: *$',
                                  r'FOLD \1 FOLD\n\n\2\n\nDLOF\n', c.source, flags=re.M | re.S)
                c.source = re.sub(r'^:::.*$', '', c.source, flags=re.M)
                c.source = re.sub(r'\]\((\w+\.(?:png|svg))\)', r'](../\1)', c.source)
        nb.cells = [d for c in nb.cells for d in (fold(c) if c.cell_type == 'code' else [c])]
        html, _ = exporter.from_notebook_node(nb, {'metadata': {'path': str(folder)}})
        # nbconvert closes a tag at the end of its block
        html = re.sub(r'<p>FOLD (.*?) FOLD</p>', r'<details><summary>\1</summary>', html).replace('<p>DLOF</p>',
                                                                                                  '</details>')
        html = re.sub(r'href="(\d+[a-z]*_)?(\w+)\.ipynb', r'href="\2.html', html)
        (out/page_name(path)).write_text(HEAD.format(title=(title or [path.stem])[0], nav=nav, body=html, **colours),
                                         encoding='utf-8')
    return out


if __name__ == '__main__': print(pages(process(sys.argv[1] if len(sys.argv) > 1 else root/'_proc')))
