// The requester's dashboard: docs/requester-api.md. Everything shown was computed by the server.

import { announce, dialog, h, show } from "./dom.js";
import { call } from "./wire.js";

const requester = (name, body) => call(`/api/requester/${name}`, body);
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const count = (n) => (n == null ? "–" : whole.format(n));
const figure = (n) => (n == null ? "–" : one.format(n));
const moment = (iso) => (iso ? `${iso.slice(0, 10)} ${iso.slice(11, 16)}` : "–");

let source = null;
let timer = null;

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Bars with the largest value named; `points` are `{name, value}`. The table for screen readers is the label. */
function bars(points, { label, height = 110, width = 600, every = 1 }) {
  const most = Math.max(1, ...points.map((p) => p.value));
  const step = width / Math.max(1, points.length);
  const base = height - 16;
  const drawing = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "hours", role: "img", "aria-label": label });
  drawing.append(svg("line", { x1: 0, x2: width, y1: base, y2: base }));
  points.forEach((p, i) => {
    const tall = (p.value / most) * (base - 16);
    const bar = svg("rect", { x: i * step + step * 0.12, width: step * 0.76, y: base - tall, height: tall, rx: Math.min(2, step / 8) });
    bar.append(svg("title", {}, `${p.name}: ${count(p.value)}`));
    drawing.append(bar);
    if (i % every === 0) {
      // Names at the edges stay inside the drawing.
      const x = Math.max(18, Math.min(width - 18, (i + 0.5) * step));
      drawing.append(svg("text", { x, y: height - 3, "text-anchor": "middle" }, p.short ?? p.name));
    }
  });
  const top = points.findIndex((p) => p.value === most);
  if (top >= 0) {
    const x = Math.max(18, Math.min(width - 18, (top + 0.5) * step));
    drawing.append(svg("text", { x, y: 11, "text-anchor": "middle" }, count(most)));
  }
  return drawing;
}

/** A drawing that the server made, by the same code as the report's. Scripts in it would not run; there are none. */
function drawn(text) {
  return document.importNode(new DOMParser().parseFromString(text, "text/html").querySelector("svg"), true);
}

// ---- Signing in

function login(words = "") {
  stop();
  const problem = h("p", { class: "note bad", role: "alert" }, words);
  const password = h("input", { type: "password", id: "password", autocomplete: "current-password", required: true });
  const send = async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      await requester("login", { password: password.value });
      await board();
    } catch (error) {
      problem.textContent =
        error.code === "WRONG_PASSWORD" ? "This is not the password." : error.status ? error.message : "The server cannot be reached.";
      password.select();
    }
  };
  show(
    h("div", { class: "sheet login" },
      h("h1", {}, "Requester"),
      h("form", { onsubmit: send },
        h("div", { class: "field" }, h("label", { for: "password" }, "Password"), password),
        h("button", { class: "main" }, "Sign in"),
        problem)),
    { title: "veche · requester", focus: password },
  );
}

function stop() {
  source?.close();
  source = null;
  clearInterval(timer);
}

/** Does something at the server; signed out leads to the password. */
async function guarded(does) {
  try {
    return await does();
  } catch (error) {
    if (error.status === 401) login("Sign in again.");
    else announce(error.message);
    return null;
  }
}

// ---- The board

const places = {};

async function board() {
  const overview = await requester("overview");
  for (const name of ["title", "simulated", "totals", "hours", "quality", "annotators", "controls", "log"]) places[name] = h(name === "title" ? "h1" : "div");
  const file = (name, words) => h("a", { class: "button", href: `/api/requester/${name}`, download: "" }, words);
  show(
    h("div", { class: "board" },
      h("header", { class: "top" },
        places.title,
        h("div", { class: "actions" },
          h("button", { type: "button", onclick: invite }, "Invite"),
          h("button", { type: "button", onclick: () => guarded(async () => (await requester("logout", {}), login())) }, "Sign out"))),
      places.simulated,
      h("section", { "aria-label": "Progress" }, places.totals),
      h("section", {}, h("h2", {}, "Votes per hour"), places.hours),
      h("section", {},
        h("h2", {}, "Label quality now"),
        h("div", { class: "actions files" }, file("labels.csv", "Labels"), file("report.html", "Report"), file("export.csv", "Votes")),
        places.quality),
      h("section", {}, h("h2", {}, "Annotators"), places.annotators),
      h("section", {}, h("h2", {}, "Hardest controls"), places.controls),
      h("section", {}, h("h2", {}, "Log"), places.log)),
    { title: `${overview.name} · requester` },
  );
  drawOverview(overview);
  await tables();
  source = new EventSource("/api/requester/live");
  source.addEventListener("overview", (event) => drawOverview(JSON.parse(event.data)));
  timer = setInterval(() => document.visibilityState === "visible" && tables(), 15000);
}

