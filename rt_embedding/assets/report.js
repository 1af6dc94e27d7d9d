// The map part of the report: find texts, pick one, see its neighbors in every model.
const $ = id => document.getElementById(id)
const data = JSON.parse($('data').textContent)
const BINS = ['#0072b2', '#56b4e9', '#e69f00', '#d55e00']  // few words to many
const METHODS = {pca: 'PCA', tsne: 't-SNE'}
const bin = i => data.bins.filter(b => data.words[i] > b).length
let picked = -1, hits = new Set()

// A list item that picks text `i` when it is pressed.
function textButton(i, ...nodes) {
  const item = make('li', ''), button = make('button', '')
  button.append(...nodes)
  button.dir = 'auto'
  button.addEventListener('click', () => pick(i))
  item.append(button)
  return item
}

// One model: its map, and the neighbors of the picked text.
class ModelMap {
  constructor(model) {
    this.model = model
    this.list = make('ul', '', 'near')
    const side = make('section', ''), place = make('div', '')
    side.append(make('h3', model.name), place, this.list)
    $('maps').append(side)
    this.chart = new TextMap(place, {
      label: `Map of ${data.texts.length} texts by ${model.name}: near means alike.`,
      color: i => BINS[bin(i)],
      faded: () => hits.size > 0 || picked >= 0,
      tell: i => [make('div', data.texts[i]), make('small', `${data.words[i]} words`)],
      pick,
      over: map => this.mark(map),
    })
  }

  neighbors() { return picked < 0 ? [] : this.model.near[picked] }

  mark(map) {
    for (const i of hits) {
      map.dot(...map.at(i), 6, map.ink())
      map.dot(...map.at(i), 5, BINS[bin(i)])
    }
    const at = i => [map.points.x[i], map.points.y[i]]
    this.neighbors().forEach(([i], rank) => map.badge(at(i), rank + 1, '#0072b2'))
    if (picked >= 0) map.badge(at(picked), '\u2605', '#a3306b')
  }

  tellNeighbors() {
    this.list.replaceChildren(...this.neighbors().map(([i, cosine], rank) => {
      const nodes = [`${rank + 1}. `, make('span', data.texts[i]), ' ', make('small', cosine.toFixed(2))]
      const everywhere = data.models.every(other => other.near[picked].some(([j]) => j == i))
      if (data.models.length > 1 && everywhere) nodes.push(' ', make('mark', 'in all models'))
      return textButton(i, ...nodes)
    }))
  }

  show(method) {
    const [x, y] = this.model.maps[method]
    this.chart.show({x, y})
  }
}

const maps = data.models.map(model => new ModelMap(model))

function pick(i) {
  picked = i
  $('picked').textContent = i < 0 ? '' : data.texts[i]
  $('which').hidden = i < 0
  for (const map of maps) {
    map.tellNeighbors()
    map.chart.draw()
  }
}

function find() {
  const q = $('find').value.trim().toLowerCase()
  const all = q ? [...data.texts.keys()].filter(i => data.texts[i].toLowerCase().includes(q)) : []
  const listed = all.length > 50 ? ', the first 50 listed' : ''
  hits = new Set(all)
  $('status').textContent = q ? `${all.length} of ${data.texts.length} texts${listed}` : ''
  $('found').replaceChildren(...all.slice(0, 50).map(i => textButton(i, data.texts[i])))
  for (const map of maps) map.chart.draw()
}

$('find').addEventListener('input', find)
$('find').addEventListener('keydown', e => { if (e.key == 'Enter' && hits.size) pick([...hits][0]) })
$('clear').addEventListener('click', () => {
  $('find').value = ''
  find()
  pick(-1)
})

const methods = Object.keys(data.models[0].maps)
for (const name of methods) $('method').append(new Option(METHODS[name], name))
$('method').addEventListener('change', () => { for (const map of maps) map.show($('method').value) })
const names = [`up to ${data.bins[0]} words`, ...data.bins.slice(1).map(b => `up to ${b}`), 'more']
names.forEach((name, k) => $('legend').append(legendItem(name, BINS[k])))
for (const map of maps) map.show(methods[0])
$('map').hidden = false
document.body.dataset.ready = 'yes'
