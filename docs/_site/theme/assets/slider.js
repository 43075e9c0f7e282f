/* The slider of the chapter on temperature. A cell leaves one image's logits
   in an element [data-temperature]; here it gets a control, the probabilities
   and their entropy. Without this file it stays hidden, and the figure beside
   it tells the story. */
(() => {
  "use strict"
  // Eighths of a doubling: 1, 2, 4, 8 and 16 are stops, 20 is the last.
  const COLDEST = -8, HOTTEST = 35
  const temperatureAt = place => Math.min(20, 2 ** (place / 8))

  // The largest exponent is 0, so that nothing overflows.
  const soften = (logits, temperature) => {
    const largest = Math.max(...logits)
    const raised = logits.map(v => Math.exp((v - largest) / temperature))
    const sum = raised.reduce((a, b) => a + b)
    return raised.map(r => r / sum)
  }
  // 0 log 0 is 0.
  const entropyOf = probabilities =>
    probabilities.reduce((sum, p) => p > 0 ? sum - p * Math.log(p) : sum, 0)
  const written = p => p < 0.001 ? p.toExponential(1) : p.toFixed(3)

  const add = (parent, tag, text = "") => {
    const child = parent.appendChild(document.createElement(tag))
    child.textContent = text
    return child
  }

  const addRow = (table, name) => {
    const row = table.insertRow()
    add(row, "th", name).scope = "row"
    const bar = add(row.insertCell(), "div")
    const value = row.insertCell()
    return { row, show: (share, text) => {
      bar.style.width = `${100 * share}%`
      value.textContent = text
    } }
  }

  const build = box => {
    const { logits, classes, correct } = JSON.parse(box.dataset.temperature)
    const head = add(box, "p")
    const label = add(head, "label", "Temperature ")
    const input = add(label, "input")
    Object.assign(input, { type: "range", min: COLDEST, max: HOTTEST, step: 1 })
    input.value = 0
    const output = add(head, "output")
    const table = add(box, "table")
    table.className = "bars"
    add(table, "caption", "The teacher's probabilities for this image")
    const rows = classes.map(name => addRow(table, name))
    rows[correct].row.className = "correct"
    const last = addRow(table, "entropy")
    last.row.className = "entropy"

    const draw = () => {
      const temperature = temperatureAt(input.valueAsNumber)
      const probabilities = soften(logits, temperature)
      const entropy = entropyOf(probabilities)
      const most = Math.log(logits.length)
      rows.forEach(({ show }, i) => show(probabilities[i], written(probabilities[i])))
      last.show(entropy / most, `${entropy.toFixed(3)} nats`)
      const text = `T = ${temperature.toPrecision(3)}`
      input.setAttribute("aria-valuetext", text)
      output.textContent =
        `${text}: entropy ${entropy.toFixed(3)} of at most ${most.toFixed(3)} nats`
    }
    input.addEventListener("input", draw)
    draw()
    box.hidden = false
  }

  // Material announces every page, also after instant navigation.
  document$.subscribe(() =>
    document.querySelectorAll("[data-temperature][hidden]").forEach(build))
})()
