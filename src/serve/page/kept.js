// What outlives a reload, in this browser only: the suite in work, submissions not yet confirmed, settings.

/** Where the browser keeps nothing (private windows of some), the page still works until it is closed. */
const memory = new Map();

export function keep(name, value) {
  const text = JSON.stringify(value);
  memory.set(name, text);
  try {
    localStorage.setItem(`veche.${name}`, text);
  } catch {
    // Full or forbidden: memory has it.
  }
}

export function kept(name) {
  let text = memory.get(name);
  try {
    text = localStorage.getItem(`veche.${name}`) ?? text;
  } catch {
    // Forbidden: memory may have it.
  }
  try {
    return text == null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

export function drop(name) {
  memory.delete(name);
  try {
    localStorage.removeItem(`veche.${name}`);
  } catch {
    // There was nothing.
  }
}

/** Everything but the choice of language. */
export function dropAll() {
  for (const name of ["suite", "unsent", "settings"]) drop(name);
  forgetPictures();
}

/** Deletes the pictures that offline.js keeps for the time without a connection. */
export function forgetPictures() {
  globalThis.caches?.delete("veche-pictures").catch(() => {});
}
