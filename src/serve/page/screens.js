// The screens around the work: welcome and consent, instructions, pause, end, one's own data.

import { announce, dialog, h, show } from "./dom.js";
import { annotator } from "./wire.js";
import { dropAll } from "./kept.js";
import { range } from "./task.js";
import { failed, known, language, number, quantity, say, unitAfter } from "./words.js";

/** A column of text with a heading. */
export function sheet(title, ...content) {
  return h("div", { class: "sheet" }, h("h1", {}, title), content);
}

const paragraph = (text) => h("p", {}, text);
const list = (items) => h("ul", {}, items.map((item) => h("li", {}, item)));

/** A button that does something at the server: pressed once, and a failure is said beneath it. */
export function act(words, does, { kind = "main", key = false } = {}) {
  const problem = h("p", { class: "note bad", role: "alert" });
  const button = h("button", {
    type: "button",
    class: kind,
    onclick: async () => {
      button.disabled = true;
      problem.textContent = "";
      try {
        await does();
      } catch (error) {
        problem.textContent = failed(error);
      }
      button.disabled = false;
      if (problem.textContent) button.focus();
    },
  }, words);
  if (key) button.dataset.go = "";
  return [button, problem];
}

const numberQuestion = (campaign) => campaign.questions.find((q) => q.kind === "number");

/** A field with its label, a hint, and its own problem. */
function field(name, label, hint, attributes) {
  const problem = h("span", { class: "bad", id: `${name}-problem`, role: "alert" });
  const input = h("input", { id: name, type: "text", "aria-describedby": `${name}-hint ${name}-problem`, ...attributes });
  const element = h(
    "div",
    { class: "field" },
    h("label", { for: name }, label),
    input,
    h("span", { class: "hint", id: `${name}-hint` }, hint),
    problem,
  );
  return {
    element,
    input,
    text: () => input.value.trim(),
    complain(words) {
      problem.textContent = words;
      input.toggleAttribute("aria-invalid", words !== "");
      if (words) input.focus();
    },
  };
}

/**
 * Welcome and consent in one: nobody is signed up by only looking. `signedUp` tells whether an earlier visit got so far;
 * `invitation` is the code of the address, or null; `done(stage)` when both are through.
 */
export function welcome(campaign, { signedUp, invitation, done, draft = {} }) {
  const question = numberQuestion(campaign);
  const code =
    !signedUp && !campaign.open_signup && !invitation
      ? field("invitation", say("invitation"), say("invitation.hint"), { autocomplete: "off", spellcheck: "false", required: true })
      : null;
  const year = field("birth-year", say("birth-year"), say("birth-year.hint"), { inputmode: "numeric", maxlength: 4, autocomplete: "bday-year" });
  const expected =
    question &&
    field("expected", say("expected", { unit: unitAfter(5, question.unit) }), say("expected.hint"), { inputmode: "decimal", maxlength: 6, autocomplete: "off" });
  const contact = field("contact", say("contact"), say("contact.hint"), { maxlength: 200, autocomplete: "email", spellcheck: "false" });
  const fields = { year, expected, contact, code };
  for (const [name, f] of Object.entries(fields)) {
    if (!f) continue;
    f.input.value = draft[name] ?? "";
    f.input.addEventListener("input", () => (draft[name] = f.input.value));
  }
  const agree = h("input", { type: "checkbox", id: "agree", onchange: () => (draft.agree = agree.checked) });
  agree.checked = draft.agree === true;

  async function start() {
    Object.values(fields).forEach((f) => f?.complain(""));
    if (code && !code.text()) return code.complain(say("invitation.missing"));
    const born = year.text();
    const now = new Date().getFullYear();
    if (born && !(/^\d{4}$/.test(born) && born > now - 120 && born <= now)) return year.complain(say("birth-year.wrong"));
    const off = expected?.text().replace(",", ".");
    if (off && !(Number(off) >= 0 && Number(off) < 1e6)) return expected.complain(say("expected.wrong"));
    if (!agree.checked) {
      agree.focus();
      throw Object.assign(new Error(), { code: "NOT_AGREED" });
    }
    if (!signedUp) {
      const given = invitation ?? code?.text();
      await annotator("sign-up", given ? { invitation: given } : {});
      signedUp = true;
      dropAll();
      // The code is used up; a reload asks who this is.
      history.replaceState(null, "", "/");
    }
    const answer = await annotator("consent", {
      consent: true,
      language: language(),
      ...(born && { birth_year: Number(born) }),
      ...(off && { expected_error: Number(off) }),
      ...(contact.text() && { contact: contact.text() }),
    });
    done(answer.stage);
  }

  show(
    sheet(
      campaign.name,
      paragraph(say("welcome", { n: campaign.suite })),
      list(campaign.questions.map((q) => known(q.prompt))),
      code?.element,
      h("h2", {}, say("consent.title")),
      list([say("consent.answers"), say("consent.self"), say("consent.data"), say("consent.photos")]),
      h("fieldset", { class: "about" }, h("legend", {}, say("about")), year.element, expected?.element, contact.element),
      h("div", { class: "check" }, agree, h("label", { for: "agree" }, say("agree"))),
      act(say("start"), start),
    ),
    { title: campaign.name },
  );
}

