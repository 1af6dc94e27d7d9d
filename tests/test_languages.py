"""Every script: words that can be found again, sentences that end where they end, in time that grows with the text;
what a command says about a language. The texts are ours."""
import random
import time
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st
from rt_embedding import EmbeddingModel, languages
from rt_embedding.files import InputError
from rt_embedding.languages import (LANGUAGES, check_language, fold_text, is_unspaced, library_sentences, say_splitter,
                                    search_terms, split_sentences, word_spans, words)
from rt_embedding.overlap import find_contamination, text_key
from rt_embedding.quickstart import quickstart
from rt_embedding.search import SemanticIndex
from rt_embedding.sources import make_corpus

from helpers import refused, run

needs_library = pytest.mark.skipif(not languages._library(), reason="needs the extra `data`")


@pytest.fixture
def no_library(monkeypatch): monkeypatch.setattr(languages, '_library', lambda: False)


@pytest.mark.parametrize('text, right', [
    ('हिन्दी', ['हिन्दी']), ('हिन्दी भाषा', ['हिन्दी', 'भाषा']), ('தமிழ் மொழி', ['தமிழ்', 'மொழி']),
    ('தமிழ்', ['தமிழ்']), ('বাংলা ভাষা', ['বাংলা', 'ভাষা']), ('क़लम', ['क़लम']), ('Straße', ['strasse']),
    ('ﬁnd', ['find']), ('２０２４年', ['2024', '年']), ('شَمْس', ['شمس']), ('عـــمر', ['عمر']), ('ﷲ', ['الله']),
    ('יָם', ['ים']), ('Μαΐου', ['μαιου']), ('ΟΔΟΣ οδός', ['οδοσ']*2), ('Ёлка ёлка елка', ['елка']*3),
    ('приро́да', ['природа']), ('Київ Їжак', ['київ', 'їжак']), ('ѓавол', ['ѓавол']), ('IŞIK ışık', ['işik']*2),
    ('İZMİR izmir i̇zmir', ['izmir']*3), ('Ünïcode naïve', ['ünïcode', 'naïve']), ('นํ้า น้ำ', words('น้ำ')*2),
    ('Việt Nam', ['việt', 'nam']), ('می‌روم', ['میروم']), ('co\xadoperate', ['cooperate']),
    ('Python™', ['python']), ('snake_case don’t', ['snake_case', 'don', 't']),
    ('사과를 먹는다', ['사과를', '먹는다']), ('iPhone手机', ['iphone', '手', '机']),
    ('らーめん', ['ら', 'ー', 'め', 'ん']), ('𠮷野家', ['𠮷', '野', '家']), ('🎉 ❤️', []), ('\u0301', []),
    ('', []),
])
def test_words(text, right): assert words(text) == right


@pytest.mark.parametrize('query, document', [
    ('苹果', '我喜欢吃苹果和香蕉'), ('猫', '黑猫喜欢牛奶'), ('りんご', '赤いりんごを食べる'),
    ('사과', '나는 사과를 먹는다'), ('แมว', 'ฉันรักแมวดำ'), ('ផ្លែឈើ', 'ខ្ញុំចូលចិត្តផ្លែឈើ'),
    ('ပန်းသီး', 'ကျွန်တော် ပန်းသီး စားတယ်'), ('ຫມາ', 'ຂ້ອຍມີຫມາ'), ('हिन्दी', 'यह हिन्दी है'),
    ('كتاب', 'هذا كِتَابٌ جديد'), ('GRÖSSE', 'die Größe'), ('ｐｙｔｈｏｎ', 'Python 3'), ('АЛЁНА', 'Алена дома'),
    ('istanbul', 'İSTANBUL güzel'), ('ガス', 'ｶﾞｽの料金'), ('50', '５０元'),
])
def test_a_search_finds_what_holds_it(query, document):
    "The terms of the query are among those of the document, and not among those of another text."
    from rt_embedding.ranking import bm25_ranking
    others = ['股票下跌了', '今日は寒い', '오늘은 춥다', 'วันนี้หนาว', 'another text', 'другой текст', 'نص آخر',
              'दूसरा पाठ']
    found, scores = bm25_ranking([query], [*others, document], 2)
    assert found[0][0] == len(others) and scores[0][0] > 0
    assert set(search_terms(query)) <= set(search_terms(document))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_one_spelling_is_final_and_no_form_of_unicode_changes_it(text):
    composed, apart = (unicodedata.normalize(form, text) for form in ('NFC', 'NFD'))
    assert words(apart) == words(composed)
    assert [w for t in words(text) for w in words(t)] == words(text)
    assert set(words(text)) <= set(search_terms(text)) or any('\uac00' <= c <= '\ud7a3' for c in fold_text(text))
    assert all(a < b for a, b in word_spans(text))


