// The form that starts a verification, and how that one goes on.

import { Refusal } from "./api.js";
import { byId, clock, grouped, make, say } from "./dom.js";
import { count, languageName, outcomeWord, sentence, stateWord, statusWord } from "./words.js";

/** @typedef {import("./api.js").Verification} Verification */

/** How often a pending verification is looked at when nothing tells of news, in ms. */
const LOOK = 1000;
const PENDING = "pending";

/** What the page says to the person at each end. */
const ENDS = {
  canceled: "Canceled: the code is worth nothing any more.",
  expired: "Expired: the code is worth nothing any more.",
  max_attempts_reached: "That was the last guess. Start again for a new code.",
  failed: "This verification has failed.",
};

export class VerifyView {
  /** @type {Verification|null} */
  #now = null;
  #looking = false;
  #busy = false;

  /**
   * @param {import("./api.js").Server} server
   * @param {{tag: string}[]} languages
   * @param {(number: string) => void} chosen is told of the number in the form
   */
  constructor(server, languages, chosen) {
    this.server = server;
    this.form = byId("start");
    this.onChange = () => {}; // is told when the verification has changed
    fillLanguages(languages);
    byId("to").addEventListener("input", () => chosen(this.number));
    this.form.addEventListener("change", () => {
      byId("gate-field").disabled = new FormData(this.form).get("channel") === "sms";
    });
    this.form.addEventListener("submit", (e) => { e.preventDefault(); this.#start(); });
    byId("check").addEventListener("submit", (e) => { e.preventDefault(); this.#check(); });
    byId("resend").addEventListener("click", () => this.#change((id) => this.server.resend(id)));
    byId("cancel").addEventListener("click", () => this.#change((id) => this.server.cancel(id)));
    setInterval(() => { if (this.#now?.status === PENDING) this.look(); }, LOOK);
  }

  /** The number in the form, without the spaces and signs that people write in it. */
  get number() { return byId("to").value.replace(/[\s().\-\u2010-\u2013]/g, ""); }

  /** @returns {Verification|null} */
  get verification() { return this.#now; }

  /** Fetches the verification, which may have changed. */
  async look() {
    if (!this.#now || this.#looking) return;
    this.#looking = true;
    const { id } = this.#now;
    try {
      const v = await this.server.verification(id);
      if (this.#now.id === id) this.#show(v);
    } catch (err) {
      if (!(err instanceof Refusal)) throw err; // the next look may succeed
    } finally {
      this.#looking = false;
    }
  }

  async #start() {
    const form = new FormData(this.form);
    const request = { to: this.number, locale: form.get("locale"), channel: form.get("channel") };
    if (request.channel === "voice") request.gate = form.get("gate");
    const brand = form.get("brand").trim();
    if (brand) request.brand = brand;
    await this.#once(byId("start-button"), async () => {
      say(byId("start-fault"), "");
      byId("to").removeAttribute("aria-invalid");
      try {
        this.#begin(await this.server.start(request));
      } catch (err) {
        if (!(err instanceof Refusal)) throw err;
        say(byId("start-fault"), sentence(err.message));
        if (err.fields.includes("body.to")) {
          byId("to").setAttribute("aria-invalid", "true");
          byId("to").focus();
        }
      }
    });
  }

  /** Shows a verification from its beginning. @param {Verification} v */
  #begin(v) {
    this.#verdict("", "");
    byId("code").value = "";
    byId("attempts").replaceChildren();
    byId("progress").hidden = false;
    this.#show(v);
  }

  async #check() {
    const code = byId("code").value.trim();
    if (!this.#now) return;
    if (!code) {
      this.#verdict("bad", "Type the digits of the code first.");
      byId("code").focus();
      return;
    }
    await this.#once(byId("check-button"), async () => {
      try {
        const got = await this.server.check(this.#now.id, code);
        if (got.valid) {
          this.#verdict("good", `Approved: the person holds ${grouped(this.#now.to)}.`);
        } else if (got.status === PENDING) {
          this.#verdict("bad", `That is not the code. ${count(got.remaining, "guess", "guesses")} left.`);
          byId("code").select();
          byId("code").focus();
        }
        await this.look();
      } catch (err) {
        if (!(err instanceof Refusal)) throw err;
        const uncounted = err.status === 422 ? " This was not counted as a guess." : "";
        this.#verdict("bad", sentence(err.message) + uncounted);
      }
    });
  }

  /** Does something that changes the verification. @param {(id: string) => Promise<Verification>} action */
  async #change(action) {
    await this.#once(byId("resend"), async () => {
      try {
        this.#verdict("", "");
        this.#show(await action(this.#now.id));
      } catch (err) {
        if (!(err instanceof Refusal)) throw err;
        this.#verdict("bad", sentence(err.message));
      }
    });
  }

  /** Lets one request be made at a time. */
  async #once(button, work) {
    if (this.#busy) return;
    this.#busy = true;
    button.setAttribute("aria-busy", "true");
    try {
      await work();
    } finally {
      this.#busy = false;
      button.removeAttribute("aria-busy");
    }
  }

  #verdict(kind, text) {
    byId("verdict").dataset.kind = kind;
    say(byId("verdict"), text);
  }

  /** @param {Verification} v */
  #show(v) {
    this.#now = v;
    const pending = v.status === PENDING;
    byId("progress").dataset.status = v.status;
    byId("progress").dataset.id = v.id;
    say(byId("status"), statusWord(v.status));
    say(byId("news"), pending ? latest(v) : "");
    say(byId("digits-shown"), v.screen_digits ?? "");
    byId("digits").hidden = !v.screen_digits;
    if (!pending && byId("progress").contains(document.activeElement)) byId("progress-title").focus();
    byId("check").hidden = !pending;
    byId("actions").hidden = !pending;
    byId("resend").disabled = v.sends_left === 0 || !last(v) || last(v).state !== "ended";
    say(byId("code-note"), `${count(v.guesses_left, "guess", "guesses")} left, valid for ` +
      `${clock(Date.parse(v.expires_at) - Date.now())} more.`);
    if (!pending && v.status in ENDS) this.#verdict("bad", v.reason ? `${ENDS[v.status]} (${v.reason.replaceAll("_", " ")})` : ENDS[v.status]);
    showAttempts(v.attempts);
    this.onChange(v);
  }
}

/** @param {Verification} v @returns {import("./api.js").Attempt|undefined} */
const last = (v) => v.attempts.at(-1);

/** Says in words where a pending verification is. @param {Verification} v */
function latest(v) {
  const a = last(v);
  if (!a) return "";
  if (a.state !== "ended") {
    return {
      ringing: "The phone rings: answer it.",
      in_call: v.gate === "none" ? "Listen for the code." : "Listen, press the key the call asks for, then type the code.",
    }[a.state] ?? "The call or message is on its way.";
  }
  if (["heard", "answered", "sent", "delivered"].includes(a.outcome)) return "Type the code.";
  return "The code did not get through. Send it again, or start anew.";
}

/** Writes one line an attempt, and rewrites only those that changed. */
function showAttempts(attempts) {
  const list = byId("attempts");
  attempts.forEach((a, i) => {
    const ended = a.state === "ended";
    const how = ended ? outcomeWord(a.outcome ?? "") : stateWord(a.state);
    const why = ended && a.reason ? sentence(a.reason) : "";
    const key = `${a.state} ${a.outcome ?? ""} ${why}`;
    if (list.children[i]?.dataset.key === key) return;
    const item = make("li", { "data-key": key, "data-state": a.state, "data-outcome": a.outcome ?? "" },
      make("span", { class: "kind" }, `${a.channel === "sms" ? "SMS" : "Call"} ${i + 1}`),
      make("span", { class: "how" }, how));
    if (why) item.append(make("span", { class: "why" }, why));
    if (list.children[i]) list.children[i].replaceWith(item);
    else list.append(item);
  });
}

/** @param {{tag: string}[]} languages */
function fillLanguages(languages) {
  const named = languages.map(({ tag }) => ({ tag, name: languageName(tag) }));
  named.sort((a, b) => a.name.localeCompare(b.name, "en"));
  for (const { tag, name } of named) byId("locale").append(make("option", { value: tag }, name));
  byId("locale").value = "en";
}
