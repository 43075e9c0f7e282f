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

  // What scrolls sideways must be within reach of the keyboard.
  const boxes = () =>
    document.querySelectorAll(".output, .output pre, .rich, .katex-display, .md-typeset__scrollwrap").forEach(box => {
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0
      else box.removeAttribute("tabindex")
    })

  // Both columns stick; one that is taller than the window sticks by its end.
  const columns = new ResizeObserver(entries => {
    for (const { target } of entries) {
      const room = innerHeight - target.offsetHeight - 16
      target.style.top = room < 64 ? `${room}px` : ""
    }
  })

  new MutationObserver(code).observe(document.body, { childList: true, subtree: true })
  addEventListener("resize", boxes, { passive: true })
  document$.subscribe(() => {
    page()
    document.fonts.ready.then(boxes)
    columns.disconnect()
    document.querySelectorAll(".stay").forEach(column => columns.observe(column))
  })

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