def test_equal_texts_are_recognised_in_any_script():
    assert text_key('हिन्दी') != text_key('हन्द') and text_key('cafe\u0301') == text_key('CAFÉ')
    tests, training = ['Le café est fermé.', '我喜欢苹果。'], ['le cafe\u0301 est ferme\u0301', '我喜欢苹果']
    assert find_contamination(tests, training) == [0, 1]


SENTENCES = dict(
    en=('Dr. Smith paid 3.50 dollars (approx. 3 euros), e.g. for tea.|'
        ' He left the U.S. in May!| "Why?" she asked.| The end'),
    de='Es ist spät.| Dr. Groß kam am 3. Mai, z. B. mit Hr. Maier.| »Gut.«| „Ja?“| Ähnlich ging es weiter.',
    fr='Il dort.| M. Petit arrive à 5.30 heures !| « Vraiment ? »| Élise rit.',
    pl='Śnieg pada.| Łucja śpi, np. teraz.| Żaba?| Ćma!',
    es='Son las 3.| ¿Quién es?| ¡Ana!| El Sr. Gil duerme.| ¿y tú?',
    it='È tardi.| Il sig. Rossi dorme.| Perché?| Ùtile!',
    tr='İyi.| Şimdi mi?| Çok güzel!| Ömer uyuyor.',
    cs='Řeka teče.| Šel domů.| Žije?',
    vi='Đó là mèo.| Ở đâu?| Ừ.',
    ru='Ёжик спит.| Где он?| А. П. Чехов жил на ул. Садовой.| — Да.| «Нет».',
    uk='Їжак спить.| Є хліб?| Ґанок!',
    el='Βρέχει.| Πού είναι;| Ο κ. Νίκος έφυγε, π.χ. χθες.| Άννα!',
    hy='Ես տանն եմ։| Ո՞ւր է նա։| Այո՛։',
    ka='წვიმს.| სად არის?| აქ!',
    he='יורד גשם.| איפה הוא?| כן!',
    ar='المطر ينزل.| أين هو؟| نعم!| جاء د. علي اليوم.',
    fa='باران می\u200cآید.| کجاست؟| بله!',
    ur='بارش ہے۔| وہ کہاں ہے؟| ہاں!',
    hi='बारिश है।| वह कहाँ है?| डॉ. राव आए।| हाँ!',
    mr='पाऊस आहे.| तो कुठे आहे?',
    bn='বৃষ্টি হচ্ছে।| কোথায়?',
    ta='மழை பெய்கிறது.| எங்கே?',
    my='မိုးရွာတယ်။| ဘယ်မှာလဲ။',
    km='មានភ្លៀង។| នៅឯណា?| ទេ។',
    am='ዝናብ ነው።| የት ነው?| አዎ።',
    ti='ዝናብ ኣሎ።| ኣበይ?',
    bo='ཆར་པ་བབས།| ང་ནང་ལ་ཡོད།',
    zh='下雨了。|他说：“走吧！”|他在哪里？|（真的。）|好……吧！|3.5版。',
    ja='雨だ。|彼は「はい。」と言った。|どこ？|「いいえ。」',
    ko='비가 온다.| 어디에 있어요?| 네!',
)


