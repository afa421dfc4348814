// Service worker: the page opens, and its photos show, without a connection. Answers are never kept here.

const SHELL = "veche-shell";
const PICTURES = "veche-pictures";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname === "/" || url.pathname.startsWith("/assets/")) event.respondWith(newest(request, url));
  else if (url.pathname.startsWith("/picture/")) event.respondWith(first(request));
});

/** From the server, and from the last time when it is not reached: a new version of the page is never held back. */
async function newest(request, url) {
  const cache = await caches.open(SHELL);
  // An invitation in the address is nobody's business here.
  const key = url.pathname;
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(key, response.clone());
    return response;
  } catch (error) {
    const before = await cache.match(key);
    if (before) return before;
    throw error;
  }
}

/** A picture's address always shows the same picture. */
async function first(request) {
  const cache = await caches.open(PICTURES);
  const before = await cache.match(request);
  if (before) return before;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
