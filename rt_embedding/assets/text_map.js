// A map of texts: dots on a canvas that can be moved, zoomed, pointed at and picked, by mouse, finger or key.
// The search page and the report share it. What a dot stands for comes in as functions.
'use strict'

const COLORS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#b8a800', '#888888']

// An element with a text. Texts are always set as text, never as HTML.
function make(tag, text, className) {
  const element = document.createElement(tag)
  element.textContent = text
  if (className) element.className = className
  return element
}

// A legend entry: a colored dot and a name.
function legendItem(name, color) {
  const item = make('span', name), dot = make('i', '')
  dot.style.background = color
  item.prepend(dot)
  return item
}

class TextMap {
  // `use`: label, color(i), faded(), tell(i) -> nodes (may be a promise), pick(i), over(map) draws on top of the dots
  constructor(place, use) {
    this.use = use
    this.points = {x: [], y: []}
    this.canvas = make('canvas', '')
    this.canvas.tabIndex = 0
    this.canvas.setAttribute('role', 'application')
    this.canvas.setAttribute('aria-label', use.label +
      ' Arrows move it, plus and minus zoom, 0 shows all, Enter picks the text nearest to the middle.')
    this.tip = make('div', '', 'tip')
    this.tip.hidden = true
    place.classList.add('chart')
    place.append(this.canvas, this.zoomButtons(), this.tip)
    this.pen = this.canvas.getContext('2d')
    this.reset()
    this.listen()
  }

  zoomButtons() {
    const buttons = make('div', '', 'zoom')
    const actions = [
      ['+', 'zoom in', () => this.scale(1.5)],
      ['\u2212', 'zoom out', () => this.scale(1/1.5)],
      ['\u2302', 'show all', () => this.all()],
    ]
    for (const [sign, name, act] of actions) {
      const button = make('button', sign)
      button.setAttribute('aria-label', name)
      button.addEventListener('click', act)
      buttons.append(button)
    }
    return buttons
  }

  reset() {
    this.zoom = 1
    this.shift = [0, 0]
  }

  all() {
    this.reset()
    this.draw()
  }