def check_sentences(code, language):
    text = SENTENCES[code].replace('|', '')
    assert split_sentences(text, language=language) == [s.strip() for s in SENTENCES[code].split('|')]
    parts = split_sentences(text, 7, language)
    assert ''.join(parts).replace(' ', '') == text.replace(' ', '')


@needs_library
@pytest.mark.parametrize('code', SENTENCES)
def test_sentences_of_a_language_that_is_named(code): check_sentences(code, code)


@pytest.mark.parametrize('code', SENTENCES)
def test_sentences_of_a_named_language_without_the_extra(code, no_library): check_sentences(code, code)


@pytest.mark.parametrize('code', [c for c in SENTENCES if c not in ('de', 'fr', 'es', 'it', 'pl')])
def test_the_marks_of_a_text_are_enough_in_most_languages(code): check_sentences(code, None)


@pytest.mark.parametrize('text', ['it is raining. we stay at home! ', 'идёт дождь. мы дома! ',
                                  'es regnet. wir bleiben hier! '])
def test_a_text_without_capitals_is_cut(text): assert len(split_sentences(text*60)) == 120


def test_a_text_without_capitals_keeps_its_abbreviations():
    text = 'bring tea, e.g. green tea, etc. and milk... or not. version 3.5 of a.b.c. is out'
    assert split_sentences(text) == [text[:51], text[52:]] and text[52:].startswith('version')
    assert split_sentences('Bring tea. and milk') == ['Bring tea. and milk']     # a capital somewhere: as before


def test_thai_and_lao_are_cut_by_length():
    for phrase in ('วันนี้ฝนตกหนัก', 'ມື້ນີ້ຝົນຕົກ'):
        parts = split_sentences(' '.join([phrase]*100))
        assert len(parts) > 8 and max(map(len, parts)) <= 120 and ' '.join(parts) == ' '.join([phrase]*100)
    part = split_sentences('กำ'*2000 + 'ที่'*1000)
    assert all(unicodedata.category(p[0])[0] != 'M' for p in part)               # no letter loses its marks


MIXED = 'aB1 .!?…"\'()\n;:。！？“”«»„¿¡、，यह।؟۔։።။កา\u0301苹\u200c\ud800'


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from(MIXED), max_size=80), st.sampled_from([None, 'en', 'de', 'zh', 'hi']),
       st.integers(2, 40))
def test_nothing_is_lost_and_nothing_too_long(text, language, max_chars):
    parts = split_sentences(text, max_chars, language)
    assert ''.join(''.join(parts).split()) == ''.join(text.split()) and all(0 < len(p) <= max_chars for p in parts)


def growth(function, unit, n):
    "How much longer eight times the text takes; the best of three measurements of each."
    def seconds(text):
        times = []
        for _ in range(3):
            start = time.process_time()
            function(text)
            times.append(time.process_time() - start)
        return max(min(times), 1e-3)
    return seconds(unit*(8*n))/seconds(unit*n)


UNITS = ['.', '. ', '. A', 'a. ', '." ', '“', '」。', 'a\u0315\u0300', '我喜欢吃苹果。', '我', 'กา', 'ที่ ',
         'e.g. ', '» ', 'Z. B. ']


@pytest.mark.parametrize('unit', UNITS)
def test_time_grows_with_the_length(unit):
    "Eight times the text takes about eight times as long; the square would be 64 times."
    n = 5000//len(unit)
    assert growth(split_sentences, unit, n) < 30
    assert growth(search_terms, unit, n) < 30


@needs_library
@pytest.mark.parametrize('unit', ['我喜欢吃苹果。', '“', 'Ja. ', '. A'])
def test_the_time_of_the_library_grows_with_the_length(unit):
    n = 2000//len(unit)
    assert growth(lambda text: split_sentences(text, language='zh'), unit, n) < 30
    text = unit*n
    assert ''.join(library_sentences(text, 'zh')) == text


def test_what_cuts_the_sentences_is_said(no_library):
    assert 'Cyrillic' in say_splitter(None, 'Идёт дождь') and '--language' in say_splitter(None, 'Идёт дождь')
    assert 'Polish' in say_splitter('pl') and 'pip install' in say_splitter('pl')
    assert 'English' in say_splitter('en')