/** What is asked and how, in elements. The campaign's own text: blank lines part paragraphs, `# ` a heading, `- ` a list. */
export function instructions(campaign) {
  const own = (campaign.instructions ?? "").trim();
  const parts = [];
  if (own) {
    for (const block of own.split(/\n\s*\n/)) {
      const lines = block.split("\n").map((line) => line.trim());
      const heading = /^#+ +(.*)$/.exec(lines[0]);
      if (heading) parts.push(h("h2", {}, heading[1]));
      const rest = heading ? lines.slice(1) : lines;
      if (rest.length && rest.every((line) => line.startsWith("- "))) parts.push(list(rest.map((line) => line.slice(2))));
      else if (rest.join("")) parts.push(paragraph(rest.join(" ")));
    }
  } else {
    const asked = campaign.questions.map((q) => {
      const scale = q.kind === "number" ? range(q) : q.labels.map(known).join(" / ");
      return `${known(q.prompt)} (${scale})`;
    });
    parts.push(paragraph(say("how.look")), list(asked));
  }
  parts.push(
    list([
      say("how.suite", { n: campaign.suite }),
      say("how.unsure"),
      say("how.time", { n: campaign.minutes }),
      say("how.lost"),
    ]),
  );
  return parts;
}

/** The keys, for who has a keyboard. */
export function keysTable(campaign) {
  const rows = [
    ["0–9", say("keys.digits")],
    ["Enter", say("keys.next")],
    ["⌫", say("keys.erase")],
    ["← · Shift ⌫", say("keys.back")],
    ["S", say("keys.unsure")],
    ["?", say("keys.help")],
  ].filter(([key]) => numberQuestion(campaign) || (key !== "0–9" && key !== "⌫"));
  if (campaign.questions.some((q) => q.kind === "choice")) rows.splice(1, 0, ["A–Z", say("keys.labels")]);
  return h(
    "table",
    { class: "keyboard" },
    h("caption", {}, say("keys.title")),
    rows.map(([key, does]) => h("tr", {}, h("th", { scope: "row" }, key.split(" · ").map((k, i) => [i ? " " : "", h("kbd", {}, k)]).flat()), h("td", {}, does))),
  );
}

export function instructionsScreen(campaign, done) {
  show(
    sheet(
      say("instructions"),
      instructions(campaign),
      keysTable(campaign),
      act(say(campaign.practice > 0 ? "ready.practice" : "ready"), async () => done((await annotator("ready", {})).stage)),
    ),
    { title: say("instructions") },
  );
}

export const help = (campaign, closed) => dialog(say("instructions"), [instructions(campaign), keysTable(campaign)], say("close"), closed);

