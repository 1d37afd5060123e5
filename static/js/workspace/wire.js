/**
 * Talking with the server: JSON both ways, and the binary columns. Every refusal is one error
 * with a sentence that can be shown.
 */

export class WireError extends Error {
  constructor(message, { status = 0, offline = false, state = null } = {}) {
    super(message);
    this.status = status;
    this.offline = offline;
    this.state = state;
  }
}

const OFFLINE = "The server cannot be reached. Nothing was lost; try again when the connection is back.";
const PLAIN = {
  403: "You may look at this workspace, but not change it.",
  404: "This is not there any more. Reload the page.",
  413: "This is too much at once. Choose fewer images.",
};

async function ask(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (cause) {
    if (cause.name === "AbortError") throw cause;
    throw new WireError(OFFLINE, { offline: true });
  }
  if (answer.redirected && new URL(answer.url).pathname.includes("sign-in")) {
    throw new WireError("You are signed out. Sign in again in another tab, then try again.", { status: 401 });
  }
  if (answer.ok) return answer;
  let said = "";
  let state = null;
  try {
    ({ error: said = "", state = null } = await answer.json());
  } catch {
    // Not JSON: a proxy's page or a refusal before the view; the status says enough.
  }
  throw new WireError(said || PLAIN[answer.status] || `The server answered ${answer.status}.`, { status: answer.status, state });
}

/** Get JSON; null when the server has nothing new. */
export async function read(url, { signal } = {}) {
  const answer = await ask(url, { signal, headers: { Accept: "application/json" } });
  return answer.status === 204 ? null : answer.json();
}

/** Post JSON with the page's CSRF token; gives the JSON that comes back. */
export async function send(url, body = {}) {
  const token = document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const answer = await ask(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": token },
    body: JSON.stringify(body),
  });
  return answer.status === 204 ? null : answer.json();
}

const TYPES = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };

/**
 * Cut a buffer into named columns.
 *
 * @param {ArrayBuffer} buffer
 * @param {{name: string, type: string, offset: number}[]} layout
 * @param {number} n Rows.
 */
export function columnsOf(buffer, layout, n) {
  const columns = {};
  for (const { name, type, offset } of layout) {
    const Kind = TYPES[type];
    if (!Kind) throw new WireError(`The column ${name} has the type ${type}, which this page cannot read. Reload it.`);
    const end = offset + n * Kind.BYTES_PER_ELEMENT;
    if (end > buffer.byteLength) throw new WireError(`The points are incomplete: ${buffer.byteLength} bytes came, ${name} needs ${end}.`);
    columns[name] = new Kind(buffer, offset, n);
  }
  return columns;
}

/** Get the points. */
export async function readColumns({ url, layout }, n) {
  const answer = await ask(url);
  return columnsOf(await answer.arrayBuffer(), layout, n);
}
