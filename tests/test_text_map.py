"The map of texts (assets/text_map.js), which the search page and the report share, alone in a browser."
import pytest

from rt_embedding.page import content_policy, inline

POINTS = dict(x=[0, 1, 2, 4], y=[0, 2, 1, 2])


@pytest.fixture
def tab(open_tab):
    "A page of 400 by 400 pixels with one map; `picked` and `told` hold what it reported."
    style, script = inline('page.css', 'text_map.css'), inline('text_map.js')
    use = """const picked = [], told = []
        const map = new TextMap(document.getElementById('place'), {
          label: 'Four texts.', color: i => COLORS[i], faded: () => false, over() {},
          tell: async i => { told.push(i); return [make('b', '<i>text</i> ' + i)] },
          pick: i => picked.push(i)})
        map.show(POINTS)"""
    tab = open_tab(viewport=dict(width=400, height=400), has_touch=True)
    tab.set_content(f'<style>{style} body {{ margin: 0 }}</style><div id="place" style="width: 300px"></div>'
                    f'<script>{script}\nconst POINTS = {POINTS}\n{use}</script>')
    assert not tab.errors, tab.errors
    return tab


def at(tab, i): return tab.evaluate('i => map.at(i)', i)


def test_all_points_are_inside_and_in_proportion(tab):
    places = [at(tab, i) for i in range(4)]
    size = tab.evaluate('[map.canvas.clientWidth, map.canvas.clientHeight]')
    assert all(0 < v < s for place in places for v, s in zip(place, size)), places
    right, up = places[3][0] - places[0][0], places[0][1] - places[3][1]
    assert right == pytest.approx(2*up)                                                        # 4 to the right, 2 up
    assert (places[0][0] + places[3][0])/2 == pytest.approx(size[0]/2)                         # in the middle


def test_the_point_under_the_pointer_stays_when_zooming(tab):
    before = at(tab, 2)
    tab.evaluate('p => map.scale(3, p)', before)
    assert at(tab, 2) == pytest.approx(before) and tab.evaluate('map.zoom') == 3
    tab.evaluate('map.scale(1/3)')
    tab.keyboard.press('Tab')
    tab.keyboard.press('0')
    assert tab.evaluate('[map.zoom, ...map.shift]') == [1, 0, 0]


def test_the_nearest_dot_within_reach(tab):
    x, y = at(tab, 1)
    assert tab.evaluate('p => map.nearest(p)', [x + 8, y - 8]) == 1
    assert tab.evaluate('p => map.nearest(p)', [x + 20, y]) == -1                              # too far for a pointer
    assert tab.evaluate('p => map.nearest(p, 576)', [x + 20, y]) == 1                         # near enough for a finger
    assert tab.evaluate('map.show({x: [], y: []}); map.nearest([0, 0], Infinity)') == -1       # nothing to find


def test_pointing_shows_text_as_text_and_a_click_picks(tab):
    tab.mouse.move(*at(tab, 3))
    tab.until('!map.tip.hidden')
    assert tab.inner_text('.tip') == '<i>text</i> 3' and tab.locator('.tip i').count() == 0
    tab.mouse.click(*at(tab, 3))
    assert tab.evaluate('picked') == [3]
    tab.focus('canvas')
    tab.keyboard.press('Escape')
    assert tab.is_hidden('.tip')


def test_two_fingers_zoom_around_the_point_between_them(tab):
    before = at(tab, 0)
    tab.evaluate("""() => {
        const fire = (kind, id, x) => map.canvas.dispatchEvent(new PointerEvent('pointer' + kind,
          {pointerId: id, pointerType: 'touch', clientX: x, clientY: 100}))
        map.canvas.setPointerCapture = () => {}                                     // these fingers are made up
        fire('down', 1, 100); fire('down', 2, 140); fire('move', 2, 180); fire('up', 1, 100); fire('up', 2, 180) }""")
    assert tab.evaluate('map.zoom') == pytest.approx(2)                             # from 40 to 80 pixels
    assert at(tab, 0) == pytest.approx([120 + 2*(before[0] - 120), 100 + 2*(before[1] - 100)])
    assert tab.evaluate('picked') == []                                             # a pinch picks nothing


def test_a_policy_lets_only_its_own_script_run(open_tab):
    script = 'document.title = "ours"'
    for shown, title in ((script, 'ours'), (script.replace('ours', 'theirs'), '')):
        tab = open_tab()
        policy = content_policy(script, '').replace("'", '&#39;')
        tab.set_content(f'<meta http-equiv="Content-Security-Policy" content="{policy}"><script>{shown}</script>')
        assert tab.title() == title and bool(tab.errors) == (title == '')
