// Pure: what was typed, read by a question's scale; a suite's progress. Nothing here knows the page.

/**
 * Reads one question's draft. `{value}`, or `{problem}`: "missing", "not-a-number", "whole", "range".
 * A comma counts as a decimal point, as on a Russian keypad.
 */
export function read(question, draft) {
  if (draft == null || draft === "") return { problem: "missing" };
  if (question.kind === "choice") {
    return question.labels.includes(draft) ? { value: draft } : { problem: "missing" };
  }
  const text = String(draft).trim().replace(",", ".").replace("−", "-");
  if (!/^-?(\d+\.?\d*|\.\d+)$/.test(text)) return { problem: "not-a-number" };
  const value = Number(text);
  if (question.integer && !Number.isInteger(value)) return { problem: "whole" };
  if (value < question.min || value > question.max) return { problem: "range" };
  return { value };
}

/** All drafts read: `{output}`, or the first `{problem, question}`. */
export function readAll(questions, drafts) {
  const output = {};
  for (const question of questions) {
    const { value, problem } = read(question, drafts[question.name]);
    if (problem) return { problem, question };
    output[question.name] = value;
  }
  return { output };
}

/** Longest text that can be a number of this scale. */
export function longest(question) {
  const whole = Math.max(...[question.min, question.max].map((n) => String(Math.trunc(Math.abs(n))).length));
  return whole + (question.min < 0 ? 1 : 0) + (question.integer ? 0 : 4);
}

/** Ages above a hundred are rare and slips are not. */
export function surprising(question, value) {
  return question.kind === "number" && /^years?$/.test(question.unit ?? "") && value > 100;
}

/** A task not yet answered. */
const blank = () => ({
  drafts: {},
  output: null,
  first: null,
  edits: 0,
  unsure: false,
  seconds: 0,
  shown_at: null,
  first_key_at: null,
  answered_at: null,
});

/** Progress in a suite that was just given. `token` makes its submission repeatable. */
export function begin(suite, token, now) {
  return {
    assignment: suite.assignment,
    token,
    deadline: now + suite.seconds * 1000,
    tasks: suite.tasks,
    place: 0,
    answers: suite.tasks.map(blank),
  };
}

/** Writes an answer down. The first stays beside what it was changed to. Unsure has no output. */
export function commit(answer, output, unsure, now) {
  const before = answer.answered_at ? JSON.stringify([answer.output, answer.unsure]) : null;
  if (before === null) answer.first = output;
  else if (before !== JSON.stringify([output, unsure])) answer.edits += 1;
  if (before === null || before !== JSON.stringify([output, unsure])) answer.answered_at = now;
  answer.output = output;
  answer.unsure = unsure;
}

export const answered = (answer) => answer.answered_at !== null;

/** The first task without an answer, or the number of tasks. */
export function due(progress) {
  const place = progress.answers.findIndex((answer) => !answered(answer));
  return place < 0 ? progress.answers.length : place;
}

/** The body of a submission. */
export function submission(progress) {
  return {
    assignment: progress.assignment,
    token: progress.token,
    answers: progress.answers.map((a) => ({
      output: a.output ?? {},
      ...(a.edits > 0 && { first: a.first ?? {}, edits: a.edits }),
      seconds: Math.round(a.seconds * 1000) / 1000,
      timing: { shown_at: a.shown_at, first_key_at: a.first_key_at, answered_at: a.answered_at },
      ...(a.unsure && { unsure: true }),
    })),
  };
}