  // Show other points, all of them: `box` is their middle and half of their larger side, with a margin.
  show(points) {
    const range = v => v.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [Infinity, -Infinity])
    this.points = points
    const [left, right] = range(points.x), [bottom, top] = range(points.y)
    const half = Math.max(right - left, top - bottom, 1e-6)/2
    this.box = points.x.length ? [(left + right)/2, (bottom + top)/2, half*1.1] : [0, 0, 1]
    this.all()
  }

  middle() { return [this.canvas.clientWidth/2, this.canvas.clientHeight/2] }

  // Pixels of a place on the map, and of a dot.
  place(x, y) {
    const [cx, cy] = this.middle(), pixels = Math.min(cx, cy)*this.zoom/this.box[2]
    return [cx + this.shift[0] + (x - this.box[0])*pixels, cy + this.shift[1] - (y - this.box[1])*pixels]
  }

  at(i) { return this.place(this.points.x[i], this.points.y[i]) }

  // The dot nearest to a pixel, -1 if none is within `limit` (a squared distance).
  nearest([px, py], limit = 144) {
    let best = -1
    for (let i = 0; i < this.points.x.length; i++) {
      const [x, y] = this.at(i), distance = (x - px)**2 + (y - py)**2
      if (distance < limit) {
        limit = distance
        best = i
      }
    }
    return best
  }

  ink() { return getComputedStyle(document.body).color }

  dot(x, y, radius, color) {
    this.pen.beginPath()
    this.pen.arc(x, y, radius, 0, 7)
    this.pen.fillStyle = color
    this.pen.fill()
  }

  write([x, y], text, font) {
    this.pen.font = font
    this.pen.fillStyle = this.ink()
    this.pen.fillText(text, ...this.place(x, y))
  }

  badge([x, y], text, color) {
    [x, y] = this.place(x, y)
    this.dot(x, y, 9, this.ink())
    this.dot(x, y, 8, color)
    this.pen.font = '600 12px system-ui, sans-serif'
    this.pen.fillStyle = '#fff'
    this.pen.fillText(text, x, y + 1)
  }

  draw() {
    const {canvas, pen} = this, scale = devicePixelRatio || 1, n = this.points.x.length
    canvas.width = canvas.clientWidth*scale
    canvas.height = canvas.clientHeight*scale
    if (!this.box) return
    pen.scale(scale, scale)
    pen.globalAlpha = this.use.faded() ? .35 : .75
    const radius = n > 2000 ? 2 : n > 300 ? 3 : 5
    for (let i = 0; i < n; i++) this.dot(...this.at(i), radius, this.use.color(i))
    pen.globalAlpha = 1
    pen.textAlign = 'center'
    pen.textBaseline = 'middle'
    this.use.over(this)
  }

  // Zoom; what is under the pointer `p` (default: the middle) stays there.
  scale(factor, p) {
    const middle = this.middle()
    const fixed = [0, 1].map(k => (p || middle)[k] - middle[k])
    this.shift = [0, 1].map(k => fixed[k] - (fixed[k] - this.shift[k])*factor)
    this.zoom *= factor
    this.draw()
  }

  move(x, y) {
    this.shift = [this.shift[0] + x, this.shift[1] + y]
    this.draw()
  }

  // Show beside a pixel what stands at dot `i`; -1 hides it.
  async tell(i, [x, y]) {
    this.over = i
    if (i < 0) {
      this.tip.hidden = true
      return
    }
    const nodes = await this.use.tell(i)
    if (i != this.over) return                             // the pointer has moved on
    this.tip.replaceChildren(...nodes)
    this.tip.hidden = false
    this.tip.style.left = Math.max(0, Math.min(x + 12, this.canvas.clientWidth - this.tip.offsetWidth)) + 'px'
    this.tip.style.top = y + 12 + 'px'
  }

  pickNearestToMiddle() {
    const i = this.nearest(this.middle(), Infinity)
    if (i < 0) return
    this.tell(i, this.at(i))
    this.use.pick(i)
  }

  listen() {
    this.fingers = new Map()                               // pointers that are down -> where
    this.moved = false
    const canvas = this.canvas
    canvas.addEventListener('pointerdown', e => this.pointerDown(e))
    canvas.addEventListener('pointermove', e => this.pointerMove(e))
    canvas.addEventListener('pointerup', e => this.pointerUp(e))
    canvas.addEventListener('pointercancel', e => this.fingers.delete(e.pointerId))
    canvas.addEventListener('pointerleave', e => { if (e.pointerType != 'touch') this.tell(-1, [0, 0]) })
    canvas.addEventListener('wheel', e => {
      e.preventDefault()
      this.scale(Math.exp(-e.deltaY/400), this.pixel(e))
    }, {passive: false})
    canvas.addEventListener('keydown', e => this.key(e))
    addEventListener('resize', () => this.draw())
  }

  pixel(event) {
    const box = this.canvas.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  pointerDown(e) {
    if (!this.fingers.size) this.moved = false
    this.fingers.set(e.pointerId, this.pixel(e))
    this.canvas.setPointerCapture(e.pointerId)
  }

  pointerMove(e) {
    const p = this.pixel(e), before = this.fingers.get(e.pointerId)
    if (!before) {
      if (e.pointerType != 'touch') this.tell(this.nearest(p), p)
      return
    }
    if (this.fingers.size == 2) this.pinch(e.pointerId, p)
    else if (this.moved || Math.hypot(p[0] - before[0], p[1] - before[1]) > 3) {
      this.fingers.set(e.pointerId, p)
      this.moved = true
      this.move(p[0] - before[0], p[1] - before[1])
    }
  }

  // Two fingers: the map grows with their distance, around the point between them.
  pinch(id, p) {
    const gap = () => {
      const [a, b] = [...this.fingers.values()]
      return Math.hypot(a[0] - b[0], a[1] - b[1])
    }
    const [a, b] = [...this.fingers.values()], before = gap()
    this.fingers.set(id, p)
    this.moved = true
    if (before > 0) this.scale(gap()/before, [(a[0] + b[0])/2, (a[1] + b[1])/2])
  }

  pointerUp(e) {
    if (!this.fingers.delete(e.pointerId) || this.moved) return
    const touch = e.pointerType == 'touch', p = this.pixel(e)
    const i = this.nearest(p, touch ? 576 : 144)           // a finger is thicker than an arrow
    if (touch) this.tell(i, p)
    if (i >= 0) this.use.pick(i)
  }
  key(e) {
    const actions = {
      ArrowLeft: () => this.move(40, 0),
      ArrowRight: () => this.move(-40, 0),
      ArrowUp: () => this.move(0, 40),
      ArrowDown: () => this.move(0, -40),
      '+': () => this.scale(1.5),
      '=': () => this.scale(1.5),
      '-': () => this.scale(1/1.5),
      0: () => this.all(),
      Escape: () => this.tell(-1, [0, 0]),
      Enter: () => this.pickNearestToMiddle(),
    }
    if (!actions[e.key] || e.ctrlKey || e.metaKey) return
    e.preventDefault()
    actions[e.key]()
  }
}
