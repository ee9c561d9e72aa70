// What the server's words are called on the page.

/** Outcomes of attempts. The server adds the reason. */
const OUTCOMES = {
  heard: "Heard",
  answered: "Answered",
  busy: "Busy",
  no_answer: "No answer",
  rejected: "Declined",
  unreachable: "Unreachable",
  machine: "Voicemail",
  gate_missed: "No key pressed, so nothing was read",
  hung_up_early: "Hung up before the code was read",
  reported: "Reported as not asked for",
  sent: "Sent",
  delivered: "Delivered",
  undelivered: "Not delivered",
  carrier_refused: "Refused by the carrier",
  carrier_failed: "The carrier failed",
  canceled: "Canceled",
};

/** States of attempts that go on. */
const STATES = {
  queued: "About to start",
  dialling: "Dialling",
  placed: "With the carrier",
  ringing: "Ringing",
  in_call: "In the call",
};

/** States of verifications. */
const STATUSES = {
  pending: "Pending",
  approved: "Approved",
  canceled: "Canceled",
  expired: "Expired",
  max_attempts_reached: "Too many wrong codes",
  failed: "Failed",
};

/** What a phone can do about its next call. */
const BEHAVIOURS = {
  manual: "I answer it",
  hello: "A person says hello first",
  answers: "Answers by itself",
  busy: "Busy line",
  no_answer: "No answer",
  voicemail: "Voicemail with a greeting",
  hangs_up: "Hangs up at once",
  declines: "Declines",
  unreachable: "Unreachable",
};

/** A word that is new to the page is shown as it is, without underscores. */
const word = (table, key) => table[key] ?? key.replaceAll("_", " ");

export const outcomeWord = (outcome) => word(OUTCOMES, outcome);
export const stateWord = (state) => word(STATES, state);
export const statusWord = (status) => word(STATUSES, status);
export const behaviourWord = (behaviour) => word(BEHAVIOURS, behaviour);

/** A sentence of the server begins with a capital and ends with a stop. @param {string} text */
export function sentence(text) {
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?。]$/.test(text) ? "" : ".");
}

/** "1 guess", "2 guesses". */
export const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;

/** The name of a language, in English and in itself. @param {string} tag */
export function languageName(tag) {
  const english = new Intl.DisplayNames("en", { type: "language" }).of(tag);
  const own = new Intl.DisplayNames(tag, { type: "language" }).of(tag);
  return english === own ? english : `${english} · ${own}`;
}

/** @param {string} text A word that begins with "I" keeps it. */
export const lowerFirst = (text) => /^I\b/.test(text) ? text : text[0].toLowerCase() + text.slice(1);