/** Between suites: no clock runs. `me` may be null without a connection. */
export function pause(campaign, { title, words, me, go }) {
  show(
    sheet(
      title,
      paragraph(words),
      me?.answered > 0 && paragraph(`${say("done.tasks", { n: me.answered })}, ${say("done.suites", { n: me.suites })}.`),
      act(say("go"), go),
    ),
    { title: campaign.name, focus: null },
  );
}

/** Words in the middle of the window and perhaps one thing to do. */
export function plain(campaign, title, words, does, options = {}) {
  show(sheet(title, words.map(paragraph), does ? act(does[0], does[1]) : null), { title: campaign.name, ...options });
  announce(`${title}. ${words.join(" ")}`);
}

/** What is stored, to look at, take away and delete. */
export async function myData(campaign, back) {
  let data;
  const problem = h("p", { class: "note bad", role: "alert" });
  const table = h("div", { class: "data", tabindex: "0", role: "region", "aria-label": say("data") });
  const save = () => {
    const url = URL.createObjectURL(new Blob([JSON.stringify(data, null, 2)], { type: "application/json" }));
    h("a", { href: url, download: "my-data.json" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  };
  const erase = () => {
    const ask = dialog(
      say("erase"),
      [
        paragraph(say("erase.words")),
        ...act(say("erase.really"), async () => {
          await annotator("erase", {});
          dropAll();
          ask.close();
          plain(campaign, say("erased"), [say("erased.words")]);
        }, { kind: "danger" }),
      ],
      say("cancel"),
    );
  };
  const buttons = [
    h("button", { type: "button", class: "main", disabled: true, onclick: save }, say("data.save")),
    h("button", { type: "button", class: "danger", disabled: true, onclick: erase }, say("erase")),
  ];
  show(
    sheet(say("data"), paragraph(say("data.words")), table, problem, h("div", { class: "actions" }, buttons),
      h("p", {}, h("button", { type: "button", class: "link", onclick: back }, say("data.back")))),
    { title: say("data") },
  );
  try {
    data = await annotator("data");
    table.append(rows(data));
    buttons.forEach((button) => (button.disabled = false));
  } catch (error) {
    problem.textContent = failed(error);
  }
}

/** Any JSON as nested definition lists; long lists are cut, the file has all. */
function rows(value, depth = 0) {
  const shownAtMost = 20;
  // Moments come as milliseconds since 1970.
  if (Number.isInteger(value) && value > 1e12) return document.createTextNode(new Date(value).toISOString());
  if (value === null || typeof value !== "object") return document.createTextNode(typeof value === "number" ? number(value) : String(value ?? "—"));
  const entries = Object.entries(value);
  if (entries.length === 0) return document.createTextNode("—");
  const name = (key) => (Array.isArray(value) ? String(Number(key) + 1) : key.replaceAll("_", " "));
  const parts = entries.slice(0, shownAtMost).map(([key, inner]) => h("div", {}, h("dt", {}, name(key)), h("dd", {}, rows(inner, depth + 1))));
  const more = entries.length - shownAtMost;
  return h("dl", { class: depth ? "inner" : "" }, parts, more > 0 && h("p", { class: "hint" }, say("data.more", { n: more })));
}

/** What practice says of an answer: one line per question. */
export function feedbackLines(campaign, given, truth) {
  return campaign.questions.map((q) => {
    const right = truth?.[q.name];
    if (right == null) return null;
    const shown = (v) => (q.kind === "number" ? quantity(v, q.unit) : known(v));
    const off = q.kind === "number" ? Math.abs(given[q.name] - right) : given[q.name] === right ? 0 : null;
    const verdict = off === 0 ? say("feedback.right") : off === null ? say("feedback.wrong") : say("feedback.off", { by: quantity(off, q.unit) });
    return h(
      "div",
      { class: "line" },
      h("p", { class: "asked" }, known(q.prompt)),
      h("p", { class: "truth" }, h("strong", {}, shown(right)), " ", h("span", {}, say("feedback.given", { given: shown(given[q.name]) }))),
      h("p", { class: off === 0 ? "good" : "verdict" }, verdict),
    );
  });
}
