// What the page plays: the ring, the keys' tones and the call.

import { decode } from "./mulaw.js";

/** Samples a second: the telephone's rate is the whole page's. */
const RATE = 8000;
/** How far ahead of the ear the call is scheduled, in s: jitter up to it is not heard. */
const AHEAD = 0.12;
/** More than so much in store is skipped, in s: a call is live. */
const MOST = 0.6;
/** A sample above this is no silence: about -46 dB. */
const LOUD = 0.005;

/** The two tones of each key, in Hz (ITU-T Q.23). */
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477];
const KEYS = "123456789*0#";

/** The ring: notes in Hz, each with its start within a turn of RING_TURN s. */
const RING = [[659, 0], [831, 0.12], [988, 0.24], [659, 0.44], [831, 0.56], [988, 0.68]];
const RING_TURN = 2.4;

export class Sound {
  /** @type {AudioContext|null} Made at the first gesture: browsers are silent before. */
  #context = null;
  #out = null;
  #muted = false;
  #ringing = 0;
  /** When the next part of the call is due, on the context's clock. */
  #due = 0;

  constructor() {
    /** Samples of calls that were decoded, and those that were no silence. */
    this.samples = 0;
    this.loud = 0;
    /** How loud the call is now, 0 to 1. */
    this.level = 0;
    for (const gesture of ["pointerdown", "keydown"]) {
      document.addEventListener(gesture, () => this.#wake(), { capture: true });
    }
  }

  /** Says that the browser lets the page be heard. */
  get awake() { return this.#context?.state === "running"; }

  /** @param {boolean} muted */
  mute(muted) {
    this.#muted = muted;
    if (this.#out) this.#out.gain.value = muted ? 0 : 1;
  }

  /** Rings until stopRinging. */
  ring() {
    if (this.#ringing) return;
    const turn = () => {
      if (!this.awake) return;
      const from = this.#context.currentTime + 0.05;
      for (const [pitch, at] of RING) this.#tone([pitch], from + at, 0.18, 0.16);
    };
    turn();
    this.#ringing = setInterval(turn, RING_TURN * 1000);
  }

  stopRinging() {
    clearInterval(this.#ringing);
    this.#ringing = 0;
  }

  /** Plays the tone of a key. @param {string} key */
  key(key) {
    const at = KEYS.indexOf(key);
    if (at < 0 || !this.awake) return;
    this.#tone([ROWS[Math.floor(at / 3)], COLUMNS[at % 3]], this.#context.currentTime, 0.14, 0.09);
  }

  /** Begins a call: what is left of the one before is not waited for. */
  begin() {
    this.#due = 0;
    this.level = 0;
  }

  /** Plays the next bytes of the call. @param {Uint8Array} bytes mu-law */
  play(bytes) {
    const samples = decode(bytes);
    let peak = 0;
    for (const s of samples) {
      const size = Math.abs(s);
      if (size > LOUD) this.loud++;
      if (size > peak) peak = size;
    }
    this.samples += samples.length;
    this.level = Math.max(Math.min(1, peak * 1.6), this.level * 0.8);
    if (this.awake && samples.length > 0) this.#schedule(samples);
  }

  #schedule(samples) {
    const now = this.#context.currentTime;
    if (this.#due < now + 0.01) this.#due = now + AHEAD;
    if (this.#due > now + MOST) return;
    // On a whole sample, or the browser would interpolate at each join.
    this.#due = Math.round(this.#due * RATE) / RATE;
    const buffer = this.#context.createBuffer(1, samples.length, RATE);
    buffer.copyToChannel(samples, 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#out);
    source.start(this.#due);
    this.#due += samples.length / RATE;
  }

  #tone(pitches, from, length, loudness) {
    const gain = new GainNode(this.#context, { gain: 0 });
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(loudness, from + 0.01);
    gain.gain.setValueAtTime(loudness, from + length - 0.04);
    gain.gain.linearRampToValueAtTime(0, from + length);
    gain.connect(this.#out);
    for (const frequency of pitches) {
      const tone = new OscillatorNode(this.#context, { frequency });
      tone.connect(gain);
      tone.start(from);
      tone.stop(from + length);
    }
  }

  #wake() {
    if (!this.#context) {
      this.#context = new AudioContext({ sampleRate: RATE });
      this.#out = new GainNode(this.#context, { gain: this.#muted ? 0 : 1 });
      this.#out.connect(this.#context.destination);
    }
    if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
  }
}
