// The way through practice and suites: ask for the next, show its tasks, send the answers, and lose none of them.

import { announce, dialog, h, show } from "./dom.js";
import { annotator, randomName } from "./wire.js";
import { answered, begin, commit, due, submission } from "./answers.js";
import { drop, forgetPictures, keep, kept } from "./kept.js";
import { prefetch } from "./pictures.js";
import { taskView } from "./task.js";
import { act, feedbackLines, help, instructions, keysTable, pause, plain } from "./screens.js";
import { failed, known, quantity, say } from "./words.js";

/** Seconds before the end at which the clock turns urgent and is read out. */
const URGENT_S = 120;
/** A suite that is answered in full is sent by itself so long before its time is over. */
const LAST_CALL_S = 5;
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];

const now = () => new Date().toISOString();

/**
 * The work of one annotator. `elsewhere(stage)` is called where another screen is due: a stage of the server, "signed-out" or
 * "data".
 */
export class Work {
  constructor(campaign, stage, elsewhere) {
    Object.assign(this, { campaign, stage, elsewhere, progress: null, pictures: [], view: null, greeting: "" });
    this.since = null;
    // Undoes what waits for a time or for the connection.
    this.wake = () => {};
    this.ticking = setInterval(() => this.tick(), 1000);
    this.seen = () => this.spend();
    document.addEventListener("visibilitychange", this.seen);
    addEventListener("pagehide", this.seen);
  }

  /** Leaves for good: another screen takes over. */
  stop() {
    this.spend();
    this.since = null;
    clearInterval(this.ticking);
    this.wake();
    document.removeEventListener("visibilitychange", this.seen);
    removeEventListener("pagehide", this.seen);
  }

  leaveTo(stage) {
    this.stop();
    this.elsewhere(stage);
  }

  // ---- Practice

  async practice() {
    const { task, number: place, of: total, stage } = await annotator("practice", {});
    if (!task) {
      this.stage = stage;
      return this.rest(say("practice.over"), say(stage === "exam" ? "exam.words" : "work.words"));
    }
    const [picture] = prefetch([task]);
    const drafts = {};
    const view = this.draw({
      task,
      picture,
      place,
      total,
      drafts,
      typed: () => {},
      next: async (output) => {
        if (!output) return this.guarded(() => this.practice());
        try {
          const { known: truth } = await annotator("practice/answer", { number: place, output });
          view.feedback(feedbackLines(this.campaign, output, truth));
        } catch (error) {
          this.refused(error, () => view.note(failed(error), "bad"));
        }
      },
      back: null,
      unsure: null,
    });
    if (place === 1) view.note(say("practice.note"));
  }

  // ---- Suites

  /** Sends what has not been sent, then shows the suite in hand or asks for the next. */
  async go() {
    this.wake();
    if (kept("unsent")) return this.deliver();
    let answer;
    try {
      answer = await annotator("next", {});
    } catch (error) {
      return this.refused(error, () => this.withoutConnection(error));
    }
    if (!answer.suite) return this.nothing(answer);
    const before = kept("suite");
    const same = before?.assignment === answer.suite.assignment;
    this.progress = same ? before : begin(answer.suite, randomName(), Date.now());
    this.progress.questions = answer.suite.questions;
    if (same) {
      this.progress.deadline = Date.now() + answer.suite.seconds * 1000;
      this.progress.tasks = answer.suite.tasks;
    } else forgetPictures();
    this.open();
    if (answer.messages) await this.messages();
  }

  /** What the requester wrote and was not seen yet, over whatever is on the screen. */
  async messages() {
    let unseen;
    try {
      unseen = (await annotator("messages")).messages.filter((m) => !m.seen);
    } catch {
      // The next suite brings them again.
      return;
    }
    if (unseen.length === 0 || document.querySelector("dialog[open]")) return;
    const words = unseen.flatMap((m) => m.text.split(/\n+/)).map((text) => h("p", {}, text));
    dialog(say("message"), words, say("close"), () => {
      annotator("messages/seen", { up_to: unseen.at(-1).id }).catch(() => {});
      if (this.view) this.view.focus();
      else document.querySelector("main h1")?.focus();
    });
  }

