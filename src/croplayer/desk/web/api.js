// What the page asks of the desk. An answer that cannot be delivered is kept and sent again, under
// the same request id, so that the desk writes it down once however often it arrives.

const KEPT = "desk-undelivered-";

export class DeskError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** A name of one request. (crypto.randomUUID is missing on plain http from another machine.) */
export function requestId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function get(path) {
  return read(await fetch(path));
}

/** POST JSON; DeskError with status 0 if the desk cannot be reached. */
export async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new DeskError("The desk does not answer.", 0);
  }
  return read(response);
}

async function read(response) {
  const json = response.headers.get("content-type")?.startsWith("application/json");
  const content = json ? await response.json() : { error: await response.text() };
  if (!response.ok) throw new DeskError(content.error, response.status);
  return content;
}

/**
 * Deliver something that must not be lost: kept in the browser until the desk has acknowledged it.
 * `waiting` is called before each further try.
 */
export async function deliver(path, body, waiting) {
  // A key of its own each: two tabs of one browser must not overwrite each other's list.
  localStorage.setItem(KEPT + body.request, JSON.stringify({ path, body }));
  return send(path, body, waiting);
}

async function send(path, body, waiting) {
  for (let pause = 1000; ; pause = Math.min(pause * 1.5, 10000)) {
    try {
      const content = await post(path, body);
      localStorage.removeItem(KEPT + body.request);
      return content;
    } catch (error) {
      // Refused for good: nothing that time mends. A server that fails is asked again.
      if (error.status > 0 && error.status < 500 && error.status !== 401) {
        localStorage.removeItem(KEPT + body.request);
        throw error;
      }
      waiting(error);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

/** Send what an earlier visit could not deliver; returns how many were. */
export async function deliverKept(waiting) {
  let delivered = 0;
  for (const key of Object.keys(localStorage).filter((name) => name.startsWith(KEPT))) {
    const { path, body } = JSON.parse(localStorage.getItem(key));
    try {
      await send(path, body, waiting);
      delivered += 1;
    } catch (error) {
      console.warn("the desk refused a kept answer", body, error);
    }
  }
  return delivered;
}
