// The server's endpoints. Nothing here knows the page.

/**
 * @typedef {object} Phone A simulated phone, as the server shows it to its owner.
 * @property {string} [number] E.164; in lists only.
 * @property {"idle"|"ringing"|"in_call"|"ended"} state
 * @property {string[]} heard What the present or last call has said, one text a part.
 * @property {string[]} messages Received, oldest first.
 * @property {string} [gate] The gate that waits for keys.
 * @property {string} [dialled] The extension that the caller has keyed.
 * @property {string} [call] Names the present or last call.
 * @property {string} [behaviour] What the phone does about that call.
 * @property {string} [next] What it will do about the next one, where that was set.
 * @property {"hello"|"greeting"} [says] The phone's own side speaks.
 * @property {string} [outcome] How the call ended.
 * @property {string} [reason] The same in words.
 */

/**
 * @typedef {object} Attempt
 * @property {number} n
 * @property {"voice"|"sms"} channel
 * @property {string} state
 * @property {string} [outcome]
 * @property {string} [reason]
 */

/**
 * @typedef {object} Verification
 * @property {string} id
 * @property {string} to
 * @property {string} status
 * @property {string} [reason]
 * @property {string} gate
 * @property {string} [screen_digits]
 * @property {string} expires_at RFC 3339
 * @property {number} guesses_left
 * @property {number} sends_left
 * @property {Attempt[]} attempts
 */

/** How long a stream that broke off is left alone, in ms. */
const AGAIN = 2000;

/** A refusal: the server's problem document, or no answer at all (status 0). */
export class Refusal extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, errors?: {location: string}[]}} problem */
  constructor(status, problem) {
    super(problem.detail ?? "The server does not answer. Is it running?");
    this.status = status;
    this.code = problem.code ?? "";
    this.fields = (problem.errors ?? []).map((e) => e.location);
  }
}

/** The server, asked with the page's cookie or with an API key. */
export class Server {
  /** The key is in memory only: never in an address, never stored. */
  #key = "";

  /** @param {string} key */
  useKey(key) { this.#key = key; }

  /** @returns {Promise<{languages: {tag: string}[], gates: string[], behaviours: string[]}>} */
  options() { return this.#json("GET", "/phone/options"); }

  /** @param {object} request @returns {Promise<Verification>} */
  start(request) { return this.#json("POST", "/phone/verifications", request); }

  /** @param {string} id @returns {Promise<Verification>} */
  verification(id) { return this.#json("GET", `/phone/verifications/${id}`); }

  /** @param {string} id @param {string} code @returns {Promise<{status: string, valid: boolean, remaining: number}>} */
  check(id, code) { return this.#json("POST", `/phone/verifications/${id}/check`, { code }); }

  /** @param {string} id @returns {Promise<Verification>} */
  resend(id) { return this.#json("POST", `/phone/verifications/${id}/resend`); }

  /** @param {string} id @returns {Promise<Verification>} */
  cancel(id) { return this.#json("POST", `/phone/verifications/${id}/cancel`); }

  /** @param {string} number @returns {Promise<Phone>} */
  answer(number) { return this.#json("POST", `${phonePath(number)}/answer`); }

  /** @param {string} number @returns {Promise<Phone>} */
  hangup(number) { return this.#json("POST", `${phonePath(number)}/hangup`); }

  /** @param {string} number @param {string} keys @returns {Promise<Phone>} */
  press(number, keys) { return this.#json("POST", `${phonePath(number)}/keys`, { keys }); }

  /** @param {string} number @param {string} behaviour @returns {Promise<Phone>} */
  next(number, behaviour) { return this.#json("POST", `${phonePath(number)}/next`, { behaviour }); }

  /**
   * Tells of all phones of the account, at once and at every change, and comes
   * back after every interruption. It ends with a Refusal that coming back would
   * not mend.
   * @param {(phones: Phone[]) => void} changed
   * @param {(live: boolean) => void} connected
   */
  async watch(changed, connected) {
    for (;;) {
      try {
        const answer = await this.#ask("GET", "/sim/events");
        connected(true);
        await readEvents(answer, (data) => changed(JSON.parse(data).phones));
      } catch (err) {
        if (err instanceof Refusal && [401, 403, 404].includes(err.status)) throw err;
      }
      connected(false);
      await new Promise((wake) => setTimeout(wake, AGAIN));
    }
  }

  /**
   * Gives the sound of the call on a phone, G.711 mu-law at 8000 Hz, until the
   * call ends.
   * @param {string} number
   * @param {(bytes: Uint8Array) => void} heard
   * @param {AbortSignal} signal
   */
  async listen(number, heard, signal) {
    const answer = await this.#ask("GET", `${phonePath(number)}/sound`, undefined, signal);
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard(value);
    }
  }

  async #json(method, path, body) { return (await this.#ask(method, path, body)).json(); }

  async #ask(method, path, body, signal) {
    const answer = await this.#send(method, path, body, signal);
    if (answer.status !== 401 || this.#key) return accept(answer);
    // A server that was restarted does not know the cookie any more: the page's
    // own address gives a new one to who may have it.
    await this.#send("GET", "/phone");
    return accept(await this.#send(method, path, body, signal));
  }

  async #send(method, path, body, signal) {
    const headers = {};
    if (this.#key) headers.Authorization = `Bearer ${this.#key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    try {
      return await fetch(path, {
        method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
        credentials: "same-origin", cache: "no-store", redirect: "error",
      });
    } catch (err) {
      if (signal?.aborted) throw err;
      throw new Refusal(0, {});
    }
  }
}

const phonePath = (number) => `/sim/phones/${encodeURIComponent(number)}`;

/** Turns a refusal into an exception. */
async function accept(answer) {
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new Refusal(answer.status, { detail: `The server answered ${answer.status}.`, ...problem });
}

/** Reads server-sent events; this server writes an event's data on one line. */
async function readEvents(answer, event) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const line = block.split("\n").find((l) => l.startsWith("data: "));
      if (line) event(line.slice("data: ".length));
    }
  }
}
