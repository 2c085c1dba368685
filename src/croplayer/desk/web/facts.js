// The tables of what was measured of a block and of what the models say.

import { make } from "./dom.js";

const MEASURED = [
  ["coverage_type", "Coverage type (model)"],
  ["af", "Area fraction, AF", 3],
  ["solidity_mean", "Solidity, mean", 3],
  ["en_mean", "Euler number, mean", 2],
  ["sharpness", "Sharpness", 3],
  ["valid_fraction", "Valid pixels", 3],
];
const OF_BLOCK = [
  ["consistency", "Consistency (IoU)", 3],
  ["containment", "Containment", 3],
  ["elevation", "Elevation, m", 0],
  ["slope", "Slope, degrees", 1],
];
const CLASSES = [["p_tp", "TP"], ["p_fp", "FP"], ["p_noise", "Noise"], ["p_artifacts", "Artifacts"]];

/** Table of measured values: a column a source, then what the block has once. */
export function measured(table, facts, sources, asked) {
  const rows = MEASURED.filter(([name]) => sources.some((source) => name in facts.sources[source]));
  const body = rows.map(([name, title, digits]) =>
    line(title, sources.map((source) => written(facts.sources[source][name], digits)), sources, asked));
  const once = OF_BLOCK.filter(([name]) => name in facts.block).map(([name, title, digits]) =>
    make("tr", {}, make("th", { scope: "row" }, title),
      make("td", { colspan: sources.length }, written(facts.block[name], digits))));
  fill(table, sources, asked, [...body, ...once]);
}

/** Table of the semantic model's and the integration model's probabilities. */
export function opinions(table, facts, sources, asked, options) {
  const rows = CLASSES.filter(([name]) => sources.some((source) => name in facts.models[source]));
  const body = rows.map(([name, title]) =>
    line(title, sources.map((source) => written(facts.models[source][name], 2)), sources, asked));
  const chosen = options
    .filter(({ value }) => `p_${value}` in facts.option)
    .map(({ value, name }) =>
      make("tr", {}, make("th", { scope: "row" }, name),
        make("td", { colspan: sources.length }, written(facts.option[`p_${value}`], 2))));
  fill(table, sources, asked, [...body, ...chosen]);
}

function line(title, values, sources, asked) {
  return make("tr", {}, make("th", { scope: "row" }, title),
    ...values.map((value, index) =>
      make("td", {}, sources[index] === asked ? make("b", {}, value) : value)));
}

function fill(table, sources, asked, rows) {
  if (rows.length === 0) {
    table.replaceChildren(make("tbody", {}, make("tr", {}, make("td", {}, "nothing yet"))));
    return;
  }
  const head = make("tr", {}, make("td"), ...sources.map((source) =>
    make("th", { scope: "col", class: source === asked && "asked" }, source)));
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function written(value, digits) {
  if (value === null || value === undefined) return "–";
  return typeof value === "number" ? value.toFixed(digits) : String(value).replaceAll("_", " ");
}
