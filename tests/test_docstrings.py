"""Reading docstrings, tested with the imported module: a notebook runs its tests before the last cells are defined."""
import ast, importlib.util
from pathlib import Path
from string import Formatter
import pytest
from rt_embedding.python_files import read_python_source
from rt_embedding.python_files import _text_of

def text(source): return _text_of(ast.parse(source, mode='eval').body)

def test_format_leaves_other_text_as_it_stands():
    assert text("'Return the {kind} of   the array ,x.'.format(kind=k)") == 'Return the  of   the array ,x.'
    assert text("'Return the {kind} of   the array ,x.'.format()") == 'Return the {kind} of   the array ,x.'
    assert text("'a {{set}} and a {box}box'.format(**common)") == 'a {set} and a box'

def torch_docs():
    "The file in which PyTorch documents its C functions, and every docstring that it gives them."
    path = Path(importlib.util.find_spec('torch').origin).parent/'_torch_docs.py'
    calls = [n for n in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
             if isinstance(n, ast.Call) and getattr(n.func, 'id', '') == 'add_docstr']
    return path, {ast.unparse(c.args[0]): c.args[1] for c in calls}

def literal_text(node):
    "The same by Python's own reader of formats: a second opinion."
    if isinstance(node, ast.Constant): return node.value
    if isinstance(node, ast.JoinedStr): return ''.join(map(literal_text, node.values))
    if isinstance(node, ast.FormattedValue): return ''
    if isinstance(node, ast.BinOp): return literal_text(node.left) + literal_text(node.right)
    return ''.join(part for part, *_ in Formatter().parse(literal_text(node.func.value)))

def test_no_docstring_of_torch_loses_words():
    _, docs = torch_docs()
    formatted = [name for name, node in docs.items() if isinstance(node, ast.Call)]
    assert len(docs) > 300 and len(formatted) > 100
    read = {name: _text_of(node) for name, node in docs.items()}
    lost = [name for name, node in docs.items() if read[name] != literal_text(node)]
    assert not lost, f'{len(lost)} of {len(docs)}: {lost}'

@pytest.mark.parametrize('name, word', [('torch.add', 'alpha'), ('torch.kthvalue', 'dim'), ('torch.linspace', 'dtype')])
def test_a_parameter_of_torch_is_still_there(name, word):
    path, _ = torch_docs()
    found = {'torch.' + n.removeprefix('.torch.').removeprefix('torch.'): (signature, parameters)
             for n, signature, _, _, parameters, _ in read_python_source(path, 'torch._torch_docs', False).objects}
    signature, parameters = found[name]
    assert word in dict(parameters), (signature, parameters)
