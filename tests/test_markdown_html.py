"""What a reader of a web page or of Markdown sees is in a block, once, on its line; and nothing else is."""
import pytest

from rt_embedding.markdown import markdown_blocks, notebook_blocks
from rt_embedding.web_pages import html_blocks, html_text


def texts(blocks): return [b.text for b in blocks]


def heads(blocks): return [b.headings for b in blocks]


MARKDOWN = {
    # comments
    '# Guide <!-- omit in toc -->\ntext': ['text'],
    'The heater is in the cellar. <!-- check -->': ['The heater is in the cellar.'],
    'An inline `<!--` mark.\n\nThe rest.': ['An inline <!-- mark.', 'The rest.'],
    'a <!-- one\ntwo --> b': ['a\nb'],
    '<!-- a\n\nb -->\n\nseen': ['seen'],
    'one\n\n<!-- never closed\n\n# Two\nthree': ['one', 'never closed', 'three'],
    # rules and front matter
    '---\nFirst.\n\n---\nSecond.': ['First.', 'Second.'],
    '---\n\nkey: no front matter, an empty line comes first\n\n---\nB.':
        ['key: no front matter, an empty line comes first', 'B.'],
    '---\ntitle: T\ndescription: "What it is"\ntags:\n- x\n---\nText': ['What it is', 'Text'],
    '+++\ntitle = "T"\n+++\nText': ['Text'],
    '---\nlayout: page\n---\n': [],
    '---\nonly: one mark\n\nText': ['only: one mark', 'Text'],
    'a\n\n***\n\nb': ['a', 'b'],
    # fences
    '```one line```\nafter': ['one line\nafter'],
    '``` x ```\n\nafter': ['x', 'after'],
    '```\nnever closed\n': ['never closed'],
    '````md\n```\ninner\n```\n````\nafter': ['```\ninner\n```', 'after'],
    '~~~\na\n~~~\nb': ['a', 'b'],
    '- a\n\n  ```\n  code\n  ```\n- b': ['a', 'code', 'b'],
    '    indented\n\n    code': ['indented\n\ncode'],
    # tags, addresses
    '<b class="x y">bold</b> <img src="data:image/png;base64,AAAA" alt="pic"> end': ['bold pic end'],
    '![alt](data:image/png;base64,AAAA) [label](http://x.y "t") <https://a.b> end': ['alt label end'],
    'see https://a.b/c_d for more': ['see for more'],
    'text <td>Rome</td><td>2 million</td>': ['text Rome 2 million'],
    '<td>Rome</td><td>2 million</td>': ['Rome 2 million'],
    'a<br>b<br/>c': ['a b c'],
    'List&lt;String&gt; and \\<Foo> and `<Tab x>` and a < b': ['List<String> and <Foo> and <Tab x> and a < b'],
    '<details>\n<summary>Why?</summary>\n\nSo **it** is.\n\n</details>': ['Why?', 'So it is.'],
    '<script>\nlet a = "<!--"\n</script>\n\nseen': ['seen'],
    '<div align="center">\n\n*x*\n\n</div>': ['x'],
    # tables
    '| town | people |\n|---|---|\n| Rome | `a\\|b` | extra |\n| Oslo |': ['town | people\nRome | a | b | extra\nOslo'],
    'town | people\n-|-\nRome | 2': ['town | people\nRome | 2'],
    '> | a | b |\n> |-|-|\n> | c | d |': ['a | b\nc | d'],
    # lists, quotations, notes
    '- [x] done\n- [ ] open\n  longer\n1. one': ['done', 'open\nlonger', 'one'],
    '> quoted\nlazy\n\n> more': ['quoted\nlazy', 'more'],
    'word[^1]\n\n[^1]: Cellar\n[^2]: The note\n    goes on': ['word', 'Cellar', 'The note\ngoes on'],
    '[a]: http://x\n\nsee [a] and [the docs][a]': ['see a and the docs'],
    'Term\n: Definition': ['Term\nDefinition'],
    '# Only\n## headings': ['headings'],
    '# C# {#c-sharp}\n## Closed ##\nx': ['x'],
    '> '*150 + 'deep': ['deep'],
    '- '*150 + 'deep': ['deep'],
    'a\r\nb\r\r\nc': ['a\nb', 'c'],
    '\ufeff# Mark\nx': ['x'],
    # MkDocs
    '!!! note "Title"\n    inside *it*\n\n    - item\n\nafter': ['Title', 'inside it', 'item', 'after'],
    '??? tip\n\n    hidden': ['hidden'],
    '=== "Linux"\n\n    apt\n\n=== "Mac"\n    ```sh\n    brew\n    ```': ['Linux', 'apt', 'Mac', 'brew'],
    '!!! wow, this is prose\nand more': ['!!! wow, this is prose\nand more'],
    '*[HTML]: Hyper Text\n\n[TOC]': ['*[HTML]: Hyper Text'],
    'Setext\n===\nx': ['x'],
    # MyST and Sphinx
    ':::{note} In winter\nCover `x`.\n:::': ['In winter', 'Cover x.'],
    '```{warning} In winter\n:class: x\nCover **roses**.\n```': ['In winter', 'Cover roses.'],
    '```{code-block} python\nx = 1\n```': ['x = 1'],
    'see {ref}`the roses <roses>` and {func}`a.b`': ['see the roses and a.b'],
    '(roses)=\n# Roses\nx': ['x'],
    # Quarto, Pandoc, Docusaurus, Hugo, Jekyll, wikis
    '::: {.callout-note title="In winter"}\nx\n:::': ['In winter', 'x'],
    ':::tip[In winter]\n\nx\n\n:::': ['In winter', 'x'],
    '```python title="a.py"\nx\n```': ['a.py', 'x'],
    "import Tabs from '@theme/Tabs';\n\n<Tabs groupId={x}>\n<TabItem value='a' label='With pip'>\n\ntext\n\n</TabItem>":
        ["import Tabs from '@theme/Tabs';", 'With pip', 'text'],
    'import the data from the folder': ['import the data from the folder'],
    'a {/* hidden */} b': ['a b'],
    '{{< figure src="a.png" caption="A rose" >}}\n\n{{% notice tip %}}\nwarm\n{{% /notice %}}': ['A rose', 'warm'],
    'the shortcode `{{< x >}}` is code': ['the shortcode {{< x >}} is code'],
    'a <B and c\n\nd > e': ['a <B and c', 'd > e'],
    'a `code\nspan` b\nc': ['a code\nspan b\nc'],
    '[^1]:\n    The note.\n\n    Its end.\n\nafter': ['The note.', 'Its end.', 'after'],
    '::: columns x = 1\ntext\n:::': ['columns x = 1', 'text'],
    '{% include a.html %} word {: .note }': ['word'],
    '[[Roses|the roses]] and [[Tools]]': ['the roses and Tools'],
}


