// The map of a report. It is opened from a disk, so nothing is fetched: tiles are <img>, all else
// stands in the page. Names come from files of users: they become text nodes, never HTML.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("atlas-data").textContent);
  const panel = document.getElementById("panel");
  const note = document.getElementById("map-note");
  const [coarsest, deepest] = data.zooms;
  const BEYOND = 4; // zooms beyond the deepest tiles, which are then enlarged

  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child != null));
    return made;
  };

  const map = L.map("map", {
    minZoom: Math.max(coarsest - 1, 0),
    maxZoom: deepest + BEYOND,
    zoomSnap: 0.5,
    attributionControl: true,
    maxBoundsViscosity: 0.6,
  });
  map.attributionControl.setPrefix("Leaflet");
  L.control.scale({ imperial: false }).addTo(map);
  const [west, south, east, north] = data.bounds;
  const ground = L.latLngBounds([south, west], [north, east]);
  map.setMaxBounds(ground.pad(3));
  map.fitBounds(ground, { padding: [8, 8], animate: false });

  // ---------------------------------------------------------------- tiles
  const panes = { Imagery: 200, maps: 320, blocks: 360, outlines: 420 };
  for (const [name, z] of Object.entries(panes)) map.createPane(name).style.zIndex = z;
  map.getPane("outlines").style.pointerEvents = "none";
  map.getPane("blocks").style.pointerEvents = "none";

  const rectangles = new Map();
  const bitsOf = (layer, zoom) => {
    const name = `${layer.key}/${zoom}`;
    if (!rectangles.has(name)) {
      const found = layer.tiles[zoom];
      rectangles.set(name, found && { x: found[0], y: found[1], columns: found[2], rows: found[3], bits: atob(found[4]) });
    }
    return rectangles.get(name);
  };
  const isThere = (layer, { x, y, z }) => {
    const rectangle = bitsOf(layer, z);
    if (!rectangle) return false;
    const [column, row] = [x - rectangle.x, y - rectangle.y];
    if (column < 0 || row < 0 || column >= rectangle.columns || row >= rectangle.rows) return false;
    const place = row * rectangle.columns + column;
    return Boolean(rectangle.bits.charCodeAt(place >> 3) & (128 >> (place & 7)));
  };

  const Tiles = L.TileLayer.extend({
    getTileUrl(coords) {
      const z = this._getZoomForUrl();
      const place = { x: coords.x, y: coords.y, z };
      if (!isThere(this.options.layer, place)) return L.Util.emptyImageUrl;
      const key = this.options.layer.key.split("/").map(encodeURIComponent).join("/");
      return `${data.folder}/${key}/${z}/${place.x}/${place.y}.webp`;
    },
  });

  const shown = new Map(); // layer key -> its tiles on the map
  const opacity = { Imagery: 1, maps: 0.75, blocks: 0.6 };
  const paneOf = (layer) => (layer.group === "Imagery" ? "Imagery" : "maps");

  const setLayer = (layer, on) => {
    if (on === shown.has(layer.key)) return;
    if (on) {
      const tiles = new Tiles("", {
        layer,
        pane: paneOf(layer),
        opacity: opacity[paneOf(layer)],
        attribution: layer.attribution && escaped(layer.attribution),
        minNativeZoom: coarsest,
        maxNativeZoom: deepest,
        minZoom: 0,
        maxZoom: deepest + BEYOND,
        bounds: ground.pad(0.1),
        noWrap: true,
      });
      tiles.on("tileerror", () => {
        note.textContent =
          `Tiles of the map are missing. They lie in the folder ${data.folder} beside this page: keep the two together.`;
      });
      shown.set(layer.key, tiles.addTo(map));
    } else {
      shown.get(layer.key).remove();
      shown.delete(layer.key);
    }
    drawLegend();
  };
  // Leaflet's attribution is HTML.
  const escaped = (text) => element("span", {}, text).innerHTML;

  map.on("zoomend", () => map.getContainer().classList.toggle("near", map.getZoom() > deepest));

  // ---------------------------------------------------------------- blocks
  const blocks = data.blocks;
  const places = new Map();
  let view = null;
  let cells = null;
  const cornersOf = (k) => {
    const [row, col] = [blocks.rows[k], blocks.cols[k]];
    return [[90 - (row + 1) * blocks.size, col * blocks.size - 180], [90 - row * blocks.size, (col + 1) * blocks.size - 180]];
  };
  blocks?.ids.forEach((id, k) => places.set(`${blocks.rows[k]},${blocks.cols[k]}`, k));

  const colourOf = (value) => {
    if (value == null) return null;
    if (view.classes) return view.classes[value][1];
    const share = Math.min(Math.max((value - view.low) / (view.high - view.low || 1), 0), 1);
    return view.shades[Math.round(share * (view.shades.length - 1))];
  };
  const styleOf = (k) => {
    const colour = view && colourOf(view.values[k]);
    return { stroke: Boolean(view), color: "#444", weight: 0.5, opacity: 0.6, fill: Boolean(colour), fillColor: colour ?? "#000", fillOpacity: opacity.blocks };
  };
  const setView = (key) => {
    view = blocks.views.find((one) => one.key === key) ?? null;
    if (!cells && view) {
      const renderer = L.canvas({ pane: "blocks", padding: 0.3 });
      cells = L.layerGroup(blocks.ids.map((_, k) => L.rectangle(cornersOf(k), { ...styleOf(k), renderer, interactive: false }))).addTo(map);
    }
    cells?.getLayers().forEach((cell, k) => cell.setStyle(styleOf(k)));
    drawLegend();
  };

  // ---------------------------------------------------------------- what lies at a place
  const unpacked = (column, k) => (Array.isArray(column) ? column[k] : column.words[column.values[k]]);
  const told = (value) => (value == null || value === undefined ? "–" : typeof value === "number" ? value.toLocaleString("en", { maximumSignificantDigits: 5 }) : value);

  const blockTable = (k) => {
    const wide = Math.max(blocks.heads.length, 1);
    const table = element("table");
    const rows = (some) =>
      some.map(([title, unit, columns]) =>
        element("tr", {}, element("th", { scope: "row" }, unit ? `${title}, ${unit}` : title),
          ...columns.map((column) => element("td", columns.length === 1 ? { colspan: wide } : {}, told(unpacked(column, k))))));
    const single = blocks.facts.filter(([, , columns]) => columns.length === 1);
    const paired = blocks.facts.filter(([, , columns]) => columns.length > 1);
    table.append(element("tbody", {}, ...rows(single)));
    if (paired.length) {
      table.append(element("thead", {}, element("tr", {}, element("td"), ...blocks.heads.map((head) => element("th", { scope: "col" }, head)))));
      table.append(element("tbody", {}, ...rows(paired)));
      // A head in the middle of a table belongs into the body.
      table.tBodies[1].prepend(table.tHead.rows[0]);
      table.deleteTHead();
    }
    return table;
  };

  const within = ([x, y], ring) => {
    let inside = false;
    for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
      const [[xi, yi], [xj, yj]] = [ring[i], ring[j]];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
    }
    return inside;
  };
  const holds = (geometry, point) => {
    const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.type === "MultiPolygon" ? geometry.coordinates : [];
    return polygons.some((rings) => rings.filter((ring) => within(point, ring)).length % 2 === 1);
  };

  const tell = (latlng) => {
    const parts = [];
    const k = blocks && places.get(`${Math.floor((90 - latlng.lat) / blocks.size)},${Math.floor((latlng.lng + 180) / blocks.size)}`);
    if (k !== undefined && k !== null) parts.push(element("h3", {}, `${blocks.word} ${blocks.ids[k]}`), blockTable(k));
    for (const outline of data.outlines) {
      if (!lines.get(outline.key)?.on) continue;
      for (const feature of outline.features) {
        if (!holds(feature.geometry, [latlng.lng, latlng.lat])) continue;
        parts.push(element("h3", {}, `${outline.title}: ${feature.name}`));
        const rows = feature.facts.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, told(value))));
        if (rows.length) parts.push(element("table", {}, element("tbody", {}, ...rows)));
      }
    }
    if (!parts.length) return null;
    const content = element("div", { class: "told" }, ...parts);
    const { x: width, y: height } = map.getSize();
    const room = { maxWidth: Math.min(340, width - 110), maxHeight: Math.max(Math.round(height * 0.62), 160), autoPanPaddingTopLeft: [52, 10], autoPanPaddingBottomRight: [10, 10] };
    const popup = L.popup(room).setLatLng(latlng).setContent(content).openOn(map);
    // It may be longer than the map is high: the keyboard must reach it to scroll.
    const inner = popup.getElement().querySelector(".leaflet-popup-content");
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", "What lies here"]]) inner.setAttribute(name, value);
    return inner;
  };
  map.on("click", ({ latlng }) => tell(latlng));
  map.getContainer().addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target === map.getContainer()) tell(map.getCenter())?.focus();
    if (event.key === "Escape") {
      map.closePopup();
      map.getContainer().focus();
    }
  });

  // ---------------------------------------------------------------- outlines
  const lines = new Map();
  for (const outline of data.outlines) {
    const style = { color: outline.colour, weight: outline.width, dashArray: outline.dashes || null, fill: false, interactive: false, pane: "outlines" };
    const under = { ...style, color: "#fff", weight: outline.width + 2, opacity: 0.7, dashArray: null };
    const shapes = outline.features.map(({ geometry }) => geometry);
    lines.set(outline.key, { on: false, layer: L.layerGroup([L.geoJSON(shapes, under), L.geoJSON(shapes, style)]) });
  }
  const setLines = (key, on) => {
    const line = lines.get(key);
    line.on = on;
    if (on) line.layer.addTo(map);
    else line.layer.remove();
    drawLegend();
  };

  // ---------------------------------------------------------------- panel
  const legend = document.getElementById("legend");
  const swatch = (colours) => {
    const style = colours.length > 1 ? `linear-gradient(to right, ${colours.join(", ")})` : colours[0];
    const made = element("span", { class: colours.length > 1 ? "ramp" : "swatch" });
    made.style.background = style;
    return made;
  };
  function drawLegend() {
    const found = [];
    const add = (title, entries) => entries.length && found.push(element("div", { class: "key" }, element("b", {}, title), ...entries.map(([text, colours]) => element("span", {}, swatch(colours), text))));
    if (view) {
      const entries = view.classes ? view.classes.map(([text, colour]) => [text, [colour]]) : [[`${told(view.low)} to ${told(view.high)}${view.unit ? ` ${view.unit}` : ""}`, view.shades]];
      add(`Blocks: ${view.title}`, entries);
    }
    for (const layer of data.layers) if (shown.has(layer.key)) add(layer.title, layer.legend);
    for (const outline of data.outlines) if (lines.get(outline.key)?.on) add(outline.title, [["", [outline.colour]]]);
    legend.replaceChildren(...found);
  }

  const slider = (title, name, set) =>
    element("label", { class: "slider" }, title, element("input", {
      type: "range", min: 0, max: 100, value: Math.round(opacity[name] * 100), "aria-label": title,
      oninput: (event) => { opacity[name] = event.target.value / 100; set(); },
    }));
  const fade = (name) => () => {
    for (const layer of data.layers) if (paneOf(layer) === name) shown.get(layer.key)?.setOpacity(opacity[name]);
  };
  const selection = (title, options, chosen, set) =>
    element("label", { class: "select" }, title, element("select", { "aria-label": title, onchange: (event) => set(event.target.value) },
      ...options.map(([value, text]) => element("option", { value, selected: value === chosen }, text))));
  const fieldset = (title, ...children) => element("fieldset", {}, element("legend", {}, title), ...children);

  // Layers of one group of which one is seen at a time.
  const oneOf = (layers, key) => layers.forEach((layer) => setLayer(layer, layer.key === key));

  const chooser = (group, names, layers) => {
    const first = layers.find((layer) => layer.shown) ?? layers[0];
    const now = [...first.choice];
    const show = () => {
      const wanted = layers.find((layer) => layer.choice.every((value, k) => value === now[k]));
      oneOf(layers, wanted?.key);
      note.textContent = wanted ? "" : `There is no map of ${now.join(", ")}.`;
    };
    const selects = names.map((name, k) => {
      const values = [...new Set(layers.map((layer) => layer.choice[k]))];
      return selection(name, values.map((value) => [value, value]), now[k], (value) => { now[k] = value; show(); });
    });
    show();
    return fieldset(group, ...selects, slider("Opacity", "maps", fade("maps")));
  };

  const groups = [...new Set(data.layers.map((layer) => layer.group))];
  let overlays = 0;
  for (const group of groups) {
    const layers = data.layers.filter((layer) => layer.group === group);
    if (data.choices[group]) {
      panel.append(chooser(group, data.choices[group], layers));
      continue;
    }
    if (group === "Imagery") {
      const radio = (key, text, on) => element("label", {}, element("input", { type: "radio", name: "imagery", value: key, checked: on, onchange: () => oneOf(layers, key) }), text);
      panel.append(fieldset(group, ...layers.map((layer) => radio(layer.key, layer.title, layer.shown)),
        radio("", "none", !layers.some((layer) => layer.shown)), slider("Opacity of the imagery", "Imagery", fade("Imagery"))));
    } else {
      const boxes = layers.map((layer) => element("label", {}, element("input", { type: "checkbox", value: layer.key, checked: layer.shown, onchange: (event) => setLayer(layer, event.target.checked) }),
        layer.legend.length ? swatch(layer.legend[0][1].slice(0, 1)) : null, layer.title));
      overlays += 1;
      panel.append(fieldset(group, ...boxes, overlays === 1 ? slider("Opacity of the maps", "maps", fade("maps")) : null));
    }
    for (const layer of layers) if (layer.shown) setLayer(layer, true);
  }
  if (blocks?.views.length) {
    const options = [["", "none"], ...blocks.views.map((one) => [one.key, one.title])];
    const restyle = () => cells?.getLayers().forEach((cell, k) => cell.setStyle(styleOf(k)));
    const field = element("input", { type: "text", name: "block", autocomplete: "off", spellcheck: "false", placeholder: blocks.ids[0], "aria-label": "Id of a block" });
    const go = () => {
      const k = blocks.ids.indexOf(field.value.trim().toUpperCase());
      note.textContent = k < 0 ? `There is no block ${field.value.trim()} here.` : "";
      if (k < 0) return;
      const place = L.latLngBounds(cornersOf(k));
      map.fitBounds(place.pad(0.5), { animate: false });
      tell(place.getCenter());
    };
    panel.append(fieldset("Blocks", selection("Coloured by", options, "", setView), slider("Opacity of the blocks", "blocks", restyle),
      element("div", { class: "go" }, field, element("button", { type: "button", onclick: go }, "Go to block"))));
    field.addEventListener("keydown", (event) => event.key === "Enter" && (event.preventDefault(), go()));
  }
  if (data.outlines.length) {
    panel.append(fieldset("Lines", ...data.outlines.map((outline) => element("label", {}, element("input", { type: "checkbox", value: outline.key, checked: outline.shown, onchange: (event) => setLines(outline.key, event.target.checked) }), outline.title))));
    for (const outline of data.outlines) if (outline.shown) setLines(outline.key, true);
  }
  panel.addEventListener("submit", (event) => event.preventDefault());
  drawLegend();

  // ---------------------------------------------------------------- page
  const contents = document.getElementById("contents");
  const broad = matchMedia("(min-width: 1200px)");
  const unfold = () => (contents.open = broad.matches);
  broad.addEventListener("change", unfold);
  unfold();
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("footer details:not([open])")];
    for (const one of folded) one.open = true;
    map.invalidateSize({ animate: false });
  });
  addEventListener("afterprint", () => {
    for (const one of folded) one.open = false;
    map.invalidateSize({ animate: false });
  });
  new ResizeObserver(() => map.invalidateSize({ animate: false })).observe(map.getContainer());
})();
