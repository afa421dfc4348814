// All photos of a suite are loaded at once, so that the next is there when it is wanted and when the connection goes.

const PAUSES_MS = [800, 2500, 6000];

/**
 * Begins to load a task's picture. `element` is what to show; `state` is "loading", "ready" or "failed"; `again()` tries anew;
 * `changed` is called on every change of state. A text is ready at once.
 */
function load(task) {
  if (!task.picture) return { element: null, state: "ready", changed: null, again() {} };
  const element = new Image();
  element.decoding = "async";
  element.draggable = false;
  let tries = 0;
  const picture = { element, state: "loading", changed: null, again };
  function set(state) {
    picture.state = state;
    picture.changed?.();
  }
  function again() {
    tries = 0;
    set("loading");
    // An address that failed is not asked for again unless it is set anew.
    element.removeAttribute("src");
    element.src = task.picture;
  }
  element.addEventListener("load", () => set("ready"));
  element.addEventListener("error", () => {
    if (!element.getAttribute("src")) return;
    if (tries >= PAUSES_MS.length) return set("failed");
    setTimeout(() => {
      element.removeAttribute("src");
      element.src = task.picture;
    }, PAUSES_MS[tries++]);
  });
  addEventListener("online", () => picture.state !== "ready" && again());
  element.src = task.picture;
  return picture;
}

/** The pictures of these tasks, in order. */
export const prefetch = (tasks) => tasks.map(load);
