// Requests to the server. Who asks is known by a cookie that this page cannot read.

/** A request that did not succeed: `status` 0 means that the server was not reached. */
export class Failure extends Error {
  constructor(status, code, message, payload) {
    super(message);
    Object.assign(this, { status, code, payload });
  }
  /** Whether the same request may succeed a little later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** `GET` without a body, `POST` with one. Returns the JSON answer, throws a `Failure`. */
export async function call(path, body) {
  let response, answer;
  try {
    response = await fetch(path, {
      method: body === undefined ? "GET" : "POST",
      // Another site cannot send this header, so it cannot lean on the cookie.
      headers: { "X-Veche": "1", ...(body !== undefined && { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: AbortSignal.timeout(20000),
    });
    answer = await response.json();
  } catch (error) {
    if (!response) throw new Failure(0, "NOT_REACHED", String(error));
    throw new Failure(response.ok ? 0 : response.status, "NOT_JSON", String(error));
  }
  if (!response.ok) throw new Failure(response.status, answer.code, answer.message, answer.payload);
  return answer;
}

/** The annotator's part of the API. */
export const annotator = (name, body) => call(`/api/annotator/${name}`, body);

/** A random name of 32 hexadecimal digits. */
export function randomName() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
}