@needs_library
def test_the_library_is_named(): assert 'sentencex 1' in say_splitter('pl')


def test_languages():
    assert {check_language(c) for c in LANGUAGES} == set(LANGUAGES) and check_language(None) is None
    assert check_language('zh-Hant') == check_language('ZH_tw') == 'zh' and set(SENTENCES) <= set(LANGUAGES)
    assert is_unspaced('我喜欢吃苹果 Py') and not is_unspaced('나는 간다') and not is_unspaced('a 我')


@pytest.fixture
def chinese(tmp_path):
    path = tmp_path/'own.txt'
    rng, things = random.Random(0), '苹果 香蕉 牛奶 面包 茶叶 米饭 鸡蛋 橘子 西瓜 葡萄'.split()
    places, verbs = ['北京', '上海', '家里', '学校'], ['买了', '吃了', '看见']
    who = '他她我你'
    made = [f'{rng.choice(who)}在{rng.choice(places)}{rng.choice(verbs)}{rng.choice(things)}{i}个。'
            for i in range(400)]
    path.write_text('\n'.join(''.join(made[k:k+4]) for k in range(0, 400, 4)), encoding='utf-8')
    return path


def test_a_language_of_ones_own_text_is_checked_and_said(chinese, tmp_path, capsys):
    assert make_corpus(str(chinese), tmp_path/'c.txt', language='zh-CN')['sentences'] == 400
    assert 'Chinese' in capsys.readouterr().out
    assert make_corpus(str(chinese), tmp_path/'n.txt', tmp_path/'pairs.tsv')['pairs'] == 399
    assert 'CJK' in capsys.readouterr().out
    with pytest.raises(InputError, match='de for German'):
        make_corpus(str(chinese), tmp_path/'d.txt', language='German')
    with pytest.raises(InputError, match='language'): make_corpus('python', tmp_path/'d.txt', language='de')
    refused(run('rt_quickstart', '--corpus', chinese, '--output_dir', tmp_path/'run', '--language', 'xx'), "'xx'", 'zh')
    with pytest.raises(InputError, match='--corpus'): quickstart(output_dir=str(tmp_path/'run'), language='de')
    assert not (tmp_path/'d.txt').exists() and not (tmp_path/'run').exists()


def test_evaluation_from_ones_own_text_without_spaces(chinese):
    from rt_embedding.evaluation import bag_of_words_encoder, evaluate_retrieval
    from rt_embedding.own_tests import own_text_tasks
    tasks = {t.name: t for t in own_text_tasks(str(chinese))}
    assert set(tasks) == {'adjacent sentences', 'sentence with noise'}
    noisy = tasks['sentence with noise']
    assert sum(q not in noisy.documents for q in noisy.queries) > len(noisy.queries)/2
    assert evaluate_retrieval(bag_of_words_encoder(), noisy)['mrr@10'] > 0.3    # characters say which sentence it was


def test_characters_that_a_vocabulary_leaves_out_are_said(tmp_path):
    "The default coverage drops a rare character of Chinese; its name is said, and coverage 1 keeps it."
    rng = random.Random(0)
    lines = [''.join(rng.sample('我喜欢苹果他买牛奶看书', 6)) for _ in range(1000)] + ['龘']
    (tmp_path/'c.txt').write_text('\n'.join(lines), encoding='utf-8')
    args = 'rt_train_tokenizer', '--input', tmp_path/'c.txt', '--vocab_size', 60, '--output'
    code, out, err = run(*args, tmp_path/'t')
    assert code == 0 and '1 rare character' in err + out and '龘' in err + out, err
    code, out, err = run(*args, tmp_path/'u', '--character_coverage', 1)
    assert code == 0 and '龘' not in err + out, err


