// The telephone: what one simulated phone does, and what its owner does with it.

import { Refusal } from "./api.js";
import { byId, clock, grouped, make, say } from "./dom.js";
import { Keypad } from "./keypad.js";
import { behaviourWord, lowerFirst, outcomeWord, sentence } from "./words.js";

/** @typedef {import("./api.js").Phone} Phone */

/** @type {Phone} A phone that was never called. */
const IDLE = { state: "idle", heard: [], messages: [] };

const HINTS = {
  any_key: "The call waits: press any key.",
  screen_digits: "The call waits: press the two digits shown with the verification.",
};
const OWN = { hello: "Hello?", greeting: "(the mailbox plays its greeting)" };

export class PhoneView {
  #number = "";
  #phone = IDLE;
  #since = 0; // when the present call was answered
  #written = { call: "", lines: 0, own: "", ended: false }; // what the screen holds already
  #listening = { call: "", stop: () => {} };
  #pressing = Promise.resolve(); // keys go out one after another
  #trouble = ""; // why the last command failed

  /** @param {import("./api.js").Server} server @param {import("./sound.js").Sound} sound */
  constructor(server, sound) {
    this.server = server;
    this.sound = sound;
    this.root = byId("phone");
    this.device = byId("device");
    this.log = byId("log");
    this.keypad = new Keypad(byId("keypad"), (key) => this.#press(key));
    byId("answer").addEventListener("click", () => this.#answer());
    byId("hangup").addEventListener("click", () => this.#hangup());
    byId("mute").addEventListener("click", () => this.#mute());
    this.device.addEventListener("keydown", (e) => this.#typed(e));
    setInterval(() => this.#tick(), 250);
    requestAnimationFrame(() => this.#drawLevel());
  }

  get number() { return this.#number; }
  get state() { return this.#phone.state; }

  /** Says that the phone rings or is in a call, so that no other may take its place. */
  get engaged() { return this.state === "ringing" || this.state === "in_call"; }

  /** Shows a phone. @param {string} number @param {Phone} [phone] none: it was never called */
  show(number, phone = IDLE) {
    const before = this.#phone;
    const other = number !== this.#number;
    this.#number = number;
    this.#phone = phone;
    if (phone.state !== before.state) this.#trouble = "";
    if (phone.state === "in_call" && (before.state !== "in_call" || phone.call !== before.call)) this.#since = Date.now();
    if (other) this.#clear();
    this.#showState();
    const grown = this.#showLog();
    this.#showMessages();
    if (grown) this.log.scrollTop = this.log.scrollHeight;
    this.#showControls(before.state);
    this.#makeSound();
  }

  #showState() {
    const p = this.#phone;
    this.root.dataset.state = p.state;
    this.#showClock();
    say(byId("phone-number"), grouped(this.#number));
    say(byId("phone-state"), {
      idle: "No call yet", ringing: "Incoming call", in_call: "In a call",
      ended: p.outcome ? `Last call: ${lowerFirst(outcomeWord(p.outcome))}` : "Call ended",
    }[p.state]);
    this.root.dataset.outcome = p.outcome ?? "";
    say(byId("hint"), this.#hint());
  }

  #hint() {
    const p = this.#phone;
    if (this.#trouble) return this.#trouble;
    if (p.state === "in_call" && p.gate) return this.#byItself() ? "The call waits for a key." : HINTS[p.gate] ?? "";
    if (p.state === "ringing" && this.#byItself()) return `${behaviourWord(p.behaviour)}: just watch.`;
    if (p.state === "ringing" && !this.sound.awake) return "The browser keeps pages silent until you click or press a key.";
    return "";
  }

  /** Says that the phone takes no commands in this call. */
  #byItself() {
    const how = this.#phone.behaviour ?? "manual";
    return how !== "manual" && how !== "hello";
  }

  #clear() {
    this.#written = { call: "", lines: 0, own: "", ended: false };
    this.log.replaceChildren();
    byId("messages").replaceChildren();
  }

  /** Writes what was said since the log was last written, and says whether that was anything. */
  #showLog() {
    const p = this.#phone;
    const w = this.#written;
    if ((p.call ?? "") !== w.call || p.heard.length < w.lines) {
      this.log.replaceChildren();
      Object.assign(w, { call: p.call ?? "", lines: 0, own: "", ended: false });
    }
    if (p.says && p.says !== w.own) this.log.append(make("p", { class: "own" }, OWN[p.says] ?? ""));
    w.own = p.says ?? w.own;
    for (const words of p.heard.slice(w.lines)) this.log.append(make("p", { class: "said" }, words));
    const ends = p.state === "ended" && p.outcome && !w.ended;
    if (ends) this.log.append(make("p", { class: "end" }, make("strong", {}, outcomeWord(p.outcome)), " · ", sentence(p.reason ?? "")));
    w.ended ||= ends;
    const grown = ends || p.heard.length > w.lines;
    w.lines = p.heard.length;
    if (!this.log.hasChildNodes()) {
      this.log.append(make("p", { class: "empty" }, "What the call says appears here as it is said."));
    } else if (this.log.childElementCount > 1) {
      this.log.querySelector(".empty")?.remove();
    }
    this.log.querySelector(".now")?.classList.remove("now");
    if (p.state === "in_call" && p.heard.length > 0) this.log.lastElementChild.classList.add("now");
    return grown;
  }

  #showMessages() {
    const { messages } = this.#phone;
    const list = byId("messages");
    // The server keeps the newest only: a full list moves on without growing.
    const shown = [...list.children].map((li) => li.textContent);
    byId("inbox").hidden = messages.length === 0;
    if (messages.length === shown.length && messages.every((m, i) => m === shown[i])) return;
    if (shown.some((m, i) => m !== messages[i])) list.replaceChildren();
    for (const text of messages.slice(list.childElementCount)) list.append(make("li", {}, text));
    byId("inbox").scrollTop = byId("inbox").scrollHeight;
  }

  /** Shows the buttons that do something now, and keeps the focus off those that go. */
  #showControls(before) {
    const mine = !this.#byItself();
    const { state } = this.#phone;
    const focused = this.device.contains(document.activeElement);
    byId("answer").hidden = !(state === "ringing" && mine);
    byId("hangup").hidden = !(this.engaged && mine);
    say(byId("hangup-word"), state === "ringing" ? "Decline" : "Hang up");
    this.keypad.enable(state === "in_call" && mine);
    if (before === state) return;
    const now = document.activeElement;
    // Who is filling in a field is not interrupted.
    if (state === "ringing" && mine && !now.matches("input, select")) byId("answer").focus();
    else if (focused && (now === document.body || now.hidden || now.disabled)) this.device.focus();
    if (state === "ringing" && !onScreen(this.device)) this.device.scrollIntoView({ block: "start" });
  }

  #makeSound() {
    const p = this.#phone;
    if (p.state === "ringing") this.sound.ring();
    else this.sound.stopRinging();
    if (!this.engaged) this.#listening.stop();
    else if (p.call !== this.#listening.call) this.#listen(p.call);
  }

  /** Plays a call until it ends. */
  #listen(call) {
    this.#listening.stop();
    const abort = new AbortController();
    this.#listening = { call, stop: () => abort.abort() };
    this.sound.begin();
    this.server.listen(this.#number, (bytes) => this.sound.play(bytes), abort.signal)
      .catch(() => {}) // the call had ended already, or another took its place
      .finally(() => { this.sound.level = 0; });
  }

  async #answer() { await this.#do(() => this.server.answer(this.#number)); this.device.focus(); }

  #hangup() { return this.#do(() => this.server.hangup(this.#number)); }

  #mute() {
    const muted = byId("mute").getAttribute("aria-pressed") !== "true";
    byId("mute").setAttribute("aria-pressed", String(muted));
    this.sound.mute(muted);
  }

  #press(key) {
    this.sound.key(key);
    this.#pressing = this.#pressing.then(() => this.#do(() => this.server.press(this.#number, key)));
  }

  /** Does something with the phone; what the phone is then comes as an event. */
  async #do(action) {
    try {
      await action();
    } catch (err) {
      if (!(err instanceof Refusal)) throw err;
      // A call that ended a moment ago takes no commands; the next event says so.
      if (err.status !== 409) this.#trouble = sentence(err.message);
    }
  }

  /** Keys of the keyboard, while the focus is on the phone. @param {KeyboardEvent} e */
  #typed(e) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.repeat) return;
    if (e.key === "Enter" && !(e.target instanceof HTMLButtonElement) && !byId("answer").hidden) {
      e.preventDefault();
      this.#answer();
    } else if (e.key === "Escape" && !byId("hangup").hidden) {
      this.#hangup();
    } else if (this.keypad.has(e.key) && this.state === "in_call" && !this.#byItself()) {
      e.preventDefault();
      this.keypad.flash(e.key);
      this.#press(e.key);
    }
  }

  #tick() {
    this.#showClock();
    this.root.dataset.samples = String(this.sound.samples);
    this.root.dataset.loud = String(this.sound.loud);
    say(byId("hint"), this.#hint());
  }

  #showClock() { say(byId("phone-clock"), this.state === "in_call" ? clock(Date.now() - this.#since) : ""); }

  #drawLevel() {
    byId("bars").style.setProperty("--level", this.sound.level.toFixed(2));
    requestAnimationFrame(() => this.#drawLevel());
  }
}

/** Says that the top of an element can be seen. */
function onScreen(element) {
  const { top } = element.getBoundingClientRect();
  return top >= 0 && top < window.innerHeight / 2;
}
