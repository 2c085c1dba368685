// Small helpers: elements, and choices that a browser remembers.

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children (texts or elements). Text is never read as HTML. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** A row of buttons of which one is pressed. `entries`: [key, text]. Returns a setter. */
export function buttons(parent, entries, chosen) {
  const made = entries.map(([key, text]) => {
    const button = make("button", { type: "button", "aria-pressed": "false", "data-key": key }, text);
    button.addEventListener("click", () => chosen(key));
    return button;
  });
  parent.replaceChildren(...made);
  return (key) => {
    for (const button of made) button.setAttribute("aria-pressed", String(button.dataset.key === key));
  };
}

/** A setting that the browser remembers; `otherwise` where it remembers none. */
export function remembered(name, otherwise) {
  const text = localStorage.getItem(`desk-${name}`);
  if (text === null) return otherwise;
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function remember(name, value) {
  localStorage.setItem(`desk-${name}`, JSON.stringify(value));
}

let hiding;

/** Tell something at the top of the page; `stay`: until the next message. */
export function tell(text, { bad = false, stay = false } = {}) {
  const box = $("message");
  clearTimeout(hiding);
  box.textContent = text;
  box.classList.toggle("bad", bad);
  box.hidden = !text;
  if (text && !stay) hiding = setTimeout(() => (box.hidden = true), bad ? 8000 : 3000);
}
