// The map of the province: a cell a block, coloured by its state, and where the annotator is.

import { $ } from "./dom.js";

const MARGIN = 10;
const STATES = { ".": "--open", l: "--labelled", h: "--held", a: "--answered" };

export class Overview {
  /** `blocks`: [id, row, col, whether it is handed out]. `chosen(id)`: a block was clicked. */
  constructor(blocks, latitude, chosen) {
    this.blocks = blocks;
    const rows = blocks.map((block) => block[1]);
    const cols = blocks.map((block) => block[2]);
    this.row = rows.reduce((a, b) => Math.min(a, b), Infinity);
    this.col = cols.reduce((a, b) => Math.min(a, b), Infinity);
    this.high = rows.reduce((a, b) => Math.max(a, b), -Infinity) - this.row + 1;
    this.wide = cols.reduce((a, b) => Math.max(a, b), -Infinity) - this.col + 1;
    this.squeeze = Math.cos((latitude * Math.PI) / 180);
    this.places = new Map(blocks.map((block) => [`${block[1]}/${block[2]}`, block]));
    this.states = "";
    this.canvas = $("overview");
    this.canvas.addEventListener("click", (event) => {
      const block = this.#at(event);
      if (block?.[3]) chosen(block[0]);
    });
    this.canvas.addEventListener("mousemove", (event) => {
      this.canvas.title = this.#at(event)?.[0] ?? "";
    });
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  /** States of the blocks that are handed out, a letter each, and the block that is shown. */
  update({ states = this.states, current = this.current }) {
    this.states = states;
    this.current = current;
    this.draw();
  }

  #layout() {
    const box = this.canvas.getBoundingClientRect();
    const room = [box.width - 2 * MARGIN, box.height - 2 * MARGIN];
    const size = Math.min(room[0] / (this.wide * this.squeeze), room[1] / this.high);
    const [x, y] = [size * this.squeeze, size];
    return { box, x, y, left: (box.width - x * this.wide) / 2, top: (box.height - y * this.high) / 2 };
  }

  #at(event) {
    const { box, x, y, left, top } = this.#layout();
    const col = Math.floor((event.clientX - box.left - left) / x) + this.col;
    const row = Math.floor((event.clientY - box.top - top) / y) + this.row;
    return this.places.get(`${row}/${col}`);
  }

  draw() {
    const { box, x, y, left, top } = this.#layout();
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(Math.round(box.width * ratio), 1);
    this.canvas.height = Math.max(Math.round(box.height * ratio), 1);
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    const colours = Object.fromEntries(
      Object.entries(STATES).map(([state, name]) => [state, style.getPropertyValue(name)]),
    );
    // Custom properties keep light-dark() as it is written; a probe element resolves it.
    const probe = document.createElement("i");
    this.canvas.after(probe);
    for (const state of Object.keys(colours)) {
      probe.style.color = colours[state];
      colours[state] = getComputedStyle(probe).color;
    }
    probe.remove();
    const gap = Math.min(x, y) > 5 ? 1 : 0;
    let handed = 0;
    let here = null;
    for (const [id, row, col, sampled] of this.blocks) {
      const spot = [left + (col - this.col) * x, top + (row - this.row) * y, x - gap, y - gap];
      pen.globalAlpha = sampled ? 1 : 0.35;
      pen.fillStyle = colours[sampled ? this.states[handed++] ?? "." : "."];
      pen.fillRect(...spot);
      if (id === this.current) here = spot;
    }
    pen.globalAlpha = 1;
    if (here) this.#mark(pen, here, style.color);
    this.canvas.setAttribute("aria-label", this.#told());
  }

  #mark(pen, [left, top, width, height], colour) {
    pen.strokeStyle = colour;
    pen.lineWidth = 2;
    pen.strokeRect(left - 1, top - 1, width + 2, height + 2);
    pen.beginPath();
    pen.arc(left + width / 2, top + height / 2, Math.max(9, width * 0.9), 0, 2 * Math.PI);
    pen.stroke();
  }

  #told() {
    const count = (state) => [...this.states].filter((letter) => letter === state).length;
    return (
      `Map of ${this.blocks.length} blocks: ${count("a")} answered, ${count("l")} in the label table,` +
      ` ${count("h")} handed out, ${count(".")} open; shown: ${this.current ?? "none"}`
    );
  }
}