# (who, does what, with what, where, a full stop): every sentence names one thing that a search must find
TEMPLATES = dict(
    zh=(['我们', '他们', '老师', '学生'], ['看见了', '买了', '卖了', '洗了'],
        ['苹果', '雨伞', '自行车', '钢琴', '蜡烛', '毛巾', '地图', '钥匙'], ['在北京', '在山上', '在厨房里'],
        '{0}{3}{1}{2}。'),
    ja=(['私は', '彼は', '先生は'], ['見ました', '買いました', '洗いました'],
        ['りんご', '傘', '自転車', 'ピアノ', '蝋燭', '地図', '鍵', '時計'], ['京都で', '山で', '台所で'],
        '{0}{3}{2}を{1}。'),
    th=(['เรา', 'ครู', 'หมอ'], ['เห็น', 'ซื้อ', 'ขาย', 'ล้าง'],
        ['แอปเปิล', 'ร่ม', 'จักรยาน', 'เปียโน', 'เทียน', 'แผนที่', 'กุญแจ', 'กระจก'],
        ['ที่เชียงใหม่', 'บนภูเขา', 'ในครัว'],
        '{0}{1}{2}{3}'),
    hi=(['राम', 'शिक्षक', 'डॉक्टर'], ['देखता है', 'खरीदता है', 'बेचता है'],
        ['सेब', 'छाता', 'साइकिल', 'पियानो', 'मोमबत्ती', 'नक्शा', 'चाबी', 'घड़ी'],
        ['दिल्ली में', 'पहाड़ पर', 'रसोई में'], '{0} {3} {2} {1}।'),
    ar=(['المعلم', 'الطبيب', 'الطالب'], ['يرى', 'يشتري', 'يبيع'],
        ['التفاحة', 'المظلة', 'الدراجة', 'البيانو', 'الشمعة', 'الخريطة', 'المفتاح'], ['في بيروت', 'في المطبخ'],
        '{0} {1} {2} {3}؟'),
    ru=(['Мы', 'Учитель', 'Врач'], ['видит', 'покупает', 'моет'],
        ['яблоко', 'зонтик', 'пианино', 'свечу', 'карту', 'ключ', 'зеркало', 'часы'],
        ['в Москве', 'на горе', 'у реки'], '{0} {1} {2} {3}.'),
)


def from_templates(code, n, seed=0):
    "Lines of two sentences of a language, and the things in them."
    rng = random.Random(seed)
    *parts, form = TEMPLATES[code]
    made = [form.format(*map(rng.choice, parts)) for _ in range(n)]
    between = '' if code in ('zh', 'ja') else ' '
    return [a + between + b for a, b in zip(made[::2], made[1::2], strict=True)], parts[2]


@pytest.mark.slow
@pytest.mark.parametrize('code', TEMPLATES)
def test_the_quickstart_learns_and_finds_in_any_script(code, tmp_path):
    "A corpus of templates: the sentences are cut, the model learns from them, and a search finds what was written."
    lines, things = from_templates(code, 400)
    corpus, folder = tmp_path/'own.txt', tmp_path/'run'
    corpus.write_text('\n'.join(lines), encoding='utf-8')
    rc, out, err = run('rt_quickstart', '--corpus', corpus, '--minutes', 0.5, '--vocab_size', 200, '--batch_size', 32,
                       '--embedding_dim', 32, '--mlm_steps', 5, '--contrastive_steps', 30, '--output_dir', folder,
                       '--language', code)
    assert rc == 0 and LANGUAGES[code] in out, (out, err)
    model = EmbeddingModel.from_pretrained(folder/'model')
    index = SemanticIndex.load(folder/'index', model)
    assert not any(1 in row for row in model.tokenizer.encode_ordinary(things))             # nothing is unknown
    for thing in things:
        if not any(thing in e['text'] for e in index.entries): continue
        lexical, mixed = (index.search(thing, k=3, hybrid=True, lexical_weight=w) for w in (1., .5))
        assert lexical and all(thing in h.entry['text'] for h in lexical), (thing, [h.entry['text'] for h in lexical])
        assert any(thing in h.entry['text'] for h in mixed), (thing, [h.entry['text'] for h in mixed])
