// The review desk: hands a block to the annotator, takes the answer, goes on.

import { DeskError, deliver, deliverKept, get, post, requestId } from "./api.js";
import { $, buttons, make, remember, remembered, tell } from "./dom.js";
import { measured, opinions } from "./facts.js";
import { explain, listen } from "./keys.js";
import { Overview } from "./overview.js";
import { Look } from "./look.js";

const THEMES = ["system", "light", "dark"];

class Desk {
  constructor(facts) {
    this.facts = facts;
    this.tasks = new Map(facts.tasks.map((task) => [task.key, task]));
    this.sources = facts.sources.map((source) => source.name);
    this.item = null;
    this.trail = [];
    this.at = -1;
    const latitude = latitudeOf(facts.blocks);
    this.look = new Look(facts, latitude);
    this.overview = new Overview(facts.blocks, latitude, (id) => this.open(id, ""));
    this.#page();
  }

  #page() {
    const { facts } = this;
    $("title").textContent = facts.title;
    document.title = `${facts.title} – review desk`;
    $("generated").hidden = !facts.generated;
    this.pressTask = buttons($("tasks"), facts.tasks.map(({ key, title }) => [key, title]),
      (key) => this.begin(key));
    $("order").append(...facts.orders.map(({ key, title }) => make("option", { value: key }, title)));
    const wanted = remembered(`order-${facts.province}`, facts.orders[0].key);
    $("order").value = facts.orders.some(({ key }) => key === wanted) ? wanted : facts.orders[0].key;
    for (const id of ["order", "scope"]) {
      $(id).addEventListener("change", () => {
        if (id === "order") remember(`order-${facts.province}`, $(id).value);
        $(id).blur(); // the next digit is an answer
        this.restart();
      });
    }
    const on = (id, action) => $(id).addEventListener("click", action);
    on("previous", () => this.previous());
    on("next", () => this.next());
    on("skip", () => this.answer(null));
    on("undo", () => this.undo());
    on("who", () => askName(facts, this.annotator).then((name) => this.enter(name)));
    on("theme", () => {
      changeTheme();
      this.overview.draw();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.overview.draw());
    on("help", () => $("help-dialog").showModal());
    $("jump").addEventListener("submit", (event) => {
      event.preventDefault();
      this.open($("jump-id").value.trim().toUpperCase(), "");
    });
    const keys = this.#keys();
    explain(keys, facts.tasks);
    listen(keys);
  }

  #keys() {
    const digits = Array.from({ length: 5 }, (_, index) => String(index + 1)).join(" ");
    return [
      [digits, "answer", (key) => this.choose(Number(key) - 1)],
      ["x", "skip: I cannot tell", () => this.answer(null)],
      ["z", "undo my last answer or skip", () => this.undo()],
      ["n", "write a note (Enter: done)", () => $("note").focus()],
      ["j", "next block", () => this.next()],
      ["k", "previous block", () => this.previous()],
      ["t", "next kind of interpretation", () => this.begin(this.#taskAfter())],
      ...this.look.keys(),
      ["i", "measured values", () => ($("measured").open = !$("measured").open)],
      ["?", "this page", () => $("help-dialog").showModal()],
    ];
  }

  #taskAfter() {
    const keys = [...this.tasks.keys()];
    return keys[(keys.indexOf(this.task.key) + 1) % keys.length];
  }

  /** An annotator sits down. */
  async enter(name) {
    this.annotator = name;
    $("who").textContent = name;
    const delivered = await deliverKept(waiting);
    if (delivered) tell(`${delivered} answer(s) of an earlier visit were delivered.`);
    const wanted = location.hash.slice(1);
    await this.begin(this.tasks.has(wanted) ? wanted : remembered("task", this.facts.tasks[0].key));
  }