@pytest.mark.parametrize('page', MARKDOWN)
def test_markdown_as_its_readers_see_it(page): assert texts(markdown_blocks(page)) == MARKDOWN[page]


HTML = {
    '<table><tr><td>Rome</td><td>2 million</td></tr></table>': ['Rome | 2 million'],
    '<td>Rome</td><td>2 million</td>': ['Rome 2 million'],
    '<table><tr><th>a<th>b<tr><td>c<td><p>d</p><p>e</p></table>f': ['a | b\nc | d e', 'f'],
    '<table><tr><td><table><tr><td>in</table>out<td>side</table>': ['in', 'out | side'],
    '<table><caption>Towns</caption><tr><td>Rome</table>': ['Towns', 'Rome'],
    '<table><tr><td><h2>Head</h2>text</table>': ['text'],
    '<dl><dt>term<dd>text</dl>': ['term', 'text'],
    # comments and scripts
    '<script>if (a<!--b) f()</script><p>seen': ['seen'],
    '<script><!--\nlet a\n//--></script><p>seen': ['seen'],
    '<p>a<!-- b > c -->d': ['ad'],
    '<p>a<!-->b': ['ab'],
    '<p>one<!-- never closed\n<p>two': ['one never closed', 'two'],
    '<p>one<script>let a = 1\n<p>two</p>': ['one let a = 1', 'two'],
    '<p>one<style>p {}\n<p>two</p>': ['one p {}', 'two'],
    '<title>never closed<p>two': ['never closed', 'two'],
    '<p>&lt;!-- shown --&gt; <p>two': ['<!-- shown -->', 'two'],
    # what nobody closed
    '<p>one<nav><a>menu</a><p>two': ['one', 'menu', 'two'],
    '<nav><a>menu</a></nav><p>two': ['two'],
    '<nav><ul><li>a<li>b</nav><p>two': ['two'],
    '<select><option>a</select><p>two': ['two'],
    '<p>one<button>Copy</button> two': ['one two'],
    '<p>one<template><p>two': ['one', 'two'],
    '<template><p>one</template><p>two': ['two'],
    '<h1>Open<p>one': ['one'],
    '<b>'*3000 + 'deep': ['deep'],
    '</nav></p></div>text': ['text'],
    '<ul><li>a<li>b<ol><li>c</ol></ul>d': ['a', 'b', 'c', 'd'],
    # lines
    '<pre>\na\n  b<br>c\n\nd</pre>': ['a\n  b\nc\n\nd'],
    'a<br>b': ['a b'],
    '<p>a\n  b</p>': ['a\nb'],
    # what is shown and what is not
    '<details><summary>Why?</summary>So.</details>': ['Why?', 'So.'],
    '<div hidden>tab</div>': ['tab'],
    '<svg><title>icon</title><path d="M0"/><text>label</text></svg>': ['label'],
    '<h1><svg><title>icon</title></svg>Guide<a href="#guide">¶</a></h1>x': ['x'],
    '<h2><button>Open?</button></h2>x': ['x'],
    '<img src="data:image/png;base64,AAAA" alt="A rose"> blooms': ['A rose blooms'],
    '<p title="a > b" data-x="hidden words">seen': ['seen'],
    'caf&eacute;&nbsp;a &lt;b&gt; &amp;&#33; &unknown;': ['café a <b> &! &unknown;'],
    'Donau&shy;dampf zero\u200bwidth 文本\u200b分割': ['Donaudampf zerowidth 文本\u200b分割'],
    '<ruby>漢<rp>(</rp><rt>kan</rt></ruby>': ['漢kan'],
    '<math><mi>x</mi><annotation>x^2</annotation></math>': ['x'],
    '<h1>Only</h1><h2>headings</h2>': ['headings'],
    '<textarea>typed</textarea>': ['typed'],
    '<p>Rome<noscript>turn it on</noscript>text': ['Rome text'],
    '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD" "x.dtd">\n<p>one<?php f() ?> two': ['one two'],
    '<!-- saved --><!doctype html><title>t</title><p>one': ['one'],
    '<script>if (a<!b && c>d) f()</script><p>one': ['one'],
    '<!doctype html><html><head><meta charset=utf-8></head></html>': [],
    '': [], '   \n': [], 'plain words': ['plain words'], '<': ['<'],
}


