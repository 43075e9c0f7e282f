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

  new MutationObserver(code).observe(document.body, { childList: true, subtree: true })
  document$.subscribe(() => {
    page()
    stick()
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
