// Formulas in on standard input, as JSON [[tex, display], ...]; HTML out, as
// JSON [{html} or {error}, ...]. One process renders a whole build.
import { readFileSync } from "node:fs"
import katex from "katex"

const render = ([tex, displayMode]) => {
  try {
    const options = { displayMode, throwOnError: true, strict: "error" }
    return { html: katex.renderToString(tex, options) }
  } catch (error) {
    return { error: error.message.split("\n")[0] }
  }
}
const formulas = JSON.parse(readFileSync(0, "utf8"))
process.stdout.write(JSON.stringify(formulas.map(render)))
