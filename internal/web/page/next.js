// What the phone will do about its next call.

import { Refusal } from "./api.js";
import { byId, make, say } from "./dom.js";
import { behaviourWord, lowerFirst, sentence } from "./words.js";

/** Where the room is short the choice is folded up. */
const ROOMY = "(min-width: 861px)";
const MANUAL = "manual";
/** Test numbers whose phones always do the same. */
const FIXED = /^\+141555501(0[1-9]|10)$/;

export class NextCall {
  #number = "";
  /** @type {import("./api.js").Phone|undefined} */
  #phone;

  /** @param {import("./api.js").Server} server @param {string[]} behaviours */
  constructor(server, behaviours) {
    this.server = server;
    byId("next").open = matchMedia(ROOMY).matches;
    for (const behaviour of behaviours) {
      const input = make("input", { type: "radio", name: "next", value: behaviour });
      input.addEventListener("change", () => this.#choose(behaviour));
      byId("next-chips").append(make("label", {}, input, make("span", {}, behaviourWord(behaviour))));
    }
  }

  /** @param {string} number @param {import("./api.js").Phone} [phone] */
  show(number, phone) {
    this.#number = number;
    this.#phone = phone;
    const fixed = FIXED.test(number);
    const next = phone?.next ?? (fixed ? "" : MANUAL);
    for (const input of byId("next-chips").querySelectorAll("input")) input.checked = input.value === next;
    say(byId("next-chosen"), next ? lowerFirst(behaviourWord(next)) : "as always");
    say(byId("next-note"), fixed ? "This test number does the same each time; a choice here holds for one call." : "");
  }

  async #choose(behaviour) {
    try {
      await this.server.next(this.#number, behaviour);
    } catch (err) {
      if (!(err instanceof Refusal)) throw err;
      this.show(this.#number, this.#phone); // what was chosen does not hold
      say(byId("next-note"), sentence(err.message));
    }
  }
}