function drawOverview(o) {
  places.title.textContent = o.name;
  const words = "Simulated annotators: every figure here is a demonstration.";
  places.simulated.replaceChildren(...(o.simulated ? [h("p", { class: "simulated", role: "note" }, words)] : []));
  const share = o.wanted ? Math.min(1, o.votes / o.wanted) : 0;
  const unit = o.unit ?? "wrong";
  const total = (name, value, small) => h("div", {}, h("dt", {}, name), h("dd", {}, value, small && h("small", {}, small)));
  places.totals.replaceChildren(
    h("dl", { class: "totals" },
      total("Votes", count(o.votes), `of ${count(o.wanted)}, ${whole.format(100 * share)} %`),
      total("Items finished", count(o.finished), `of ${count(o.items)}, ${count(o.overlap)} votes each`),
      total("Annotators", count(o.annotators), `${count(o.active)} at work, ${count(o.banned)} banned`),
      total("Error on controls", o.unit ? figure(o.mean_error) : o.mean_error == null ? "–" : `${whole.format(100 * o.mean_error)} %`, `${unit}, ${count(o.controls_answered)} answers`),
      total("Expected end", o.forecast ? moment(o.forecast.end) : "–", o.forecast ? `UTC, at ${count(o.forecast.votes_per_hour)} votes per hour` : "no votes to go by")),
    h("progress", { max: 1, value: share, "aria-label": "Share of the wanted votes" }));
  const hours = o.per_hour.map((p) => ({ name: `${moment(p.hour)} UTC`, short: p.hour.slice(11, 16), value: p.votes }));
  const most = hours.reduce((a, b) => (b.value > a.value ? b : a), { value: 0, name: "" });
  places.hours.replaceChildren(
    hours.some((p) => p.value > 0)
      ? bars(hours, { label: `Votes in the last ${hours.length} hours; most: ${count(most.value)} at ${most.name}`, every: Math.ceil(hours.length / 8), width: 900, height: 130 })
      : h("p", {}, "No votes yet."));
}

async function tables() {
  await guarded(async () => {
    const [{ annotators }, { controls }, { events }] = await Promise.all(["annotators", "controls", "log"].map((name) => requester(name)));
    // A table under somebody's finger stays as it is.
    const held = (place) => place.contains(document.activeElement) || document.querySelector("dialog[open]");
    if (!held(places.annotators)) drawAnnotators(annotators);
    drawControls(controls);
    if (!held(places.log)) drawLog(events);
    // Takes the longest, so it comes last and keeps nothing waiting.
    drawQuality(await requester("quality"));
  });
}

