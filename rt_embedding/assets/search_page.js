// The page of rt_search: a question, its answers, and a map of all texts.
const $ = id => document.getElementById(id)

async function get(path) {
  const response = await fetch(path), data = await response.json()
  if (!response.ok) throw Error(data.error.message)
  return data
}

// Questions and answers

const NOTHING = {hits: [], at: null}
let asked = 0, answer = NOTHING

async function search() {
  const q = $('q').value.trim(), hybrid = $('hybrid').checked, mine = ++asked
  const bookmark = new URLSearchParams(hybrid ? {q, hybrid: 1} : {q})
  history.replaceState(null, '', q ? '#' + bookmark : location.pathname)
  try {
    const found = q ? await get('search?' + new URLSearchParams({q, k: 10, hybrid: +hybrid})) : NOTHING
    if (mine != asked) return                              // a newer question is on its way
    answer = found
    $('status').textContent = q ? `${found.hits.length} found` : ''
  } catch (error) {
    if (mine != asked) return
    answer = NOTHING
    $('status').textContent = error.message
  }
  $('hits').replaceChildren(...answer.hits.map(hitItem))
  chart.draw()
}

function hitItem(hit) {
  const item = make('li', ''), top = make('div', '', 'top'), like = make('button', 'what is like this?')
  top.append(make('b', hit.rank), make('span', hit.name, 'name'), make('span', hit.score.toFixed(3), 'score'))
  like.addEventListener('click', () => ask(hit.text))
  item.append(top, make('div', hit.text), like, make('div', hit.place, 'place'))
  return item
}

function ask(text) {
  $('q').value = text.slice(0, 300)
  scrollTo({top: 0})
  search()
}

let waiting
$('q').addEventListener('input', () => {
  clearTimeout(waiting)
  waiting = setTimeout(search, 150)
})
$('q').addEventListener('keydown', e => {
  if (e.key != 'Enter') return
  clearTimeout(waiting)
  search()
})
$('hybrid').addEventListener('change', search)
addEventListener('keydown', e => {
  if (e.key != '/' || document.activeElement == $('q')) return
  e.preventDefault()
  $('q').focus()
})

// The map

const texts = new Map()                                    // row -> text, once it was asked for
async function text(i) {
  const row = chart.points.row[i]
  if (!texts.has(row)) texts.set(row, await get('text?row=' + row))
  return texts.get(row)
}

const chart = new TextMap($('map'), {
  label: 'Map of the texts: near means alike.',
  color: i => COLORS[chart.points.group[i] % COLORS.length],
  faded: () => answer.hits.length > 0,
  async tell(i) {
    const t = await text(i)
    return [make('div', t.name || ''), make('div', t.text), make('div', t.place, 'place')]
  },
  pick: async i => ask((await text(i)).text),
  over(map) {                                              // the answers by their ranks, the question as a star
    for (const hit of [...answer.hits].reverse()) if (hit.at) map.badge(hit.at, hit.rank, '#0072b2')
    if (answer.at) map.write(answer.at, '\u2605', '22px system-ui')
  },
})

// The start

const given = new URLSearchParams(location.hash.slice(1))
$('q').value = given.get('q') || ''
$('hybrid').checked = given.has('hybrid')
get('map').then(map => {
  document.title = map.title ? `${map.title} - rt_search` : 'rt_search'
  map.groups.forEach((name, i) => $('legend').append(legendItem(name, COLORS[i % COLORS.length])))
  const shown = map.x.length.toLocaleString(), all = map.n.toLocaleString()
  if (map.x.length < map.n) $('legend').append(make('span', `${shown} of ${all} texts`))
  chart.show(map)
  document.body.dataset.ready = 'yes'
}).catch(error => { $('status').textContent = error.message })
if ($('q').value) search()