@pytest.mark.parametrize('page', HTML)
def test_web_pages_as_their_readers_see_them(page): assert texts(html_blocks(page)) == HTML[page]


def test_headings_name_what_is_below():
    page = '<title>Book</title><h1>Garden</h1><h2>Roses</h2><p>a</p><h2>Tools</h2><p>b</p><h1>End</h1><p>c'
    assert heads(html_blocks(page)) == [('Book', 'Garden', 'Roses'), ('Book', 'Garden', 'Tools'), ('Book', 'End')]
    page = '---\ntitle: Book\n---\n# *Garden* <!-- toc -->\n## Roses {#r}\na\n\n'
    page += '<h2 id="t">Tools</h2>\n\nb\n\nEnd\n===\nc'
    assert heads(markdown_blocks(page)) == [('Book', 'Garden', 'Roses'), ('Book', 'Garden', 'Tools'), ('Book', 'End')]


def test_every_block_begins_on_its_line():
    words = [f'word{n}' for n in range(1, 40)]
    html = '\n'.join(f'<p>{w}</p>' if n % 3 else f'<!-- a\n b --><b\n>{w}</b>' for n, w in enumerate(words))
    markdown = '\n'.join(f'{("- ", "", "> ", "## ")[n % 4]}{w} `x`\n' for n, w in enumerate(words))
    for page, blocks in ((html, html_blocks(html)), (markdown, markdown_blocks(markdown))):
        lines = page.split('\n')
        found = {w: n for b in blocks for n, text in b.lines for w in text.split() if w in words}
        assert len(found) > 25
        for w, n in found.items(): assert w in lines[n - 1]