  open() {
    // A server may give suites of several projects, each with its own questions.
    const { questions } = this.progress;
    if (questions) this.campaign = { ...this.campaign, questions, suite: this.progress.tasks.length };
    this.save();
    this.called = false;
    this.over = false;
    this.pictures = prefetch(this.progress.tasks);
    // A reload comes back to where it was, the list of answers included.
    if (this.progress.place >= this.progress.tasks.length) this.review();
    else this.task(this.progress.place);
  }

  save() {
    keep("suite", this.progress);
  }

  task(place) {
    const { progress } = this;
    progress.place = place;
    this.save();
    const answer = progress.answers[place];
    const total = progress.tasks.length;
    const onwards = () => this.task_or_review(place);
    const view = this.draw({
      task: progress.tasks[place],
      picture: this.pictures[place],
      place: place + 1,
      total,
      drafts: answer.drafts,
      was: !answered(answer) ? null : answer.unsure ? "unsure" : "answered",
      typed: () => {
        answer.first_key_at ??= now();
        this.save();
      },
      next: (output) => {
        commit(answer, output, false, now());
        onwards();
      },
      unsure: () => {
        answer.drafts = {};
        commit(answer, null, true, now());
        onwards();
      },
      back: place > 0 ? () => this.task(place - 1) : null,
      ready: () => {
        answer.shown_at ??= now();
        if (this.since === null) this.since = performance.now();
      },
    });
    if (this.greeting) view.note(this.greeting, "good");
    announce(say("of", { place: place + 1, total }));
    this.greeting = "";
    this.tick();
  }

  /** After an answer: on to the next place, or to the list where all are answered. */
  task_or_review(place) {
    const { progress } = this;
    this.spend();
    const back = this.fromReview;
    this.fromReview = false;
    const next = back || place + 1 >= progress.tasks.length ? due(progress) : place + 1;
    if (next >= progress.tasks.length) this.review();
    else this.task(next);
  }

  /** Puts a task on the screen with what all tasks share. */
  draw(options) {
    this.spend();
    this.since = null;
    const settings = kept("settings") ?? {};
    const view = taskView({
      questions: this.campaign.questions,
      advance: settings.advance === true,
      was: null,
      ready: () => {},
      menu: () => this.menu(),
      help: () => help(this.campaign, () => this.view?.focus()),
      ...options,
    });
    show(view.element, {
      task: true,
      title: `${options.place} / ${options.total} · ${this.campaign.name}`,
      left: () => {
        this.spend();
        this.since = null;
        view.left();
        this.view = null;
      },
      focus: view.element,
    });
    // Only now: the view before took itself away when this one came.
    this.view = view;
    view.focus();
    return view;
  }

  /** All answers in a row, to look over before they go. */
  review() {
    const { progress, campaign } = this;
    progress.place = progress.tasks.length;
    this.save();
    const total = progress.tasks.length;
    const cards = progress.tasks.map((task, i) => {
      const answer = progress.answers[i];
      const words = answer.unsure
        ? say("unsure")
        : campaign.questions.map((q) => (q.kind === "number" ? quantity(answer.output[q.name], q.unit) : known(answer.output[q.name]))).join(", ");
      const what = task.text == null ? h("img", { src: task.picture, alt: "" }) : h("span", { class: "excerpt" }, task.text.slice(0, 80));
      return h(
        "li",
        {},
        h("button", { type: "button", class: "answer", onclick: () => this.change(i) }, what, h("span", { class: "words" }, words),
          h("span", { class: "quiet" }, ` ${say("review.change", { place: i + 1, total })}`)),
      );
    });
    this.note = h("p", { class: "note bad", role: "alert" });
    this.clockOnReview = h("span", { class: "clock", role: "timer", "aria-live": "off" });
    const send = h("button", { type: "button", class: "main", onclick: () => this.send(false) }, say("send"));
    show(
      h(
        "div",
        { class: "sheet review" },
        h("header", { class: "heading" }, h("h1", {}, say("review")), this.clockOnReview),
        h("p", {}, say("review.words")),
        h("ol", { class: "answers" }, cards),
        this.note,
        h("div", { class: "actions" }, send, h("button", { type: "button", onclick: () => this.send(true) }, say("send.pause"))),
      ),
      { title: say("review"), focus: send, left: () => (this.clockOnReview = null) },
    );
    announce(say("review"));
    this.tick();
  }

