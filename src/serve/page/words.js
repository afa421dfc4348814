// The page's words in the annotator's language: /assets/en.json, /assets/ru.json. Counted messages have one form per plural
// category of the language (CLDR): en one, other; ru one, few, many, other.

import { keep, kept } from "./kept.js";

export const LANGUAGES = { en: "English", ru: "Русский" };

let messages = {};
let plural = new Intl.PluralRules("en");
let digits = new Intl.NumberFormat("en");
let current = "en";

/** The language chosen before, or the first of the browser's that there is. */
export function preferred() {
  const before = kept("language");
  if (before in LANGUAGES) return before;
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag) => tag in LANGUAGES) ?? "en";
}

export const language = () => current;

/** Loads the words of a language. */
export async function speak(tag, chosen = false) {
  const response = await fetch(`/assets/${tag}.json`);
  if (!response.ok) throw new Error(`no words: ${response.status}`);
  messages = await response.json();
  current = tag;
  plural = new Intl.PluralRules(tag);
  digits = new Intl.NumberFormat(tag, { maximumFractionDigits: 1, useGrouping: "min2" });
  document.documentElement.lang = tag;
  if (chosen) keep("language", tag);
}

/** The form of a message for a number. */
const form = (forms, n) => forms[plural.select(n)] ?? forms.other;

/** The message of this name; `{name}` is replaced by values, and a counted message is chosen by `values.n`. */
export function say(name, values = {}) {
  const message = messages[name] ?? name;
  const text = typeof message === "string" ? message : form(message, values.n);
  return text.replace(/\{(\w+)\}/g, (_, key) => {
    const value = values[key];
    return typeof value === "number" ? number(value) : (value ?? "");
  });
}

export const number = (n) => digits.format(n);

/** A number with its unit: "1 year", "2 года". A unit that the page has no words for is shown as the campaign writes it. */
export function quantity(n, unit) {
  if (!unit) return number(n);
  const forms = messages.units?.[unit];
  return `${number(n)} ${forms ? form(forms, n) : unit}`;
}

/** A unit by itself, as it stands after `n`. */
export function unitAfter(n, unit) {
  const forms = messages.units?.[unit];
  return forms ? form(forms, n) : (unit ?? "");
}

/** What a campaign says, translated where it is one of the usual prompts and labels. */
export const known = (text) => messages.known?.[text] ?? text;

/** A failure in words. */
export function failed(error) {
  return messages[`error.${error.code}`] ?? say("error", { message: error.message });
}
