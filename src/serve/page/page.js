// The page for annotators: finds out who this is and shows what is due.

import { h } from "./dom.js";
import { annotator } from "./wire.js";
import { dropAll, keep, kept } from "./kept.js";
import { instructionsScreen, myData, pause, plain, welcome } from "./screens.js";
import { Work } from "./work.js";
import { LANGUAGES, failed, language, preferred, say, speak } from "./words.js";

let campaign = null;
let work = null;
/** Draws the present screen again, in another language. */
let again = () => {};
const drafts = {};

/** Languages and one's own data, at the foot of every screen but the tasks'. */
function foot(signedIn) {
  const languages = Object.entries(LANGUAGES).map(([tag, name]) =>
    h("button", {
      type: "button",
      class: "link",
      lang: tag,
      "aria-pressed": String(tag === language()),
      onclick: async () => {
        await speak(tag, true).catch(() => {});
        foot(signedIn);
        again();
      },
    }, name),
  );
  document.getElementById("foot").replaceChildren(
    h("div", { role: "group", "aria-label": say("language") }, languages),
    ...(signedIn ? [h("button", { type: "button", class: "link", onclick: () => go("data") }, say("data"))] : []),
  );
}

/** Shows what a stage asks for. */
async function go(stage, me = null) {
  work?.stop();
  work = null;
  const invitation = new URLSearchParams(location.search).get("invitation");
  const signedIn = !["signed-out", "erased"].includes(stage);
  foot(signedIn);
  if (signedIn && stage !== "data") keep("stage", stage);
  again = () => go(stage, me);
  switch (stage) {
    case "signed-out":
    case "consent":
      return welcome(campaign, { signedUp: signedIn, invitation, done: go, draft: drafts });
    case "instructions":
      return instructionsScreen(campaign, go);
    case "practice":
      work = new Work(campaign, stage, elsewhere);
      return work.guarded(() => work.practice());
    case "data":
      return myData(campaign, find);
    case "exam":
    case "work": {
      work = new Work(campaign, stage, elsewhere);
      // In the middle of a suite nobody wants to be greeted.
      if (me?.active || kept("suite") || kept("unsent") || (me === null && stage === "work")) return work.go();
      const words = say(stage === "exam" ? "exam.words" : "work.words");
      return pause(campaign, { title: say(stage === "exam" ? "exam" : "welcome.back"), words, me, go: () => work.go() });
    }
    default:
      return plain(campaign, say("end"), [say("end.words")]);
  }
}

function elsewhere(stage) {
  return stage === "unknown" ? find() : go(stage);
}

/** Asks who this is. Without a connection, goes on with what is kept here. */
async function find() {
  try {
    campaign = await annotator("campaign");
    keep("campaign", campaign);
    const me = await annotator("me");
    return await go(me.stage, me);
  } catch (error) {
    if (error.status === 401) {
      if (kept("unsent") === null) dropAll();
      return go("signed-out");
    }
    campaign ??= kept("campaign") ?? { name: "veche", questions: [] };
    const stage = kept("stage");
    if (error.passing && kept("suite") && (stage === "work" || stage === "exam")) return go(stage);
    foot(false);
    again = find;
    setTimeout(() => again === find && find(), 5000);
    return plain(campaign, say("offline"), [error.status ? failed(error) : say("offline.words")], [say("offline.again"), find]);
  }
}

await speak(preferred()).catch(() => speak("en"));
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/offline.js").catch(() => {});
await find();
