/* What a reader can touch. The build writes the whole table; this file
   changes its numbers, so that a page without scripts still shows one answer. */
(() => {
  "use strict"

  /* ---- what a network's answer looks like --------------------------------- */
  // The largest exponent is 0, so that nothing overflows.
  const soften = (logits, temperature) => {
    const largest = Math.max(...logits)
    const powers = logits.map(v => Math.exp((v - largest) / temperature))
    const sum = powers.reduce((a, b) => a + b)
    return powers.map(power => power / sum)
  }
  // As undecided as this many equal classes: e to the entropy. 0 log 0 is 0.
  const spreadOver = probabilities =>
    Math.exp(probabilities.reduce((h, p) => p > 0 ? h - p * Math.log(p) : h, 0))
  const written = p => p < 0.0005 ? "<0.001" : p.toFixed(3)

  // One column a network, one row a class.
  const fill = (table, answers) => {
    const rows = [...table.tBodies[0].rows]
    answers.forEach((probabilities, network) => {
      probabilities.forEach((p, i) => {
        const cell = rows[i].cells[network + 1]
        cell.textContent = written(p)
        cell.style.setProperty("--p", p.toFixed(4))
      })
      const spread = table.tFoot?.rows[0].cells[network + 1]
      if (spread) spread.textContent = spreadOver(probabilities).toFixed(2)
    })
  }

  // Each network's first choice, for who cannot see the bars.
  const said = (table, answers) => answers.map((probabilities, network) => {
    const best = probabilities.indexOf(Math.max(...probabilities))
    const [name] = table.tHead.rows[0].cells[network + 1].childNodes
    const choice = table.tBodies[0].rows[best].cells[0].textContent
    return `${name.textContent.trim()}: ${choice}, ${written(probabilities[best])}.`
  }).join(" ")

  // A screen reader hears of a change when the hand has come to rest.
  const teller = status => {
    let waiting
    return text => {
      clearTimeout(waiting)
      waiting = setTimeout(() => { status.textContent = text }, 700)
    }
  }

  /* ---- soft labels: a photograph and a temperature ------------------------ */
  // Eighths of a doubling: 1, 2, 4, 8 and 16 are stops, 20 is the last.
  const temperatureAt = place => Math.min(20, 2 ** (place / 8))

  const softLabels = box => {
    const { labels, logits } = JSON.parse(box.dataset.softLabels)
    const find = selector => box.querySelector(selector)
    const table = find("table"), slider = find("[type=range]")
    const tell = teller(find("[role=status]"))

    const draw = () => {
      const chosen = find(":checked"), image = chosen.value
      const temperature = temperatureAt(slider.valueAsNumber)
      const text = `T = ${temperature.toPrecision(3)}`
      const answers = logits.map(network => soften(network[image], temperature))
      fill(table, answers)
      const rows = [...table.tBodies[0].rows]
      rows.forEach((row, i) => row.classList.toggle("correct", i === labels[image]))
      const label = rows[labels[image]].cells[0].textContent
      find(".chosen strong").textContent = label
      find(".chosen .photograph").style = chosen.nextElementSibling.getAttribute("style")
      find("caption b").textContent = temperature.toPrecision(3)
      find("output").textContent = text
      slider.setAttribute("aria-valuetext", text)
      return `Label: ${label}. ${text}. ${said(table, answers)}`
    }
    box.addEventListener("input", () => tell(draw()))
    // The build drew the first choice; a browser may have kept another one.
    const kept = slider.value !== slider.defaultValue || !find(":checked").defaultChecked
    if (kept) draw()
  }

  /* ---- a drawing, as scikit-learn's digits were made ---------------------- */
  // Theirs are bitmaps of 32 x 32 cells; a pixel counts the black ones of
  // 4 x 4. They fill the height and most of the width, and have about as much
  // ink whatever the digit: so the cells nearest to the strokes are black.
  const CELLS = 32, HIGH = 27, WIDE = 16

  const normalised = strokes => {
    const xs = strokes.flat().map(([x]) => x), ys = strokes.flat().map(([, y]) => y)
    const left = Math.min(...xs), right = Math.max(...xs)
    const top = Math.min(...ys), bottom = Math.max(...ys)
    // As large as fits; what is narrow or flat is then stretched, at most twice.
    const fitX = WIDE / (right - left || 1), fitY = HIGH / (bottom - top || 1)
    const scale = Math.min(fitX, fitY)
    const scaleX = Math.min(2 * scale, fitX), scaleY = Math.min(2 * scale, fitY)
    return strokes.map(stroke => stroke.map(([x, y]) => [
      CELLS / 2 + (x - (left + right) / 2) * scaleX,
      CELLS / 2 + (y - (top + bottom) / 2) * scaleY,
    ]))
  }

  // The squared distance of a point from a piece of a stroke.
  const distance = (x, y, [ax, ay], [bx, by]) => {
    const length = (bx - ax) ** 2 + (by - ay) ** 2
    const t = length && ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length
    const along = Math.max(0, Math.min(1, t))
    return (ax + along * (bx - ax) - x) ** 2 + (ay + along * (by - ay) - y) ** 2
  }

  // Strokes, lists of [x, y], to 64 pixels of 0 to 16.
  const pixelsOf = (strokes, ink) => {
    const pieces = normalised(strokes).flatMap(stroke =>
      stroke.map((point, i) => [stroke[Math.max(0, i - 1)], point]))
    const cells = Array.from({ length: CELLS ** 2 }, (_, cell) => {
      const x = cell % CELLS + 0.5, y = Math.floor(cell / CELLS) + 0.5
      return { x, y, far: Math.min(...pieces.map(([a, b]) => distance(x, y, a, b))) }
    })
    const pixels = Array(64).fill(0)
    cells.sort((a, b) => a.far - b.far).slice(0, ink)
      .forEach(({ x, y }) => pixels[8 * Math.floor(y / 4) + Math.floor(x / 4)]++)
    return pixels
  }

  /* ---- the networks: their file, and their layers ------------------------- */
  // Half precision: a sign, five bits of exponent, ten of fraction.
  const half = bits => {
    const exponent = bits >> 10 & 31, fraction = (bits & 1023) / 1024
    const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14
    return bits >> 15 ? -size : size
  }

  // safetensors: the length of a header, the header in JSON, the numbers.
  const tensorsOf = buffer => {
    const view = new DataView(buffer)
    const start = 8 + Number(view.getBigUint64(0, true))
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8)))
    delete header.__metadata__
    return Object.fromEntries(Object.entries(header).map(([name, { data_offsets: [from, to] }]) =>
      [name, Array.from({ length: (to - from) / 2 }, (_, i) =>
        half(view.getUint16(start + from + 2 * i, true)))]))
  }

  const relu = values => values.map(v => Math.max(0, v))

  const linear = (input, weight, bias) => bias.map((b, o) =>
    input.reduce((sum, v, i) => sum + v * weight[o * input.length + i], b))

  // 3 x 3, with a border of zeros. Maps lie one behind the other, as in torch.
  const convolve = (maps, size, weight, bias) => {
    const inputs = maps.length / size ** 2
    return bias.flatMap((b, o) => Array.from({ length: size ** 2 }, (_, place) => {
      const y = Math.floor(place / size), x = place % size
      let sum = b
      for (let i = 0; i < inputs; i++)
        for (let v = Math.max(0, y - 1); v <= Math.min(size - 1, y + 1); v++)
          for (let u = Math.max(0, x - 1); u <= Math.min(size - 1, x + 1); u++)
            sum += maps[(i * size + v) * size + u]
              * weight[((o * inputs + i) * 3 + v - y + 1) * 3 + u - x + 1]
      return sum
    }))
  }

  // The largest of each 2 x 2; two rows of a map are 2 * size values.
  const pool = (maps, size) => Array.from({ length: maps.length / 4 }, (_, i) => {
    const corner = Math.floor(i / (size / 2)) * 2 * size + i % (size / 2) * 2
    return Math.max(maps[corner], maps[corner + 1], maps[corner + size], maps[corner + size + 1])
  })

  // Pixels of 0 to 16 to the logits of teacher and students.
  const logitsOf = (tensors, pixels) => {
    const image = pixels.map(v => v / 16)
    const layer = name => [tensors[`${name}.weight`], tensors[`${name}.bias`]]
    const first = pool(relu(convolve(image, 8, ...layer("teacher.0"))), 8)
    const second = relu(convolve(first, 4, ...layer("teacher.3")))
    const student = name =>
      linear(relu(linear(image, ...layer(`${name}.1`))), ...layer(`${name}.3`))
    return [linear(second, ...layer("teacher.6")), student("labels"), student("soft")]
  }

  /* ---- draw a seven ------------------------------------------------------- */
  const weights = new URL("drawing-digits.safetensors", document.currentScript.src)
  let loaded // the tensors, once for all pages
  const tensors = () => loaded ??= fetch(weights).then(r => r.arrayBuffer()).then(tensorsOf)

  const drawing = box => {
    const { ink, examples } = JSON.parse(box.dataset.drawing)
    const find = selector => box.querySelector(selector)
    const canvas = find("canvas"), pen = canvas.getContext("2d")
    const tell = teller(find("[role=status]"))
    let strokes = []

    const answer = async (pixels, what) => {
      find(".seen").querySelectorAll("rect").forEach((rect, i) =>
        rect.setAttribute("fill-opacity", pixels[i] / 16))
      find(".chosen strong").textContent = what
      const answers = logitsOf(await tensors(), pixels).map(z => soften(z, 1))
      fill(find("table"), answers)
      tell(said(find("table"), answers))
    }
    const wipe = () => {
      strokes = []
      pen.clearRect(0, 0, canvas.width, canvas.height)
    }
    const at = event => {
      const { left, top, width } = canvas.getBoundingClientRect()
      return [event.clientX - left, event.clientY - top].map(v => v * canvas.width / width)
    }
    // One answer a frame is as many as can be seen.
    let asked = false
    const ask = () => {
      if (asked) return
      asked = true
      requestAnimationFrame(() => {
        asked = false
        if (strokes.length) answer(pixelsOf(strokes, ink), "your drawing")
      })
    }
    const line = (from, to) => {
      Object.assign(pen, { lineWidth: 18, lineCap: "round", strokeStyle: getComputedStyle(canvas).color })
      pen.beginPath()
      pen.moveTo(...from)
      pen.lineTo(...to)
      pen.stroke()
    }

    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId)
      strokes.push([at(event)])
      line(at(event), at(event))
      ask()
    })
    canvas.addEventListener("pointermove", event => {
      if (!canvas.hasPointerCapture(event.pointerId)) return
      const stroke = strokes.at(-1)
      line(stroke.at(-1), at(event))
      stroke.push(at(event))
      ask()
    })
    find(".clear").addEventListener("click", wipe)
    find(".examples").addEventListener("click", ({ target }) => {
      if (!target.value) return
      wipe()
      answer([...examples[target.value]].map(sign => parseInt(sign, 17)), `a ${target.value} of the test images`)
    })
    // Asked for before the first stroke, so that the first answer comes at once.
    new IntersectionObserver((seen, observer) => {
      if (!seen.some(entry => entry.isIntersecting)) return
      observer.disconnect()
      tensors()
    }, { rootMargin: "50%" }).observe(box)
  }
  // For whoever wants to ask the networks from the console, and for the tests.
  globalThis.drawingLogits = async pixels => logitsOf(await tensors(), pixels)

  // Material announces every page, also after instant navigation.
  document$.subscribe(() => {
    document.querySelectorAll("[data-soft-labels]").forEach(softLabels)
    document.querySelectorAll("[data-drawing]").forEach(drawing)
  })
})()