  change(place) {
    this.fromReview = true;
    this.task(place);
  }

  /** Puts the answers where no reload loses them, then delivers. */
  async send(thenPause) {
    keep("unsent", { ...submission(this.progress), pause: thenPause });
    await this.deliver();
  }

  /** Sends what is waiting until the server has it. The token makes it safe to send again. */
  async deliver(tries = 0) {
    this.wake();
    const unsent = kept("unsent");
    if (!unsent) return this.go();
    if (this.delivering) return;
    const { pause: thenPause, ...body } = unsent;
    this.progress ??= kept("suite");
    this.delivering = true;
    let answer;
    try {
      answer = await annotator("submit", body);
    } catch (error) {
      if (error.passing) return this.undelivered(tries, error);
      return this.rejected(error);
    } finally {
      this.delivering = false;
    }
    this.finished();
    const sent = say("sent", { n: body.answers.length });
    const unit = this.campaign.questions.find((q) => q.kind === "number")?.unit;
    const error = answer.mean_error == null ? "" : say("mean-error", { error: quantity(Math.round(answer.mean_error * 10) / 10, unit) });
    this.greeting = [sent, error].filter(Boolean).join(" ");
    if (this.stage === "exam") await this.look();
    if (!thenPause) return this.go();
    await this.rest(say("pause"), this.greeting);
    this.greeting = "";
  }

  finished() {
    drop("unsent");
    drop("suite");
    forgetPictures();
    this.progress = null;
    this.pictures = [];
  }

  undelivered(tries, error) {
    const wait = RETRY_MS[Math.min(tries, RETRY_MS.length - 1)];
    const again = () => this.deliver(tries + 1);
    if (tries === 0) {
      plain(this.campaign, say("unsent"), [say("unsent.words"), error.status ? failed(error) : ""].filter(Boolean), [say("unsent.now"), again]);
    }
    this.later(again, wait);
  }

  /** Tries again after a while, or at once when the connection is back. */
  later(does, wait) {
    this.wake();
    const run = () => {
      this.wake();
      does();
    };
    const timer = setTimeout(run, wait);
    addEventListener("online", run);
    this.wake = () => {
      clearTimeout(timer);
      removeEventListener("online", run);
      this.wake = () => {};
    };
  }

  rejected(error) {
    const field = Object.keys(error.payload ?? {}).map((path) => /^answers\.(\d+)\b/.exec(path)).find(Boolean);
    if (error.code === "VALIDATION_ERROR" && field && this.progress) {
      drop("unsent");
      this.change(Number(field[1]));
      return this.view.note(Object.values(error.payload)[0].message, "bad");
    }
    if (error.status === 401) return this.leaveTo("signed-out");
    this.finished();
    const late = error.code === "LATE";
    plain(this.campaign, say(late ? "late" : "refused"), [late ? say("late.words") : failed(error)], [say("go"), () => this.go()]);
  }

  // ---- When there is no suite

  nothing({ reason, messages, retry_seconds: seconds = 30 }) {
    drop("suite");
    if (messages) this.messages();
    if (reason === "wait") {
      plain(this.campaign, say("wait"), [this.greeting, say("wait.words")].filter(Boolean), [say("wait.now"), () => this.go()]);
      this.greeting = "";
      return this.later(() => this.go(), Math.max(2, seconds) * 1000);
    }
    // The same words whatever the cause.
    this.stop();
    plain(this.campaign, say("end"), [say("end.words"), this.campaign.contact ? say("end.contact", { contact: this.campaign.contact }) : ""].filter(Boolean));
  }

