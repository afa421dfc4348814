// Elements, screens, and what is said aloud. No HTML is ever made from text, so nothing that a campaign or a server says can
// become code.

/** An element: `on…` are listeners, `true` sets an attribute, `false`, null and undefined leave it out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

/** Drawings that are too small to load. */
const PATHS = {
  back: "M15 5l-7 7 7 7",
  erase: "M9 5h11v14H9l-6-7zM12 9.5l5 5M17 9.5l-5 5",
  next: "M5 12h13M12 6l6 6-6 6",
  menu: "M5 7h14M5 12h14M5 17h14",
};

/** A small drawing in the colour of the text around it. */
export function icon(name) {
  const make = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const svg = make("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  svg.append(make("path", { d: PATHS[name] }));
  return svg;
}

let leave = null;

/**
 * Puts a screen in place of the one before. `task` fills the window and hides the foot; `left` is called when the next screen
 * comes. Focus goes to `focus` or to the screen's heading, so that a screen reader starts there.
 */
export function show(content, { title, task = false, left = null, focus = null } = {}) {
  leave?.();
  leave = left;
  const main = document.getElementById("main");
  main.replaceChildren(...[content].flat(Infinity));
  document.body.classList.toggle("working", task);
  document.getElementById("foot").hidden = task;
  if (title) document.title = title;
  const heading = main.querySelector("h1");
  const target = focus ?? heading ?? main;
  if (target === heading) heading.tabIndex = -1;
  target.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

/** Has a screen reader say something. */
export function announce(text) {
  const said = document.getElementById("said");
  // The same words twice are said twice only if they went away in between.
  said.textContent = "";
  setTimeout(() => (said.textContent = text), 60);
}

/** A dialog over the screen; Escape and the button close it, then `closed` is called. Returns the element. */
export function dialog(title, content, close, closed = () => {}) {
  const heading = h("h2", { id: "dialog-title" }, title);
  // At once: the browser's own `close` event comes later, when the next keys may already have moved the focus.
  const end = () => {
    if (!element.isConnected) return;
    element.close();
    element.remove();
    closed();
  };
  const escape = (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    end();
  };
  const element = h(
    "dialog",
    { "aria-labelledby": "dialog-title", onkeydown: escape, onclose: end },
    heading,
    content,
    h("div", { class: "actions" }, h("button", { type: "button", class: "main", onclick: end }, close)),
  );
  document.body.append(element);
  element.showModal();
  heading.tabIndex = -1;
  heading.focus();
  return element;
}