/** Methods compared on the controls; the best first, as the picture shows them. */
function drawQuality({ questions, reason }) {
  if (questions.length === 0) return places.quality.replaceChildren(h("p", {}, reason ?? "No votes to go by yet."));
  const share = (n) => (n == null ? "–" : `${one.format(100 * n)} %`);
  places.quality.replaceChildren(...questions.map((q) => {
    const value = q.measure === "accuracy" ? share : figure;
    const order = q.measure === "accuracy" ? -1 : 1;
    const [best] = q.rows.filter((r) => r.value != null).sort((a, b) => order * (a.value - b.value));
    const chosen = q.rows.find((r) => r.method === q.method);
    const said = (r) => `${r.method}: ${value(r.value)}${q.unit ? ` ${q.unit}` : ""}, 95 % ${value(r.low)} to ${value(r.high)}`;
    return h("div", { class: "quality" },
      h("h3", {}, `${q.question}: ${q.measure} on ${count(best?.controls)} controls`),
      h("p", {}, [chosen && `Used for the labels, ${said(chosen)}.`, best && best !== chosen && `Best here, ${said(best)}.`].filter(Boolean).join(" ")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Methods compared: ${q.question}` }, drawn(q.chart)));
  }));
}

function drawLog(events) {
  if (events.length === 0) return places.log.replaceChildren(h("p", {}, "Nothing was done yet."));
  const detail = (e) => Object.entries(e.detail).map(([key, value]) => `${key} ${value}`).join(", ");
  places.log.replaceChildren(
    h("div", { class: "scroll short", tabindex: "0", role: "region", "aria-label": "Log" },
      h("table", {},
        h("thead", {}, h("tr", {}, ["When (UTC)", "What", "Annotator", "More"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, events.map((e) => h("tr", {}, [moment(e.at), e.what, e.annotator?.slice(0, 8) ?? "", detail(e)].map((cell, i) => h("td", { class: i === 3 ? "why" : null }, cell))))))));
}

function drawAnnotators(annotators) {
  if (annotators.length === 0) return places.annotators.replaceChildren(h("p", {}, "Nobody has signed up yet."));
  const head = ["Annotator", "Last seen (UTC)", "Tasks", "Controls", "Error", "95 %", "Seconds", "Verdict", ""];
  const right = new Set([2, 3, 4, 5, 6]);
  const row = (a) => [
    h("span", { title: a.annotator }, a.annotator.slice(0, 8)),
    moment(a.last ?? a.joined),
    count(a.answered),
    count(a.controls),
    figure(a.error),
    a.low == null ? "–" : `${figure(a.low)} to ${figure(a.high)}`,
    figure(a.seconds),
    a.banned ? `banned by ${a.ban?.origin ?? "rule"}: ${a.ban?.comment ?? ""}` : a.stage,
    h("span", { class: "row" },
      h("button", { type: "button", "aria-label": `${a.banned ? "Lift the ban of" : "Ban"} ${a.annotator.slice(0, 8)}`, onclick: () => (a.banned ? lift(a) : ban(a)) }, a.banned ? "Lift" : "Ban"),
      h("button", { type: "button", "aria-label": `Write to ${a.annotator.slice(0, 8)}`, onclick: () => write(a) }, "Write")),
  ];
  places.annotators.replaceChildren(
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Annotators" },
      h("table", {},
        h("thead", {}, h("tr", {}, head.map((name, i) => (name ? h("th", { scope: "col", class: right.has(i) ? "n" : null }, name) : h("td", {}))))),
        h("tbody", {}, annotators.map((a) => h("tr", {}, row(a).map((cell, i) => (i === 0 ? h("th", { scope: "row" }, cell) : h("td", { class: right.has(i) ? "n" : i === 7 ? "why" : null }, cell)))))))));
}

function drawControls(controls) {
  if (controls.length === 0) return places.controls.replaceChildren(h("p", {}, "No control has been answered yet."));
  places.controls.replaceChildren(
    h("p", {}, "Look at each: is the known answer wrong, or does the picture mislead?"),
    h("ul", { class: "cards" }, controls.map((c) =>
      h("li", { class: "card" },
        c.picture ? h("img", { src: c.picture, alt: `Control, known ${c.question}: ${c.truth}`, loading: "lazy" }) : h("p", { class: "excerpt" }, c.text),
        h("dl", { class: "facts" }, c.facts.map((f) => h("div", {}, h("dt", {}, f.name), h("dd", {}, f.value)))),
        drawn(c.chart)))));
}

// ---- What a requester does

function ban(a) {
  const comment = h("textarea", { id: "comment", maxlength: 500 });
  const box = dialog(`Ban ${a.annotator.slice(0, 8)}`, [
    h("p", {}, "No more suites for this annotator; the votes are kept, and others are asked for them again. It can be lifted."),
    h("label", { for: "comment" }, "Why (only you see it)"), comment,
    h("p", {}, h("button", { type: "button", class: "danger", onclick: () => decide(box, "ban", { annotator: a.annotator, comment: comment.value.trim() }) }, "Ban")),
  ], "Cancel");
  comment.focus();
}

function lift(a) {
  const box = dialog(`Lift the ban of ${a.annotator.slice(0, 8)}`, [
    h("p", {}, a.ban?.comment ?? ""),
    h("p", {}, h("button", { type: "button", class: "main", onclick: () => decide(box, "lift", { annotator: a.annotator }) }, "Lift")),
  ], "Cancel");
}

function write(a) {
  const text = h("textarea", { id: "message", maxlength: 900 });
  const problem = h("p", { class: "note bad", role: "alert" });
  const send = () => {
    if (!text.value.trim()) {
      problem.textContent = "Nothing is written yet.";
      return text.focus();
    }
    return decide(box, "message", { annotator: a.annotator, text: text.value.trim() });
  };
  const erase = () => decide(box, "erase", { annotator: a.annotator });
  const really = h("p", { hidden: true }, "What this annotator said of themselves is deleted and their access ends; votes stay. ",
    h("button", { type: "button", class: "danger", onclick: erase }, "Erase for good"));
  const box = dialog(`Write to ${a.annotator.slice(0, 8)}`, [
    h("p", {}, "The annotator sees it with the next suite."),
    h("label", { for: "message" }, "Message"), text, problem,
    h("p", { class: "row" }, h("button", { type: "button", class: "main", onclick: send }, "Send"),
      h("a", { class: "button", href: `/api/requester/annotators/${a.annotator}`, download: `${a.annotator}.json` }, "Their data"),
      h("button", { type: "button", onclick: () => ((really.hidden = false), really.querySelector("button").focus()) }, "Erase personal data")),
    really,
  ], "Cancel");
  text.focus();
}

async function decide(box, name, body) {
  await guarded(async () => {
    await requester(name, body);
    box.close();
    document.activeElement?.blur();
    announce("Done.");
    await tables();
  });
}

async function invite() {
  await guarded(async () => {
    const { path } = await requester("invite", { uses: 1, note: "" });
    const link = h("input", { type: "text", id: "link", readonly: true, value: new URL(path, location.href).href, onfocus: (e) => e.target.select() });
    dialog("Invitation", [h("label", { for: "link" }, "Good for one annotator"), link], "Close");
    link.focus();
  });
}

board().catch((error) => login(error.status === 401 ? "" : error.status ? error.message : "The server cannot be reached."));
