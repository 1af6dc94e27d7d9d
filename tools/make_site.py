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
    "Public names of the package that lack a docstring, and parameters without a word about them."
    for path in sorted((root/'rt_embedding').glob('[a-z]*.py')):
        source = path.read_text(encoding='utf-8')
        lines = source.split('\n')
        for f in ast.parse(source).body:
            if not isinstance(f, (ast.FunctionDef, ast.ClassDef)) or f.name.startswith('_'): continue
            if isinstance(f, ast.FunctionDef) and any('patch' in ast.unparse(d) for d in f.decorator_list):
                owner = f.args.args[0].annotation
                if owner is not None and ast.unparse(owner).startswith('_'): continue  # a method of a private class
            if not ast.get_docstring(f): yield f'{path.name}: {f.name} has no docstring'
            for g in [f] if isinstance(f, ast.FunctionDef) else [g for g in f.body if isinstance(g, ast.FunctionDef)
                                                                 and g.name == '__init__']:
                given = [a for a in g.args.posonlyargs + g.args.args + g.args.kwonlyargs
                         if a.arg not in ('self', 'cls')]
                for a in given:
                    if '#' not in lines[a.end_lineno - 1][a.end_col_offset:] and 'Param(' not in ast.unparse(a):
                        yield f'{path.name}: {f.name} does not say what {a.arg} is'


def pages(folder):
    "HTML of the processed notebooks, links between them set, answers folded."
    import nbformat
    import yaml
    from nbconvert import HTMLExporter
    out = folder/'html'
    out.mkdir(exist_ok=True)
    for path in sorted(folder.glob('*.ipynb')):
        nb = nbformat.read(path, 4)
        front = nb.cells.pop(0).source if nb.cells[0].cell_type == 'raw' else ''
        said = yaml.safe_load(front.strip().strip('-')) or {}
        title = [said[k] for k in ('title', 'description') if k in said]
        nb.cells.insert(0, nbformat.v4.new_markdown_cell('# ' + '\n\n> '.join(title or [path.stem])))
        for c in nb.cells:
            if c.cell_type == 'code':
                words = re.search(r'^#\| fig-alt: "?(.*?)"?$', c.source, re.M)
                for o in c.outputs:
                    # Quarto's own
                    if 'text/markdown' in o.get('data', {}):
                        o['data']['text/markdown'] = re.sub(r'(?<=\))\{target=[^}]*\}', '', o['data']['text/markdown'])
                    if words and 'image/png' in o.get('data', {}): o.setdefault('metadata', {})['alt'] = words[1]
                if re.search(r'^#\| echo: false', c.source, re.M): c.metadata['transient'] = {'remove_source': True}
                c.source = re.sub(r'^#\|.*\n', '', c.source, flags=re.M)
            else:
                c.source = re.sub(r'^::: *\{\.callout-\w+ collapse="true" title="([^"]*)"\}\n(.*?)^::: *$',
                                  r'FOLD \1 FOLD\n\n\2\n\nDLOF\n', c.source, flags=re.M | re.S)
                c.source = re.sub(r'^:::.*$', '', c.source, flags=re.M)
        html, _ = HTMLExporter(embed_images=True).from_notebook_node(nb, {'metadata': {'path': str(folder)}})
        # nbconvert closes a tag at the end of its block
        html = re.sub(r'<p>FOLD (.*?) FOLD</p>', r'<details><summary>\1</summary>', html).replace('<p>DLOF</p>',
                                                                                                  '</details>')
        html = re.sub(r'href="(\d+[a-z]*_)?(\w+)\.ipynb', r'href="\2.html', html)
        (out/re.sub(r'^\d+[a-z]*_', '', path.with_suffix('.html').name)).write_text(html, encoding='utf-8')
    return out


if __name__ == '__main__': print(pages(process(sys.argv[1] if len(sys.argv) > 1 else root/'_proc')))