@pytest.mark.parametrize('label, codec', [
    ('iso-8859-1', 'cp1252'), ('latin1', 'cp1252'), ('us-ascii', 'cp1252'), ('iso-8859-9', 'cp1254'),
    ('gb2312', 'gb18030'), ('gbk', 'gb18030'), ('ks_c_5601-1987', 'cp949'), ('euc-kr', 'cp949'),
    ('shift_jis', 'cp932'), ('x-sjis', 'cp932'), ('big5', 'big5hkscs'), ('tis-620', 'cp874'), ('koi8-r', 'koi8-r'),
    ('iso-2022-jp', 'iso2022_jp'), ('windows-1251', 'cp1251')])
def test_labels_mean_what_the_web_means(label, codec):
    text = {'gb18030': '长城很长', 'cp949': '똠방각하', 'cp932': '①東京', 'big5hkscs': '長城', 'cp874': 'ไทย',
            'koi8-r': 'Река', 'iso2022_jp': '東京', 'cp1251': 'Река', 'cp1254': '“İyi”'}.get(codec, '“naïve” € …')
    for meta in (f'<meta charset="{label}">', f'<META content="text/html; charset={label.upper()}">'):
        assert texts(html_blocks(f'{meta}<p>'.encode() + text.encode(codec))) == [text]


def test_damaged_bytes_cost_one_character():
    assert html_text('Größe, Übergröße'.encode() + b'\xff' + b' mehr')[0] == 'Größe, Übergröße\ufffd mehr'
    assert html_text(b'caf\xe9 \x93quoted\x94') == ('café “quoted”', 'cp1252', 0)
    assert html_text(b'<meta charset=utf-8><p>caf\xc3\xa9 \xff')[2] == 1
    assert html_text(b'<meta charset=klingon>caf\xc3\xa9')[0].endswith('café')
    assert html_text('<meta charset=iso-8859-1>é'.encode())[1] == 'utf-8'     # converted, but still labelled
    for mark in ('utf-8-sig', 'utf-16'): assert html_text('é ü'.encode(mark))[0] == 'é ü'


def test_a_notebook_in_any_format():
    new = ('{"cells": [{"cell_type": "markdown", "source": ["# A\\n", "b"]}, '
           '{"cell_type": "raw", "source": "raw words"}]}')
    old = ('{"worksheets": [{"cells": [{"cell_type": "heading", "level": 1, "source": "A"}, '
           '{"cell_type": "code", "input": ["x = 1\\n", "y"]}]}]}')
    assert [(b.cell, b.line, b.text, b.headings) for b in notebook_blocks(new)] == [
        (1, 2, 'b', ('A',)), (2, 1, 'raw words', ('A',))]
    assert [(b.cell, b.kind, b.text, b.headings) for b in notebook_blocks(old)] == [(2, 'code', 'x = 1\ny', ('A',))]
