"""Twice the text, about twice the work: every reader, on shapes that are never closed, deeply nested or repeated.

The work is counted, not timed: the lines and calls that Python runs, which no other process changes. What a regular
expression does inside one call is no line of Python, so for those the ratio of processor times is used as well, of
inputs that are large enough for the clock, with a wide margin: a quadratic reader has 4 where a linear one has 2.
"""
import json, sys, time

import pytest

from rt_embedding.docstrings import is_sentence, is_summary, paragraphs, parse_docstring, plain_text
from rt_embedding.file_kinds import code_blocks, org_blocks, rst_blocks, tex_blocks, text_blocks
from rt_embedding.markdown import markdown_blocks, notebook_blocks
from rt_embedding.web_pages import html_blocks

HTML = ['<b>word ', '<div>', '<p><b>', '<svg></nav>', '<table><td>', '<ul><li>x', '<!--', '<', '<a ', '<script>',
        '&amp', '</p>', '<td>a', '<h1>x', '<pre>\n', '<nav>x', '<title>', '<b><i>x</b></i>', 'word\n', '<? ',
        '<!x', '<select>x']
MARKDOWN = ['[a](', '[', '![a', '`a``', '**a *b ', '> ```\na\n', '> a\nb\n', '- ', '- a\n', '<b>word </b>',
            '<!--\n', 'a <b ', '[a]: b\n', '|a|b|\n|-|-|\n', '!!! note\n    a\n', ':::\n', '[[a', '{{<', '{%',
            '{.', '&amp;', 'a  \n', 'http://a ', '<A ', '<Tab>\n\n', '[^1]: a\n', '```{note}\n', '=== "a"\n',
            '~~a', '\\', '> > - a\n']
DOC = ['[a](', '`a <', '`  ', '    ', '``` \n', ':math:`', ':param a ', 'f(a', "a'", '*a', '|a', '[1]_ ',
       '.. x::\n', '::\n', 'a : b\n', 'Args:\n', 'f(x)\n', '- a\n', '(a', 'a, ', '=== ', '>>> a\n', '<a',
       'http://', '\\', 'A word. ', ': ']
FILES = ['~', '   ', 'a\n', '\\section{', '\\begin{', '[[', '[[a][', '%', '$', '`a', ':a: b\n', '.. x::\n',
         '::\n   a\n', '===\n', '#+begin_src\n', ':x:\n', '* a\n', 'def a(', '/*', 'class A {\n', '"', '| a']

READERS = {'html': (html_blocks, HTML), 'markdown': (markdown_blocks, MARKDOWN + HTML[::3]),
           'notebook': (lambda text: notebook_blocks(json.dumps(dict(cells=[dict(cell_type='markdown', source=text)]))),
                        MARKDOWN[::4]),
           'docstring': (parse_docstring, DOC), 'plain_text': (plain_text, DOC), 'sentence': (is_sentence, DOC),
           **{read.__name__: (lambda text, read=read: list(read(text)), FILES)
              for read in (rst_blocks, org_blocks, tex_blocks, text_blocks, code_blocks)},
           'summary': (is_summary, DOC), 'paragraphs': (lambda text: paragraphs(text.split('\n')), DOC)}
CASES = [pytest.param(read, unit, id=f'{name} {unit!r}') for name, (read, units) in READERS.items() for unit in units]


def steps(read, text):
    "Calls of Python functions."
    n = 0

    def count(frame, event, arg):
        nonlocal n
        n += 1
    before = sys.getprofile()
    sys.setprofile(count)
    try: read(text)
    finally: sys.setprofile(before)
    return n


@pytest.mark.parametrize('read, unit', CASES)
def test_twice_the_text_takes_about_twice_the_steps(read, unit):
    once, twice = (steps(read, unit*n) for n in (150, 300))
    assert twice < 2.6*once + 1000


def seconds(read, text):
    start = time.process_time()
    read(text)
    return time.process_time() - start


def grows_like_a_line(read, unit, n):
    "Is there a pair of doublings that takes less than 3.2 times as long? One that is quadratic has none."
    return any(seconds(read, unit*2*n) < 3.2*seconds(read, unit*n) + .05 for _ in range(3))


@pytest.mark.parametrize('read, unit', CASES)
def test_no_regular_expression_looks_again_over_what_it_has_seen(read, unit):
    assert grows_like_a_line(read, unit, 6000//len(unit))


@pytest.mark.parametrize('read, text, rest', [
    (plain_text, '`a', ' '), (plain_text, 'a', ' '), (plain_text, ':math:`x', ' '), (is_sentence, 'so we said a', "'"),
    (is_summary, 'so we said a', "'"), (parse_docstring, ':param x', ' '), (parse_docstring, 'Args:\n  a', ' '),
    (markdown_blocks, '# ', ' '), (markdown_blocks, '`a', ' '), (markdown_blocks, '---\ntitle:', ' '),
    (html_blocks, '<meta charset', ' '), (html_blocks, '<p a="', ' ')])
def test_what_begins_and_is_followed_by_much_of_the_same(read, text, rest):
    few, many = (f'{text}{rest*n}#z' for n in (20_000, 40_000))
    assert any(seconds(read, many) < 3.2*seconds(read, few) + .05 for _ in range(3))


def test_empty_lines_take_no_memory():
    "Neither in an index nor in a corpus; and one of many ends a passage."
    import tracemalloc

    from rt_embedding.file_kinds import text_blocks
    from rt_embedding.runningtext import passage_sentences
    n = 200_000
    text = 'The first.\n' + '\n'*n + 'The last.\n'
    tracemalloc.start()
    try:
        blocks = list(text_blocks(text))
        sentences = list(passage_sentences(enumerate(text.split('\n'))))
        peak = tracemalloc.get_traced_memory()[1]
    finally: tracemalloc.stop()
    assert [b.lines for b in blocks] == [((1, 'The first.'),), ((n + 2, 'The last.'),)]
    assert sentences == ['The first.', None, 'The last.', None, None]
    assert peak < 20*n  # list of a split text: 8 bytes a line
