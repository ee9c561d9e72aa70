// The twelve keys.

import { make } from "./dom.js";

const KEYS = [
  ["1", ""], ["2", "ABC"], ["3", "DEF"], ["4", "GHI"], ["5", "JKL"], ["6", "MNO"],
  ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"], ["*", ""], ["0", "+"], ["#", ""],
];
const NAMES = { "*": "star", "#": "hash" };
/** How long a key that was pressed from the keyboard looks so, in ms. */
const DOWN = 140;

export class Keypad {
  #buttons = new Map();

  /** @param {HTMLElement} root @param {(key: string) => void} pressed */
  constructor(root, pressed) {
    for (const [key, letters] of KEYS) {
      const button = make("button", { type: "button", "data-key": key }, key, make("small", { "aria-hidden": "true" }, letters));
      if (NAMES[key]) button.setAttribute("aria-label", NAMES[key]);
      button.addEventListener("click", () => pressed(key));
      this.#buttons.set(key, button);
      root.append(button);
    }
  }

  /** @param {string} key */
  has(key) { return this.#buttons.has(key); }

  /** @param {boolean} on */
  enable(on) {
    for (const button of this.#buttons.values()) button.disabled = !on;
  }

  /** Shows a key that was pressed elsewhere. @param {string} key */
  flash(key) {
    const button = this.#buttons.get(key);
    button?.classList.add("down");
    setTimeout(() => button?.classList.remove("down"), DOWN);
  }
}