  /** Begin with a kind of interpretation. */
  async begin(key) {
    await this.#patiently(async () => {
      this.task = this.tasks.get(key) ?? this.facts.tasks[0];
      history.replaceState(null, "", `#${this.task.key}`);
      remember("task", this.task.key);
      this.pressTask(this.task.key);
      this.#choices();
      await this.#startOver();
    });
  }

  #choices() {
    $("choices").replaceChildren(...this.task.choices.map((choice, index) => {
      const button = make("button", { type: "button", "aria-pressed": "false", "data-value": choice.value },
        make("kbd", {}, String(index + 1)), make("b", {}, choice.name),
        make("span", { class: "count", title: "answers so far" }, "0"),
        make("span", { class: "means" }, choice.meaning));
      button.addEventListener("click", () => this.choose(index));
      return button;
    }));
  }

  /** Begin the list anew: another order or filter was chosen. */
  async restart() {
    await this.#patiently(() => this.#startOver());
  }

  async #startOver() {
    this.trail = [];
    this.at = -1;
    await this.#fetchNext(null);
  }

  async #fetchNext(after) {
    const content = await post("/api/next", {
      ...this.#who(),
      order: $("order").value,
      scope: $("scope").value,
      block_id: after?.block_id ?? "",
      source: after?.source ?? "",
    });
    if (content.item) {
      this.trail.push(content.item);
      this.at = this.trail.length - 1;
    }
    this.#show(content.item);
  }

  async next() {
    await this.#alone(() => this.#forward());
  }

  async #forward() {
    const later = this.trail[this.at + 1];
    if (!later) return this.#fetchNext(this.item);
    this.at += 1;
    await this.#reopen(later.block_id, later.source);
  }

  async previous() {
    // Where nothing is left the last item of the trail is the previous one.
    const back = this.item ? this.at - 1 : this.at;
    if (back < 0) return tell("This is where you began.");
    await this.#alone(async () => {
      this.at = back;
      await this.#reopen(this.trail[this.at].block_id, this.trail[this.at].source);
    });
  }

  /** An item that the annotator chose on the map. */
  async open(block, source) {
    const asked = this.task.per_source ? source || this.item?.source || this.sources[0] : "";
    await this.#alone(async () => {
      await this.#reopen(block, asked);
      this.trail.splice(this.at + 1, Infinity, this.item);
      this.at = this.trail.length - 1;
    });
  }

  async #reopen(block, source) {
    const content = await post("/api/open", { ...this.#who(), block_id: block, source });
    this.#show(content.item);
  }

  choose(index) {
    const choice = this.task.choices[index];
    if (choice) this.answer(choice.value);
  }

  /** Give an answer (null: skip), and go on once the desk has it on its disk. */
  async answer(value) {
    if (!this.item) return;
    if (this.item.taken_by.length) return tell("Another annotator has this block.", { bad: true });
    await this.#alone(async () => {
      const { block_id, source } = this.item;
      const body = { ...this.#who(), block_id, source, value, note: $("note").value, request: requestId() };
      const content = await deliver("/api/answer", body, waiting);
      const name = this.task.choices.find((choice) => choice.value === value)?.name;
      const what = source ? `${block_id}, ${source}` : block_id;
      tell(`${what}: ${value === null ? "skipped" : name}`);
      this.#progress(content.progress);
      await this.#forward();
    });
  }

  async undo() {
    await this.#alone(async () => {
      const content = await deliver("/api/undo", { ...this.#who(), request: requestId() }, waiting);
      if (!content.undone) return tell("There is nothing of yours to take back.");
      const { action, value, note } = content.undone;
      tell(action === "skip" ? "Taken back: skipped" : `Taken back: ${value}`);
      this.#progress(content.progress);
      if (!content.item) return;
      this.#backTo(content.item);
      this.#show(content.item);
      $("note").value = note;
    });
  }

  /** Stand at an item of the trail; one of an earlier visit is put in. */
  #backTo(item) {
    const index = this.trail.findLastIndex(
      ({ block_id, source }) => block_id === item.block_id && source === item.source);
    if (index >= 0) this.at = index;
    else this.trail.splice((this.at = Math.max(this.at, 0)), 0, item);
  }

  #who() {
    return { annotator: this.annotator, task: this.task.key };
  }

  /** One thing at a time: a second key while the first is under way must not answer another block. */
  async #alone(work) {
    if (this.busy) return;
    this.busy = true;
    let done;
    this.free = new Promise((resolve) => (done = resolve));
    document.body.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      if (!(error instanceof DeskError)) throw error;
      tell(error.message, { bad: true });
    } finally {
      this.busy = false;
      document.body.removeAttribute("aria-busy");
      done();
      this.refresh();
    }
  }

  /** Like #alone, but what was chosen is done after what is under way. */
  async #patiently(work) {
    while (this.busy) await this.free;
    await this.#alone(work);
  }

  #show(item) {
    this.item = item;
    const off = !item || item.taken_by.length > 0;
    for (const button of $("choices").children) {
      button.disabled = off;
      button.setAttribute("aria-pressed", String(item?.own?.value === button.dataset.value));
    }
    $("skip").disabled = off;
    $("note").disabled = off;
    $("note").value = item?.own?.note ?? "";
    $("nothing").hidden = Boolean(item);
    this.overview.update({ current: item?.block_id ?? null });
    if (!item) return this.#showNothing();
    this.#describe(item);
    this.look.show(this.task, item);
    measured($("facts"), item.facts, this.sources, item.source);
    opinions($("opinions"), item.facts, this.sources, item.source, this.tasks.get("options")?.choices ?? []);
  }

  #showNothing() {
    $("question").textContent = "";
    $("block-id").textContent = "No block";
    for (const id of ["block-where", "block-others", "block-reason"]) $(id).textContent = "";
    const all = $("scope").value === "open"
      ? "Every block of this list is labelled or in the hands of another annotator."
      : "There is no such block.";
    $("nothing").replaceChildren(make("h2", {}, "Nothing left here"), make("p", {}, all),
      make("p", {}, "Choose another order, another kind of interpretation, or a block on the map."));
  }

  #describe(item) {
    const [west, south, east, north] = item.bounds;
    $("question").textContent = item.source ? `${item.source}: ${this.task.question}` : this.task.question;
    $("block-id").textContent = item.source ? `${item.block_id}, ${item.source}` : item.block_id;
    const middle = `${((south + north) / 2).toFixed(3)}, ${((west + east) / 2).toFixed(3)}`;
    $("block-where").textContent = [item.county, `latitude, longitude ${middle}`].filter(Boolean).join(" · ");
    $("block-reason").hidden = !item.reason;
    $("block-reason").textContent = `On the list because: ${item.reason}`;
    const others = Object.entries(item.others).map(([who, value]) => `${who} answered ${value}`);
    if (item.taken_by.length) others.push(`in the hands of ${item.taken_by.join(", ")}: only to look at`);
    if (item.double) others.push("two annotators interpret this block");
    $("block-others").hidden = others.length === 0;
    $("block-others").textContent = others.join("; ");
  }

  #progress({ wanted, done, mine, skipped, counts, already }) {
    $("bar").max = Math.max(wanted, 1);
    $("bar").value = done;
    $("bar-text").textContent = `${done} of ${wanted}`;
    const before = already ? `, ${already} in the label table before` : "";
    $("own").textContent = `By me: ${mine} answered, ${skipped} skipped${before}`;
    for (const button of $("choices").children) {
      button.querySelector(".count").textContent = counts[button.dataset.value] ?? 0;
    }
  }

  /** Progress and the map, which other annotators change too. */
  async refresh() {
    if (!this.task || document.hidden) return;
    const task = this.task.key;
    try {
      const query = new URLSearchParams({ task, annotator: this.annotator });
      const content = await get(`/api/status?${query}`);
      if (task !== this.task.key) return;
      this.#progress(content.progress);
      this.overview.update({ states: content.states });
    } catch {
      // The next request of the annotator tells if the desk is gone.
    }
  }
}

