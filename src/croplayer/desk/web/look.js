// How a block is shown: the mode, the mask, its opacity. Each kind of interpretation remembers its own.

import { $, buttons, remember, remembered } from "./dom.js";
import { MODES, Viewer } from "./viewer.js";

const USUAL = {
  coverage: { mode: "single", mask: false },
  semantic: { mode: "mask", mask: true },
  options: { mode: "side", mask: true },
};

export class Look {
  constructor(facts, latitude) {
    this.sources = facts.sources;
    this.viewer = new Viewer(facts.grid, latitude);
    const two = facts.sources.length > 1;
    this.modes = MODES.filter(([key]) => two || key === "single" || key === "mask");
    this.press = buttons($("modes"), this.modes, (mode) => this.set({ mode }));
    $("opacity").value = remembered("opacity", 50);
    $("outline").checked = remembered("outline", false);
    $("mask").addEventListener("change", () => this.set({ mask: $("mask").checked }));
    for (const id of ["outline", "opacity"]) {
      $(id).addEventListener("input", () => {
        remember(id, id === "outline" ? $(id).checked : Number($(id).value));
        this.draw();
      });
    }
    $("zoom-in").addEventListener("click", () => this.viewer.zoom(0.5));
    $("zoom-out").addEventListener("click", () => this.viewer.zoom(-0.5));
    $("fit").addEventListener("click", () => this.viewer.fit());
  }

  keys() {
    return [
      ["v", "next view", () => this.#turn()],
      ["s", "look at the other source", () => this.#flip()],
      ["m", "mask on or off", () => this.set({ mask: !this.chosen.mask })],
      ["o", "mask filled or outlined", () => $("outline").click()],
      ["[ ]", "opacity of the mask", (key) => this.#fade(key === "]" ? 10 : -10)],
      ["+ - =", "zoom", (key) => this.viewer.zoom(key === "-" ? -0.5 : 0.5)],
      ["f", "show the whole block", () => this.viewer.fit()],
    ];
  }

  /** Show an item of a task. */
  show(task, item) {
    this.task = task;
    this.item = item;
    this.flipped = false;
    const usual = USUAL[task.key];
    this.chosen = { ...usual, ...remembered(`look-${task.key}`, {}) };
    if (!this.modes.some(([key]) => key === this.chosen.mode)) this.chosen.mode = "single";
    this.draw();
    this.viewer.show(item.pixels);
  }

  set(change) {
    if (!this.task) return;
    this.chosen = { ...this.chosen, ...change };
    remember(`look-${this.task.key}`, this.chosen);
    this.draw();
  }

  #turn() {
    const keys = this.modes.map(([key]) => key);
    this.set({ mode: keys[(keys.indexOf(this.chosen.mode) + 1) % keys.length] });
  }

  #flip() {
    this.flipped = !this.flipped && this.sources.length > 1;
    this.draw();
  }

  #fade(step) {
    $("opacity").value = Number($("opacity").value) + step;
    $("opacity").dispatchEvent(new Event("input"));
  }

  draw() {
    if (!this.item) return;
    const { mode, mask } = this.chosen;
    this.press(mode);
    $("mask").checked = mask;
    const [a, b] = [this.sources[0], this.sources[1] ?? this.sources[0]];
    const asked = this.sources.find(({ name }) => name === this.item.source) ?? a;
    const seen = this.flipped ? (asked === a ? b : a) : asked;
    const other = this.flipped && this.item.source ? " (not the one asked for)" : "";
    const shown = $("outline").checked ? "outline" : "mask";
    const content = (source, masked, what = "") => ({
      source: source.name,
      mask: masked ? shown : null,
      opacity: Number($("opacity").value) / 100,
      colour: source.colour,
      caption: `${source === a ? "A" : "B"}: ${source.name}${what}`,
      credit: source.attribution,
    });
    const contents = {
      single: [content(seen, mask, other)],
      side: [content(a, mask), content(b, mask)],
      sources: [content(a, mask), content(b, mask)],
      mask: [content(seen, false, other), content(seen, mask, mask ? ", mask" : "")],
    };
    this.viewer.arrange(mode, contents[mode]);
  }
}
