// Puts the page together: who may see the phones, which phone is shown, and how
// far the person has come.

import { Refusal, Server } from "./api.js";
import { byId, grouped, make, say } from "./dom.js";
import { NextCall } from "./next.js";
import { PhoneView } from "./phone.js";
import { Sound } from "./sound.js";
import { VerifyView } from "./verify.js";
import { sentence } from "./words.js";

const E164 = /^\+[1-9]\d{6,14}$/;

const server = new Server();

/** Opens the page, or asks for a key first. */
async function open() {
  try {
    const options = await server.options();
    byId("key-form").hidden = true;
    byId("app").hidden = false;
    run(options);
  } catch (err) {
    if (!(err instanceof Refusal)) throw err;
    askForKey(err);
  }
}

/** @param {Refusal} err why the page is not open yet */
function askForKey(err) {
  say(byId("link"), "Not connected");
  byId("app").hidden = true;
  byId("key-form").hidden = false;
  say(byId("key-fault"), err.status === 401 && !byId("key").value ? "" : sentence(err.message));
  byId("key").focus();
}

byId("key-form").addEventListener("submit", (e) => {
  e.preventDefault();
  server.useKey(byId("key").value.trim());
  open();
});

/** @param {{languages: {tag: string}[], behaviours: string[]}} options */
function run(options) {
  byId("key").value = "";
  const phone = new PhoneView(server, new Sound());
  const next = new NextCall(server, options.behaviours);
  /** @type {Map<string, import("./api.js").Phone>} */
  let phones = new Map();
  let wanted = ""; // the phone to show when none is engaged

  const show = (number) => {
    phone.show(number, phones.get(number));
    next.show(number, phones.get(number));
    showSteps(phone, verify.verification);
  };
  const refresh = () => {
    const rings = [...phones.values()].filter((p) => p.state === "ringing").map((p) => p.number);
    const here = phones.get(phone.number)?.state;
    const stays = here === "ringing" || here === "in_call";
    // A phone that rings takes the place of one that does nothing.
    if (!stays && rings.length > 0) wanted = rings[0];
    show(stays ? phone.number : wanted);
    showOthers(rings.filter((n) => n !== phone.number), show);
  };

  const verify = new VerifyView(server, options.languages, (number) => {
    if (!E164.test(number)) return;
    wanted = number;
    refresh();
  });
  verify.onChange = () => showSteps(phone, verify.verification);
  wanted = verify.number;
  show(wanted);

  server.watch((list) => {
    phones = new Map(list.map((p) => [p.number, p]));
    refresh();
    verify.look();
  }, showLink).catch(() => location.reload()); // the key was revoked, or there are no phones any more
}

/** Offers the phones that ring besides the one that is shown. */
function showOthers(numbers, show) {
  const also = byId("also");
  if (also.dataset.numbers === numbers.join()) return;
  also.dataset.numbers = numbers.join();
  also.replaceChildren();
  for (const number of numbers.slice(0, 3)) {
    const button = make("button", { type: "button" }, `${grouped(number)} rings, too`);
    button.addEventListener("click", () => show(number));
    also.append(button);
  }
}

/** @param {boolean} live */
function showLink(live) {
  byId("link").dataset.state = live ? "live" : "wait";
  say(byId("link"), live ? "Connected" : "Reconnecting");
}

/** Marks which of the three steps is due. */
function showSteps(phone, verification) {
  const order = ["start", "call", "code"];
  const pending = verification?.status === "pending";
  const reached = verification?.attempts.some((a) => ["heard", "delivered"].includes(a.outcome));
  let due = 0;
  if (verification?.status === "approved") due = order.length;
  else if (pending) due = reached || phone.state === "in_call" && verification.gate === "none" ? 2 : 1;
  for (const item of byId("steps").children) {
    const at = order.indexOf(item.dataset.step);
    item.classList.toggle("done", at < due);
    if (at === due) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

open();