function waiting(error) {
  tell(`${error.message} Your answer is kept in this browser and sent again until the desk has it.`,
    { bad: true, stay: true });
}

/** Latitude of the middle of the blocks, from the id of the middle one: its south-west corner. */
function latitudeOf(blocks) {
  const [, sign, hundredths] = /([NS])(\d{4})$/.exec(blocks[Math.floor(blocks.length / 2)][0]);
  return (sign === "N" ? 1 : -1) * Number(hundredths) / 100;
}

function askName(facts, current) {
  const dialog = $("name-dialog");
  const twice = Math.round(facts.double_share * 100);
  $("name-about").textContent = `${facts.title}, label round ${facts.round}. Your name is written beside`
    + " each answer." + (twice ? ` ${twice} % of the blocks go to two annotators.` : "");
  $("name").value = current ?? remembered("annotator", "");
  $("name-error").textContent = "";
  dialog.showModal();
  return new Promise((resolve) => {
    $("name-form").onsubmit = (event) => {
      const name = $("name").value.trim().replace(/\s+/g, " ");
      if (!/^\p{L}[\p{L}\p{N}_ .'-]{0,39}$/u.test(name)) {
        event.preventDefault();
        $("name-error").textContent = "A name begins with a letter; then letters, digits, . ' - _";
        return;
      }
      remember("annotator", name);
      resolve(name);
    };
    dialog.oncancel = (event) => {
      if (!current) return event.preventDefault();
      resolve(current);
    };
  });
}

function changeTheme(step = 1) {
  const now = remembered("theme", "system");
  const theme = THEMES[(THEMES.indexOf(now) + step) % THEMES.length];
  remember("theme", theme);
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = { system: "Auto", light: "Light", dark: "Dark" }[theme];
}

async function start() {
  changeTheme(0);
  // The token has become a cookie: it need not stay in the address bar and the history.
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  try {
    const desk = new Desk(await get("/api/desk"));
    await desk.enter(await askName(desk.facts, null));
    setInterval(() => desk.refresh(), 15000);
  } catch (error) {
    if (!(error instanceof DeskError)) throw error;
    tell(error.message, { bad: true, stay: true });
  }
}

start();