  /** A suite that was in hand can be answered without a connection, and sent later. */
  withoutConnection(error) {
    const before = kept("suite");
    if (error.passing && before && before.deadline > Date.now()) {
      this.progress = before;
      this.greeting = say("offline.note");
      return this.open();
    }
    plain(this.campaign, say("offline"), [error.status ? failed(error) : say("offline.words")], [say("offline.again"), () => this.go()]);
    this.later(() => this.go(), 5000);
  }

  /** Failures that mean another screen; all others are `otherwise`'s. */
  refused(error, otherwise) {
    if (error.status === 401) return this.leaveTo("signed-out");
    if (error.code === "INAPPROPRIATE_STATUS") return this.leaveTo("unknown");
    return otherwise();
  }

  async guarded(does) {
    try {
      await does();
    } catch (error) {
      this.refused(error, () => this.withoutConnection(error));
    }
  }

  /** Where the annotator stands now. */
  async look() {
    try {
      const me = await annotator("me");
      this.stage = me.stage;
      return me;
    } catch {
      return null;
    }
  }

  async rest(title, words) {
    const me = await this.look();
    pause(this.campaign, { title, words, me, go: () => this.go() });
  }

  // ---- Menu

  menu() {
    const settings = kept("settings") ?? {};
    const advance = h("input", { type: "checkbox", id: "advance", onchange: () => keep("settings", { ...settings, advance: advance.checked }) });
    advance.checked = settings.advance === true;
    const both = this.campaign.questions.some((q) => q.kind === "choice") && this.campaign.questions.some((q) => q.kind === "number");
    const { progress } = this;
    const leave = (does) => () => {
      box.close();
      return does();
    };
    const box = dialog(
      say("menu"),
      [
        h("div", { class: "stack" },
          both && h("div", { class: "check" }, advance, h("label", { for: "advance" }, say("advance"))),
          progress && this.stage === "work" && act(say("give-back"), async () => {
            await annotator("skip", { assignment: progress.assignment });
            this.finished();
            box.close();
            await this.rest(say("pause"), say("give-back.done"));
          }, { kind: "" }),
          h("button", { type: "button", onclick: leave(() => this.leaveTo("data")) }, say("data")),
        ),
        h("h3", {}, say("instructions")),
        ...instructions(this.campaign),
        keysTable(this.campaign),
      ],
      say("close"),
      // Back to the answer, not to the button: Enter is to go on, not to open the menu again.
      () => this.view?.focus(),
    );
  }

  // ---- Time

  /** Books the time since the last look on the task that was visible. */
  spend() {
    const { progress } = this;
    if (this.since !== null && progress && progress.place < progress.tasks.length) {
      const t = performance.now();
      // Hidden, nothing is added until the page is seen again; a sleeping machine's hours are no looking either.
      if (this.visible !== false) progress.answers[progress.place].seconds += Math.min((t - this.since) / 1000, 5);
      this.since = t;
      this.save();
    }
    this.visible = document.visibilityState === "visible";
  }

  tick() {
    this.spend();
    const { progress } = this;
    if (!progress || kept("unsent")) return;
    const left = Math.round((progress.deadline - Date.now()) / 1000);
    const text = `${Math.max(0, Math.floor(left / 60))}:${String(Math.max(0, left) % 60).padStart(2, "0")}`;
    const urgent = left <= URGENT_S;
    this.view?.clock(text, urgent);
    if (this.clockOnReview) {
      this.clockOnReview.textContent = text;
      this.clockOnReview.classList.toggle("urgent", urgent);
    }
    if (urgent && !this.called && left > 0) {
      this.called = true;
      announce(say("time.left", { n: Math.max(1, Math.ceil(left / 60)) }));
    }
    if (left <= LAST_CALL_S && due(progress) === progress.tasks.length && !this.over) {
      this.over = true;
      document.querySelector("dialog[open]")?.close();
      this.send(true);
    } else if (left <= 0 && !this.over) {
      this.over = true;
      document.querySelector("dialog[open]")?.close();
      this.finished();
      plain(this.campaign, say("late"), [say("late.words")], [say("go"), () => this.go()]);
    }
  }
}
