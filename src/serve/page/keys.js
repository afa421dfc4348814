// Keys by their place on the keyboard (`event.code`), so that they work in every layout, and on the number pad with and without
// NumLock.

/** S: cannot tell, H: instructions. */
const RESERVED = new Set(["KeyS", "KeyH"]);
/** For labels when the right hand stays on the number pad. */
const PAD = ["NumpadDivide", "NumpadMultiply", "NumpadSubtract", "NumpadAdd"];
const SIGNS = { NumpadDivide: "/", NumpadMultiply: "*", NumpadSubtract: "−", NumpadAdd: "+" };

/**
 * Keys for labels: code → {question, label}, and what to print beside a label: label → "F". A label's own first letter if it is
 * free, else another free letter of it, else any. Without a question for a number, digits choose too.
 */
export function hotkeys(questions) {
  const byCode = new Map();
  const hints = new Map();
  const choices = questions.filter((q) => q.kind === "choice");
  const numbers = questions.filter((q) => q.kind === "number");
  const set = (code, hint, question, label) => {
    byCode.set(code, { question: question.name, label });
    const key = `${question.name}\n${label}`;
    hints.set(key, hints.has(key) ? `${hints.get(key)} ${hint}` : hint);
  };
  const free = (code) => !byCode.has(code) && !RESERVED.has(code);
  for (const question of choices) {
    for (const label of question.labels) {
      const own = [...label.toUpperCase()].filter((c) => c >= "A" && c <= "Z");
      const letter = [...own, ..."QWERTYUIOPADFGJKLZXCVBNM"].find((c) => free(`Key${c}`));
      if (letter) set(`Key${letter}`, letter, question, label);
    }
  }
  if (choices.length === 1) {
    const [question] = choices;
    const pad = numbers.some((q) => q.min < 0) ? PAD.filter((code) => code !== "NumpadSubtract") : PAD;
    question.labels.forEach((label, i) => {
      if (numbers.length > 0 && i < pad.length) set(pad[i], SIGNS[pad[i]], question, label);
      if (numbers.length === 0 && i < 9) {
        set(`Digit${i + 1}`, String(i + 1), question, label);
        byCode.set(`Numpad${i + 1}`, { question: question.name, label });
      }
    });
  }
  return { byCode, hints };
}

/** What a key asks for: `{do: "digit", digit}`, `{do: "label", …}`, or `{do}`; null where the browser is to act as ever. */
export function action(event, keys) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return null;
  const { code, shiftKey } = event;
  if (event.key === "?") return { do: "help" };
  // On a control of its own, Enter and the space bar press it.
  const pressing = event.target.closest?.("button, a, summary, select") != null;
  if (code === "Enter" || code === "NumpadEnter") return pressing ? null : { do: "next" };
  if (code === "Backspace") return { do: shiftKey ? "back" : "erase" };
  const radio = event.target.type === "radio";
  if (code === "ArrowLeft" && !radio) return { do: "back" };
  if (code === "ArrowRight" && !radio) return { do: "forward" };
  const label = !shiftKey && keys.byCode.get(code);
  if (label) return { do: "label", ...label };
  const digit = /^(?:Numpad|Digit)(\d)$/.exec(code);
  // With Shift a digit is another character; the number pad's digits arrive so when NumLock is off.
  if (digit && (!shiftKey || code.startsWith("Numpad"))) return { do: "digit", digit: digit[1] };
  if (code === "NumpadDecimal" || ((event.key === "." || event.key === ",") && !shiftKey)) return { do: "digit", digit: "." };
  if (code === "NumpadSubtract" || code === "Minus") return { do: "digit", digit: "-" };
  if (code === "KeyS" && !shiftKey) return { do: "unsure" };
  if (code === "KeyH" && !shiftKey) return { do: "help" };
  return null;
}
