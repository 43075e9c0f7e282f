/* The gallery of mistakes, by symptom. The second line of every card lists
   its symptoms; here they become a choice. Without this file all cards are
   shown. */
(() => {
  "use strict"
  const symptomsOf = card =>
    card.querySelector("h3 + p").textContent.replace(/^.*?: /, "")
      .replace(/\s+/g, " ").split(", ")

  const build = boxes => {
    const cards = boxes.flatMap(box => [...box.children])
    const form = document.createElement("fieldset")
    form.className = "symptoms"
    form.innerHTML = "<legend>Show the mistakes whose symptom is</legend>"
    const output = document.createElement("output")

    const show = symptom => {
      cards.forEach(card => {
        card.hidden = symptom !== "any" && !symptomsOf(card).includes(symptom)
      })
      boxes.forEach(box => {
        box.hidden = [...box.children].every(card => card.hidden)
        box.previousElementSibling.hidden = box.hidden
      })
      const left = cards.filter(card => !card.hidden).length
      output.textContent = `${left} of ${cards.length} mistakes`
    }

    const symptoms = [...new Set(cards.flatMap(symptomsOf))].sort()
    for (const symptom of ["any", ...symptoms]) {
      const label = form.appendChild(document.createElement("label"))
      const input = label.appendChild(document.createElement("input"))
      Object.assign(input, { type: "radio", name: "symptom", checked: symptom === "any" })
      input.addEventListener("change", () => show(symptom))
      label.append(symptom)
    }
    form.append(output)
    // Above the heading of the first group.
    boxes[0].previousElementSibling.before(form)
    show("any")
    // Who follows a link to a card that is hidden is to see it.
    addEventListener("hashchange", () => {
      const card = document.getElementById(location.hash.slice(1))?.closest(".card")
      if (card?.hidden) form.querySelector("input").click()
    })
  }

  // Material announces every page, also after instant navigation.
  document$.subscribe(() => {
    const boxes = [...document.querySelectorAll(".cards")]
    if (boxes.length && !document.querySelector(".symptoms")) build(boxes)
  })
})()
