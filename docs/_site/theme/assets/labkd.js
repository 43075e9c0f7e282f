/* What Material 9.8 leaves open: names for what has none, and a voice for
   "Copied". Material announces every page, also after instant navigation,
   on document$. */
(() => {
  "use strict"
  const page = () => {
    document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search")
    const dialog = document.querySelector(".md-dialog__inner")
    dialog?.setAttribute("role", "status")
    dialog?.setAttribute("aria-live", "polite")
    code()
    boxes()
  }

  // Copy buttons come one by one, as code scrolls into sight.
  const code = () =>
    document.querySelectorAll(".md-code__nav:not([aria-label])").forEach(nav => {
      const all = [...document.querySelectorAll("pre > code")]
      const number = all.indexOf(nav.closest("pre")?.querySelector("code")) + 1
      nav.setAttribute("aria-label", `Code ${number}`)
    })

  // What scrolls sideways must be within reach of the keyboard. Measured when
  // it comes near: to measure all of a page at once is to lay all of it out.
  const reach = new ResizeObserver(entries => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0
      else target.removeAttribute("tabindex")
    }
  })
  const near = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) reach.observe(target)
      else reach.unobserve(target)
    }
  }, { rootMargin: "100%" })
  const boxes = () => {
    reach.disconnect()
    near.disconnect()
    document.querySelectorAll(".output, .output pre, .rich, .katex-display, .md-typeset__scrollwrap")
      .forEach(box => near.observe(box))
  }

  // Two columns beside each other stick; one that is taller than the window sticks by its end.
  const columns = new ResizeObserver(entries => {
    for (const { target } of entries) {
      const room = innerHeight - target.offsetHeight - 16
      target.style.top = room < 64 ? `${room}px` : ""
    }
  })

  const wide = matchMedia("(min-width: 60em)")
  const stick = () => {
    columns.disconnect()
    if (wide.matches) document.querySelectorAll(".stay").forEach(column => columns.observe(column))
  }
  wide.addEventListener("change", stick)

  // The table of all runs: a row stays if it has every word that is asked for.
  const runs = () => {
    const table = document.querySelector(".runs:not([data-ready])")
    if (!table) return
    table.dataset.ready = ""
    const rows = [...table.tBodies[0].rows]
    const find = document.querySelector(".find")
    const [input, output] = find.querySelectorAll("input, output")
    const show = () => {
      const words = input.value.toLowerCase().split(/\s+/)
      for (const row of rows) {
        const text = row.textContent.toLowerCase()
        row.hidden = !words.every(word => text.includes(word))
      }
      output.textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} runs`
    }
    input.addEventListener("input", show)
    show()
    find.hidden = false
    ;[...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button")
      button.type = "button"
      button.append(...head.childNodes)
      head.append(button)
      button.addEventListener("click", () => sort(table, head, column, rows))
    })
  }

  // A second click turns the order about; numbers are compared as numbers.
  const sort = (table, head, column, rows) => {
    const order = head.ariaSort === "ascending" ? "descending" : "ascending"
    for (const each of head.parentNode.cells) each.removeAttribute("aria-sort")
    head.setAttribute("aria-sort", order)
    const sign = order === "ascending" ? 1 : -1
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent
    const compare = (a, b) => a - b || a.localeCompare(b, "en", { numeric: true })
    rows.sort((a, b) => sign * compare(key(a), key(b)))
    table.tBodies[0].append(...rows)
  }

  new MutationObserver(code).observe(document.body, { childList: true, subtree: true })
  document$.subscribe(() => {
    page()
    stick()
    runs()
  })

  // Material closes the search 125 ms after every jump to another place, even
  // if it was opened in between and somebody is typing. Here it closes only if
  // something has asked for that since.
  const search = document.getElementById("__search")
  let asked = true, within = false
  search.addEventListener("change", () => { if (search.checked) asked = false })
  addEventListener("keydown", ({ key }) => { if (key === "Escape" || key === "Tab") asked = true }, true)
  // A link within the page was a click before it is history.
  addEventListener("popstate", () => {
    if (!within) asked = true
    within = false
  })
  addEventListener("click", event => {
    const link = event.target.closest?.("a[href]")
    if (link) {
      asked = true
      within = Boolean(link.hash) && link.pathname === location.pathname
    }
    // A click on a box has changed it by now; what is prevented is undone.
    const closes = event.target === search && !search.checked && !event.isTrusted
    if (closes && !asked) event.preventDefault()
  }, true)

  // The dialog at the foot of the page is far from the button.
  addEventListener("click", event => {
    const button = event.target.closest?.(".copy-whole")
    if (!button || button.dataset.label) return
    button.dataset.label = button.textContent
    button.textContent = "Copied"
    setTimeout(() => {
      button.textContent = button.dataset.label
      delete button.dataset.label
    }, 2000)
  })
})()
