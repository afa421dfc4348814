// One task on the screen: what is shown, the questions, the keypad. It knows no server and no suite.

import { h, icon } from "./dom.js";
import { longest, read, readAll, surprising } from "./answers.js";
import { action, hotkeys } from "./keys.js";
import { known, number, quantity, say, unitAfter } from "./words.js";

/** Whether fingers are what points here: then the page's keypad comes instead of the system's. */
const coarse = () => matchMedia("(pointer: coarse)").matches;

/**
 * Draws a task. Options: `questions`, `task`, `picture` (of pictures.js), `place` and `total`, `drafts` (changed in place),
 * `was` ("answered", "unsure" or null), `clock`, `advance` (go on by itself after the last choice), and what to do:
 * `typed()` after every change, `next(output)`, `back()` or null, `unsure()` or null, `menu()`, `help()`, `ready()` when the
 * picture can be seen. Returns `{element, focus, note, clock, feedback, left}`.
 */
export function taskView(options) {
  const { questions, task, picture, place, total, drafts } = options;
  const keys = hotkeys(questions);
  const numbers = questions.filter((q) => q.kind === "number");
  const fields = new Map();
  let active = numbers[0] ?? null;
  // The first digit on an answer given before replaces it.
  let fresh = true;
  let confirmed = null;
  let over = false;

  const note = h("p", { class: "note", id: "note", role: "alert" });
  function tell(text, kind = "") {
    note.textContent = text;
    note.className = `note ${kind}`;
  }

  // ---- Questions

  function numberField(question) {
    const input = h("input", {
      type: "text",
      id: `q-${question.name}`,
      class: "number",
      inputmode: coarse() ? "none" : question.integer ? "numeric" : "decimal",
      maxlength: longest(question),
      autocomplete: "off",
      enterkeyhint: "next",
      "aria-describedby": "note",
      oninput: () => change(question, input.value.replace(/[^\d.,−-]/g, "")),
      onfocus: () => activate(question),
    });
    const unit = h("span", { class: "unit", "aria-hidden": "true" });
    fields.set(question.name, { input, unit });
    return h(
      "div",
      { class: "question" },
      h("label", { for: input.id }, known(question.prompt), h("span", { class: "quiet" }, ` (${range(question)})`)),
      h("span", { class: "value" }, input, unit),
    );
  }

  function choiceField(question) {
    const radios = new Map();
    const labels = question.labels.map((label) => {
      const radio = h("input", {
        type: "radio",
        name: `q-${question.name}`,
        value: label,
        onchange: () => choose(question, label),
      });
      radios.set(label, radio);
      const hint = keys.hints.get(`${question.name}\n${label}`);
      const keyHint = hint && h("span", { class: "keys", "aria-hidden": "true" }, hint.split(" ").map((key) => h("kbd", {}, key)));
      return h("label", { class: "label" }, radio, h("span", { class: "word" }, known(label)), keyHint);
    });
    fields.set(question.name, { radios });
    return h("fieldset", { class: "question" }, h("legend", {}, known(question.prompt)), h("div", { class: "labels" }, labels));
  }

  function draw(question) {
    const { input, unit, radios } = fields.get(question.name);
    const draft = drafts[question.name] ?? "";
    if (radios) for (const [label, radio] of radios) radio.checked = label === draft;
    else {
      if (input.value !== draft) input.value = draft;
      const { value } = read(question, draft);
      unit.textContent = unitAfter(value ?? 5, question.unit);
      input.removeAttribute("aria-invalid");
    }
  }

  function activate(question) {
    if (active !== question) fresh = true;
    active = question;
    for (const q of numbers) fields.get(q.name).input.classList.toggle("active", q === active);
  }

  function change(question, draft) {
    if (over) return;
    drafts[question.name] = draft;
    fresh = false;
    confirmed = null;
    tell("");
    draw(question);
    options.typed();
  }

  function choose(question, label) {
    const complete = () => !readAll(questions, drafts).problem;
    const before = complete();
    change(question, label);
    if (options.advance && !before && complete() && numbers.length > 0) next();
  }

  function press(digit) {
    if (!active || over) return;
    const before = fresh ? "" : (drafts[active.name] ?? "");
    let draft = before;
    if (digit === "-") {
      if (active.min < 0) draft = before.startsWith("-") ? before.slice(1) : `-${before}`;
    } else if (digit === ".") {
      if (!active.integer && !/[.,]/.test(before)) draft = `${before || "0"}.`;
    } else draft = before + digit;
    if (draft.length <= longest(active) && draft !== before) change(active, draft);
  }

  function erase() {
    if (!active || over) return;
    change(active, fresh ? "" : (drafts[active.name] ?? "").slice(0, -1));
  }

  // ---- Going on

  function problemWords(question, problem) {
    if (problem === "missing") return say("answer.missing", { prompt: known(question.prompt) });
    return say(`answer.${problem}`, { range: range(question) });
  }

  function focus(question = active ?? questions[0]) {
    const { input, radios } = fields.get(question.name);
    if (input) {
      input.focus({ preventScroll: true });
      input.select();
    } else ([...radios.values()].find((r) => r.checked) ?? radios.values().next().value).focus({ preventScroll: true });
  }

  function next() {
    if (over) return options.next();
    if (picture.state === "loading") return tell(say("picture.loading"));
    const { output, problem, question } = readAll(questions, drafts);
    if (problem) {
      if (question.kind === "number") {
        activate(question);
        if (problem !== "missing") fields.get(question.name).input.setAttribute("aria-invalid", "true");
        fresh = problem !== "missing";
      }
      tell(problemWords(question, problem), "bad");
      if (!coarse() || question.kind === "number") focus(question);
      return;
    }
    const rare = questions.find((q) => surprising(q, output[q.name]));
    if (rare && confirmed !== output[rare.name] && options.was !== "answered") {
      confirmed = output[rare.name];
      return tell(say("answer.surprising", { value: quantity(output[rare.name], rare.unit) }), "bad");
    }
    options.next(output);
  }

  // ---- Keypad

  const keepFocus = (event) => event.preventDefault();
  // Keys are pressed without taking the focus from the field, and Tab passes them by: a keyboard has digits of its own.
  const key = (content, label, does, extra = {}) =>
    h("button", { type: "button", tabindex: "-1", "aria-label": label, onpointerdown: keepFocus, onclick: does, ...extra }, content);
  const nextKey = h(
    "button",
    { type: "button", class: "key next main", onpointerdown: keepFocus, onclick: next },
    h("span", {}, say("next")),
    icon("next"),
  );
  const unsureKey =
    options.unsure &&
    h(
      "button",
      { type: "button", class: "key unsure", onpointerdown: keepFocus, onclick: options.unsure },
      h("span", {}, say("unsure")),
      h("span", { class: "keys", "aria-hidden": "true" }, h("kbd", {}, "S")),
    );
  let keypad;
  if (numbers.length > 0) {
    const minus = numbers.some((q) => q.min < 0);
    const point = numbers.some((q) => !q.integer);
    const digit = (n) => key(String(n), String(n), () => press(String(n)), { class: "key" });
    const last = [
      minus && key("±", say("key.minus"), () => press("-"), { class: "key" }),
      key("0", "0", () => press("0"), { class: `key zero${minus ? "" : " from-left"}${point ? "" : " to-right"}` }),
      point && key(number(1.5).includes(",") ? "," : ".", say("key.point"), () => press("."), { class: "key" }),
    ];
    keypad = h(
      "div",
      { class: "keypad", role: "group", "aria-label": say("keypad") },
      [1, 2, 3].map(digit),
      key(icon("erase"), say("key.erase"), erase, { class: "key" }),
      [4, 5, 6].map(digit),
      unsureKey ?? h("span", { class: "key none" }),
      [7, 8, 9].map(digit),
      nextKey,
      last,
    );
  } else keypad = h("div", { class: "keypad short" }, unsureKey, nextKey);

  // ---- What is shown

  const shown = h("div", { class: "shown" });
  function drawShown() {
    if (task.text != null) {
      shown.classList.add("text");
      // Long texts scroll, so they must be reachable by keyboard.
      shown.replaceChildren(h("div", { class: "words", tabindex: "0", role: "region", "aria-label": alt() }, task.text));
      return options.ready();
    }
    picture.element.alt = alt();
    if (picture.state === "ready") {
      shown.replaceChildren(picture.element);
      options.ready();
    } else if (picture.state === "failed") {
      shown.replaceChildren(
        h(
          "div",
          { class: "broken", role: "alert" },
          h("p", {}, say("picture.failed")),
          h("button", { type: "button", onclick: () => picture.again() }, say("picture.again")),
          options.unsure && h("button", { type: "button", onclick: options.unsure }, say("picture.without")),
        ),
      );
    } else shown.replaceChildren(h("p", { class: "broken" }, say("picture.loading")));
  }
  const alt = () => say(task.text == null ? "photo" : "text", { place, total });
  picture.changed = drawShown;

  // ---- The frame

  const clock = h("span", { class: "clock", role: "timer", "aria-live": "off" });
  const steps = h("span", { class: "steps", "aria-hidden": "true" });
  for (let i = 1; i <= total; i++) steps.append(h("i", { class: i < place ? "done" : i === place ? "here" : "" }));
  const bar = h(
    "header",
    { class: "bar" },
    h("button", { type: "button", class: "small", "aria-label": say("back"), disabled: !options.back, onpointerdown: keepFocus, onclick: () => options.back?.() }, icon("back")),
    h("h1", {}, h("span", { "aria-hidden": "true" }, `${place} / ${total}`), h("span", { class: "quiet" }, alt())),
    steps,
    clock,
    h("button", { type: "button", class: "small", "aria-label": say("menu"), "aria-haspopup": "dialog", onpointerdown: keepFocus, onclick: options.menu }, icon("menu")),
  );
  const list = h("div", { class: "questions" }, questions.map((q) => (q.kind === "number" ? numberField(q) : choiceField(q))));
  const panel = h("form", { class: "panel", autocomplete: "off", onsubmit: (event) => event.preventDefault() }, list, note, keypad);
  const element = h("div", { class: "task" }, bar, shown, panel);

  function onKey(event) {
    if (document.querySelector("dialog[open]") || event.defaultPrevented) return;
    const asked = action(event, keys);
    if (!asked) return;
    const does = {
      digit: () => press(asked.digit),
      erase,
      next,
      back: () => options.back?.(),
      forward: () => options.was && next(),
      unsure: () => options.unsure?.(),
      help: options.help,
      label: () => {
        const question = questions.find((q) => q.name === asked.question);
        choose(question, asked.label);
      },
    };
    event.preventDefault();
    if (event.repeat && asked.do !== "erase") return;
    does[asked.do]();
  }
  document.addEventListener("keydown", onKey);

  questions.forEach(draw);
  if (active) activate(active);
  if (options.was === "unsure") tell(say("was.unsure"));
  drawShown();

  /** In practice: the questions give way to what was right. */
  function feedback(lines) {
    over = true;
    const go = h("button", { type: "button", class: "main wide", onclick: () => options.next() }, say("continue"));
    panel.replaceChildren(h("div", { class: "feedback" }, h("div", { role: "status" }, lines)), go);
    go.focus({ preventScroll: true });
  }

  return {
    element,
    focus,
    note: tell,
    feedback,
    clock(text, urgent) {
      clock.textContent = text;
      clock.classList.toggle("urgent", urgent);
    },
    left() {
      picture.changed = null;
      document.removeEventListener("keydown", onKey);
    },
  };
}

/** "0 to 120 years". */
export function range(question) {
  return say(question.integer ? "range.whole" : "range", {
    min: question.min,
    max: quantity(question.max, question.unit),
  });
}
