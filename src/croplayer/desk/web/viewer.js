// Two maps in step: side by side, or one over the other with a line between them that moves.
// Map coordinates are pixels of the global grid: lng = column, lat = row, southward.

import * as L from "./vendor/leaflet/leaflet-src.esm.js";
import { $ } from "./dom.js";

export const MODES = [
  ["single", "One source"],
  ["side", "Side by side"],
  ["sources", "Slide A | B"],
  ["mask", "Slide image | mask"],
];
const MAX_ZOOM = 3;

export class Viewer {
  /** `grid`: of /api/desk. `latitude`: where ground is shown in its true shape. */
  constructor(grid, latitude) {
    const width = Math.round(grid.tile * Math.cos((latitude * Math.PI) / 180));
    this.tile = L.point(width, grid.tile);
    this.grid = grid;
    const crs = L.extend({}, L.CRS.Simple, {
      transformation: new L.Transformation(width / grid.tile, 0, 1, 0),
    });
    const sides = ["left", "right"];
    this.sheets = sides.map((side) => this.#sheet(side, crs));
    this.#keepInStep();
    this.#slider();
    new ResizeObserver(() => this.#resized()).observe($("stage"));
  }

  #sheet(side, crs) {
    const map = L.map(`map-${side}`, {
      crs,
      minZoom: -this.grid.max_level,
      maxZoom: MAX_ZOOM,
      zoomSnap: 0.25,
      zoomDelta: 0.5,
      wheelPxPerZoomLevel: 120,
      zoomAnimation: false,
      fadeAnimation: false,
      inertia: false,
      zoomControl: false,
      attributionControl: false,
    });
    const container = map.getContainer();
    container.setAttribute("role", "group");
    container.setAttribute("aria-label", `Imagery, ${side}: arrow keys move, + and - zoom`);
    map.createPane("masks").style.zIndex = 300;
    map.setView([0, 0], 0);
    return { map, side, source: null, image: null, mask: null, frame: null };
  }

  #keepInStep() {
    for (const [index, sheet] of this.sheets.entries()) {
      const other = this.sheets[1 - index].map;
      sheet.map.on("move zoom", () => {
        sheet.map.getContainer().classList.toggle("close", sheet.map.getZoom() > 0);
        if (this.stepping) return;
        this.stepping = true;
        other.setView(sheet.map.getCenter(), sheet.map.getZoom(), { animate: false });
        this.stepping = false;
      });
    }
  }

  #slider() {
    const slider = $("slider");
    const stage = $("stage");
    const put = (share) => {
      const percent = Math.round(Math.min(Math.max(share, 0), 1) * 1000) / 10;
      stage.style.setProperty("--cut", `${percent}%`);
      slider.setAttribute("aria-valuenow", String(Math.round(percent)));
      this.cut = percent / 100;
    };
    put(0.5);
    slider.addEventListener("pointerdown", (event) => slider.setPointerCapture(event.pointerId));
    slider.addEventListener("pointermove", (event) => {
      if (!slider.hasPointerCapture(event.pointerId)) return;
      const box = stage.getBoundingClientRect();
      put((event.clientX - box.left) / box.width);
    });
    slider.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
      if (!(event.key in steps)) return;
      put(this.cut + steps[event.key]);
      event.preventDefault();
    });
  }

  #resized() {
    const [left, right] = this.sheets.map((sheet) => sheet.map);
    this.stepping = true;
    left.invalidateSize({ animate: false });
    right.invalidateSize({ animate: false });
    // A sheet that was not shown had no size and so no middle.
    right.setView(left.getCenter(), left.getZoom(), { animate: false });
    this.stepping = false;
    if (this.untouched) this.fit();
  }

  /** Which mode, and in each sheet: {source, mask: whether it is shown, caption, credit, colour}. */
  arrange(mode, contents) {
    $("stage").dataset.mode = mode;
    for (const [index, sheet] of this.sheets.entries()) {
      this.#fill(sheet, contents[index] ?? contents[0]);
    }
    this.#resized();
  }

  #fill(sheet, content) {
    const { side, map } = sheet;
    $(`caption-${side}`).textContent = content.caption;
    $(`caption-${side}`).style.setProperty("--source", content.colour);
    $(`credit-${side}`).textContent = content.credit;
    if (sheet.source !== content.source) {
      sheet.image?.remove();
      sheet.image = this.#tiles("image", content.source, "tilePane");
      const told = (loading) => () => $(`sheet-${side}`).classList.toggle("loading", loading);
      sheet.image.on("loading", told(true)).on("load", told(false)).addTo(map);
    }
    const wanted = content.mask ? `${content.mask}/${content.source}` : null;
    if (sheet.shown !== wanted) {
      sheet.mask?.remove();
      sheet.mask = wanted && this.#tiles(content.mask, content.source, "masks").addTo(map);
    }
    sheet.mask?.setOpacity(content.opacity);
    sheet.source = content.source;
    sheet.shown = wanted;
  }

  #tiles(layer, source, pane) {
    const tiles = L.tileLayer("", {
      pane,
      tileSize: this.tile,
      minZoom: -this.grid.max_level,
      maxZoom: MAX_ZOOM,
      minNativeZoom: -this.grid.max_level,
      maxNativeZoom: 0,
      noWrap: true,
      keepBuffer: 1,
    });
    // At zooms between levels tiles end between pixels of the screen, where a gap would show.
    tiles.on("tileloadstart", ({ tile }) => {
      tile.style.width = `${this.tile.x + 1}px`;
      tile.style.height = `${this.tile.y + 1}px`;
    });
    tiles.getTileUrl = ({ x, y, z }) => `/tiles/${layer}/${encodeURIComponent(source)}/${-z}/${x}/${y}`;
    return tiles;
  }

  /** Go to a block: [column, row, width, height] in pixels. */
  show([col, row, width, height]) {
    this.block = L.latLngBounds([row, col], [row + height, col + width]);
    for (const sheet of this.sheets) {
      sheet.frame?.remove();
      const style = { fill: false, interactive: false };
      sheet.frame = L.layerGroup([
        L.rectangle(this.block, { ...style, color: "#000", weight: 4 }),
        L.rectangle(this.block, { ...style, color: "#fff", weight: 2, dashArray: "6 4" }),
      ]).addTo(sheet.map);
    }
    this.fit();
  }

  fit() {
    if (!this.block) return;
    this.sheets[0].map.fitBounds(this.block, { padding: [14, 14], animate: false });
    this.untouched = true;
    const touched = () => (this.untouched = false);
    for (const { map } of this.sheets) map.once("dragstart", touched);
  }

  zoom(step) {
    this.untouched = false;
    const { map } = this.sheets[0];
    map.setZoom(map.getZoom() + step, { animate: false });
  }
}
