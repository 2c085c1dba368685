// Single keys, as long as nobody is writing, and the page that explains them.

import { $, make, remember, remembered } from "./dom.js";

const WRITING = "input:not([type=checkbox]):not([type=range]), textarea, select";

/** Keys: [key, text, action]. A key held down acts once: the next block is another question. */
export function listen(keys) {
  const actions = new Map(keys.flatMap(([names, , action]) => names.split(" ").map((n) => [n, action])));
  $("shortcuts").checked = remembered("shortcuts", true);
  $("shortcuts").addEventListener("change", () => remember("shortcuts", $("shortcuts").checked));
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "note" && ["Escape", "Enter"].includes(event.key)) {
      event.target.blur();
      event.preventDefault();
      return;
    }
    if (document.querySelector("dialog[open]") || event.target.matches(WRITING)) return;
    const undo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z";
    if (!undo && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (!undo && !$("shortcuts").checked) return;
    const action = actions.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action) return;
    event.preventDefault();
    if (!event.repeat || "+-[]".includes(event.key)) action(event.key);
  });
}

/** Fill the help: keys, and what the classes of each task mean. */
export function explain(keys, tasks) {
  const rows = keys.filter(([, text]) => text).map(([names, text]) =>
    make("tr", {},
      make("td", {}, ...names.split(" ").map((name) => make("kbd", {}, name.toUpperCase()))),
      make("td", {}, text)));
  $("help-keys").append(make("tbody", {}, ...rows));
  for (const task of tasks) {
    const list = make("dl");
    task.choices.forEach((choice, index) => {
      list.append(make("dt", {}, make("kbd", {}, String(index + 1)), ` ${choice.name}`),
        make("dd", {}, choice.meaning));
    });
    $("help-classes").append(make("h3", {}, task.title), list);
  }
}
